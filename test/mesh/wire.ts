// What goes over an appliance's connections, counted and kept for tests, without changing it.

import type { Message } from '../../src/core/message.ts';
import { hex } from '../../src/core/op.ts';
import type { Connection } from '../../src/ports.ts';
import { type CommitsFrame, decodeCommitsFrame } from '../../src/protocol/frames.ts';

export type Wire = {
  watch(connection: Connection): Connection;
  /** Since the last `reset`. */
  readonly sent: Frame[];
  readonly received: Frame[];
  /** Most bytes that ever waited in one connection. */
  bufferedBytesMax(): number;
  /** Connections opened so far, and those that are open. */
  openedCount(): number;
  openCount(): number;
  reset(): void;
};

/** `peer`: the key of the other end, as hex. Connections are numbered from 1. */
export type Frame = {
  readonly peer: string;
  readonly connection: number;
  readonly bytes: number;
  readonly content: string | Uint8Array;
};

export function createWire(): Wire {
  const sent: Frame[] = [];
  const received: Frame[] = [];
  const open = new Set<Connection>();
  let openedCount = 0;
  let bufferedBytesMax = 0;
  const frameOf = ({ peerKey }: Connection, connection: number, content: string | Uint8Array): Frame => ({
    peer: hex(peerKey),
    connection,
    bytes: typeof content === 'string' ? Buffer.byteLength(content) : content.length,
    content,
  });
  return {
    sent,
    received,
    bufferedBytesMax: () => bufferedBytesMax,
    openedCount: () => openedCount,
    openCount: () => open.size,
    reset() {
      sent.length = 0;
      received.length = 0;
      bufferedBytesMax = 0;
    },
    watch(connection) {
      openedCount += 1;
      const number = openedCount;
      open.add(connection);
      return {
        ...connection,
        listen: (events) =>
          connection.listen({
            ...events,
            frame(content) {
              received.push(frameOf(connection, number, content));
              events.frame(content);
            },
            closed(reason) {
              open.delete(connection);
              events.closed(reason);
            },
          }),
        send(content) {
          sent.push(frameOf(connection, number, content));
          connection.send(content);
          bufferedBytesMax = Math.max(bufferedBytesMax, connection.bufferedBytes());
        },
        close(reason) {
          open.delete(connection);
          connection.close(reason);
        },
      };
    },
  };
}

/** Commits frames among the frames. */
export const commitsIn = (frames: readonly Frame[]): CommitsFrame[] =>
  frames.flatMap(({ content }) => (typeof content === 'string' ? [] : [decodeCommitsFrame(content) ?? []].flat()));

/** Messages among the frames, by their own word of what they are. */
export const messagesIn = (frames: readonly Frame[]): Message[] =>
  frames.flatMap(({ content }) => (typeof content === 'string' ? [JSON.parse(content) as Message] : []));

/** "ORIGIN#NUMBER" of every op in the frames, once for each time that it is there. */
export const opsIn = (frames: readonly Frame[]): string[] =>
  commitsIn(frames).flatMap(({ commits }) =>
    commits.flatMap(({ commit: { seal } }) =>
      Array.from({ length: seal.last - seal.first + 1 }, (_, index) => `${seal.origin}#${seal.first + index}`),
    ),
  );
