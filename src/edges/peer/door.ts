// Who may stand on a port, and for how long without saying anything. Strangers that say nothing never keep others out:
// where places are few, those who hold most of them make room, the one that has waited longest first. Timers are ours,
// because Bun keeps no HTTP time-outs, and Node only for a server that listens itself.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { keepAliveMs, type PortLimits, requestMs } from '../../core/limits.ts';
import type { Timers } from '../../ports.ts';

type Visitor = {
  readonly name: string;
  readonly address: string;
  readonly socket: Socket;
  requestCount: number;
  /** The last one. */
  request: IncomingMessage | null;
  /** The look at which its time is over. */
  until: number;
};

export type Door = {
  /** A TCP connection, before a byte of it was read. */
  admit(socket: Socket): void;
  /** A request's head has been read; `socket` may be the TLS socket, as in the next. */
  request(socket: Socket, request: IncomingMessage, response: ServerResponse): void;
  /** From here on whoever took the socket over sees to it. */
  upgraded(socket: Socket): void;
  /** Destroys every socket, whatever became of it. */
  closeAll(): void;
};

/** One timer for all, or each request would cost two. */
const lookEveryMs = 1_000;

export function createDoor(timers: Timers, { socketsMax, silentMax, silentMs }: PortLimits): Door {
  const visitors = new Map<string, Visitor>();
  /** The longest waiting first, both. */
  const silent = new Set<Visitor>();
  const idle = new Set<Visitor>();
  let looks = 0;
  let isLooking = false;

  const after = (ms: number): number => looks + 1 + Math.ceil(ms / lookEveryMs);
  const lookLater = (): void => {
    if (isLooking) return;
    isLooking = true;
    timers.after(lookEveryMs, look);
  };
  function look(): void {
    looks += 1;
    isLooking = false;
    for (const visitor of visitors.values()) {
      if (looks < visitor.until) continue;
      // What it waits for now is our answer.
      if (visitor.request?.complete && visitor.requestCount > 0) visitor.until = Number.POSITIVE_INFINITY;
      else showOut(visitor);
    }
    if (visitors.size > 0) lookLater();
  }

  /** Also when the socket has closed by itself. */
  const showOut = (visitor: Visitor): void => {
    silent.delete(visitor);
    idle.delete(visitor);
    if (visitors.get(visitor.name) === visitor) visitors.delete(visitor.name);
    visitor.socket.destroy();
  };
  const makeRoom = (): boolean => {
    const longest = visitors.size < socketsMax ? undefined : (longestOf(idle) ?? longestOf(silent));
    if (longest) showOut(longest);
    const longestSilent = silent.size < silentMax ? undefined : longestOf(silent);
    if (longestSilent) showOut(longestSilent);
    return visitors.size < socketsMax;
  };
  const answered = (visitor: Visitor): void => {
    visitor.requestCount--;
    if (visitor.requestCount > 0 || visitors.get(visitor.name) !== visitor) return;
    idle.add(visitor);
    visitor.until = after(keepAliveMs);
  };

  return {
    admit(socket) {
      const name = nameOf(socket);
      if (name === undefined || !makeRoom()) return void socket.destroy();
      const address = socket.remoteAddress ?? '';
      const visitor: Visitor = { name, address, socket, requestCount: 0, request: null, until: after(silentMs) };
      visitors.set(name, visitor);
      silent.add(visitor);
      socket.once('close', () => showOut(visitor));
      lookLater();
    },
    request(socket, request, response) {
      const visitor = visitors.get(nameOf(socket) ?? '');
      if (!visitor) return;
      silent.delete(visitor);
      idle.delete(visitor);
      visitor.requestCount++;
      visitor.request = request;
      visitor.until = after(requestMs);
      response.once('close', () => answered(visitor));
    },
    upgraded(socket) {
      const visitor = visitors.get(nameOf(socket) ?? '');
      if (!visitor) return;
      silent.delete(visitor);
      idle.delete(visitor);
      visitor.until = Number.POSITIVE_INFINITY;
    },
    closeAll() {
      for (const visitor of visitors.values()) visitor.socket.destroy();
    },
  };
}

/** A TLS socket has the name of the TCP socket below it, which Node does not otherwise tell. */
const nameOf = ({ remoteAddress, remotePort }: Socket): string | undefined =>
  remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;

/** Of the address that holds most of these places. */
function longestOf(places: Set<Visitor>): Visitor | undefined {
  const counts = new Map<string, number>();
  for (const { address } of places) counts.set(address, (counts.get(address) ?? 0) + 1);
  const most = Math.max(...counts.values());
  for (const visitor of places) if (counts.get(visitor.address) === most) return visitor;
  return undefined;
}
