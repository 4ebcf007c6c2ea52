// What stands between a socket and what is said over it, as types: the edge that has sockets and the one that knows what is
// said meet here.

/** One client's socket, for text frames. */
export type TalkSocket = {
  /** Text, or its UTF-8. On one that has ended it does nothing; one that takes nothing for too long is ended. */
  send(text: string | Uint8Array): void;
  /** What `say` sends leaves as one piece: for many small frames that costs a tenth. */
  together(say: () => void): void;
  /** Whether it has taken most of what was sent. */
  isReady(): boolean;
  /** No more is read of what it says, until `readOn`. */
  pause(): void;
  readOn(): void;
  close(code: number, reason: string): void;
};

export type Talk = {
  /** By whom places are counted. */
  readonly holder: string;
  frame(text: string): void;
  /** Ready again. */
  drained(): void;
  /** Every half minute. */
  beat(): void;
  ended(): void;
};

export type OpenTalk = (socket: TalkSocket) => Talk;

/** Why a socket is closed: RFC 6455, 7.4.1, and one of our own. */
export const closeCodes = {
  stopping: 1001,
  binary: 1003,
  broken: 1011,
  othersWait: 1013,
  shutOut: 4401,
} as const;
