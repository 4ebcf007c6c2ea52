// One WebSocket to an appliance, from its handshake to its end: it is open when the appliance has greeted, and dead when a
// ping is not answered in time, whatever the network says. Tells its end exactly once.

import type { Cancel, Environment, Socket } from './environment.ts';
import { type Frame, readFrame } from './messages.ts';

export const handshakeMsMax = 5_000;
export const pingIntervalMs = 10_000;
export const pongMsMax = 5_000;

/** The appliance ended it because the credential counts no more. */
export const closedForCredential = 4401;

export type SocketEvents = {
  opened(cursor: string | null): void;
  frame(frame: Frame): void;
  pong(rttMs: number): void;
  ended(how: { readonly wasOpen: boolean; readonly code: number }): void;
};

export type LiveSocket = {
  /** Nothing, when it is not open. */
  send(frame: object): void;
  /** Ends it without telling so. */
  close(): void;
};

/** What the code of a connection that just ended stands for. */
const codeOfSilence = 1006;

export function openLiveSocket(
  environment: Environment,
  url: string,
  protocols: readonly string[],
  events: SocketEvents,
): LiveSocket {
  let phase: 'opening' | 'open' | 'over' = 'opening';
  let socket: Socket | null = null;
  let heardAt = 0;
  let pingedAt: number | null = null;
  let cancelTimer: Cancel = environment.after(handshakeMsMax, () => end(codeOfSilence));

  function end(code: number, isTold = true): void {
    if (phase === 'over') return;
    const wasOpen = phase === 'open';
    phase = 'over';
    cancelTimer();
    letGo();
    if (isTold) events.ended({ wasOpen, code });
  }

  /** What comes from it later is of no interest; an error that nobody listens to would end a program. */
  function letGo(): void {
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = () => undefined;
    try {
      socket.close();
    } catch {
      // It is closed already.
    }
  }

  function send(frame: object): void {
    if (phase !== 'open') return;
    try {
      socket?.send(JSON.stringify(frame));
    } catch {
      end(codeOfSilence);
    }
  }

  function ping(): void {
    pingedAt = environment.monotonic();
    cancelTimer = environment.after(pongMsMax, judge);
    send({ type: 'ping' });
  }

  function judge(): void {
    // A page in the background has its timers late: what was heard meanwhile counts.
    if (pingedAt !== null && heardAt < pingedAt) return end(codeOfSilence);
    pingedAt = null;
    cancelTimer = environment.after(pingIntervalMs - pongMsMax, ping);
  }

  function hear(data: unknown): void {
    heardAt = environment.monotonic();
    const frame = readFrame(data);
    if (frame === undefined) return;
    if (phase === 'opening') {
      if (frame.kind !== 'connected') return;
      phase = 'open';
      cancelTimer();
      ping();
      return events.opened(frame.cursor);
    }
    if (frame.kind === 'pong' && pingedAt !== null) events.pong(heardAt - pingedAt);
    events.frame(frame);
  }

  try {
    socket = environment.openSocket(url, protocols);
    socket.onmessage = ({ data }) => hear(data);
    socket.onclose = ({ code }) => end(code);
    socket.onerror = () => undefined;
  } catch {
    // Told later, as all ends are: whoever opens it does not have it in hand yet.
    cancelTimer();
    cancelTimer = environment.after(0, () => end(codeOfSilence));
  }
  return { send, close: () => end(codeOfSilence, false) };
}

/** Tokens go beside the protocol, in an encoding of their own when they have characters that protocols do not have. */
export function protocolsFor(token: string | undefined): string[] {
  if (token === undefined) return ['tillmesh'];
  if (/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(token)) return ['tillmesh', token];
  const bytes = String.fromCharCode(...new TextEncoder().encode(token));
  const encoded = btoa(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  return ['tillmesh', `base64url.bearer.${encoded}`];
}
