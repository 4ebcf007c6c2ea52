// Who may stand on a port, and for how long without saying anything. Strangers that say nothing never keep others out:
// where places are few, those who hold most of them make room, the one that has waited longest first. Timers are ours,
// because Bun keeps no HTTP time-outs, and Node only for a server that listens itself.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { keepAliveMs, type PortLimits, requestMs } from '../../core/limits.ts';
import type { TimerHandle, Timers } from '../../ports.ts';

type Visitor = {
  readonly name: string;
  readonly address: string;
  readonly socket: Socket;
  requestCount: number;
  timer: TimerHandle | undefined;
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

export function createDoor(timers: Timers, { socketsMax, silentMax, silentMs }: PortLimits): Door {
  const visitors = new Map<string, Visitor>();
  /** The longest waiting first, both. */
  const silent = new Set<Visitor>();
  const idle = new Set<Visitor>();

  const settle = (visitor: Visitor): void => {
    visitor.timer?.cancel();
    visitor.timer = undefined;
    silent.delete(visitor);
    idle.delete(visitor);
  };
  /** Also when the socket has closed by itself. */
  const showOut = (visitor: Visitor): void => {
    settle(visitor);
    if (visitors.get(visitor.name) === visitor) visitors.delete(visitor.name);
    visitor.socket.destroy();
  };
  const wait = (visitor: Visitor, places: Set<Visitor>, waitMs: number): void => {
    places.add(visitor);
    visitor.timer = timers.after(waitMs, () => showOut(visitor));
  };
  const makeRoom = (): boolean => {
    const longest = visitors.size < socketsMax ? undefined : (longestOf(idle) ?? longestOf(silent));
    if (longest) showOut(longest);
    const longestSilent = silent.size < silentMax ? undefined : longestOf(silent);
    if (longestSilent) showOut(longestSilent);
    return visitors.size < socketsMax;
  };

  return {
    admit(socket) {
      const name = nameOf(socket);
      if (name === undefined || !makeRoom()) return void socket.destroy();
      const address = socket.remoteAddress ?? '';
      const visitor: Visitor = { name, address, socket, requestCount: 0, timer: undefined };
      visitors.set(name, visitor);
      socket.once('close', () => showOut(visitor));
      wait(visitor, silent, silentMs);
    },
    request(socket, request, response) {
      const visitor = visitors.get(nameOf(socket) ?? '');
      if (!visitor) return;
      settle(visitor);
      visitor.requestCount++;
      const timer = timers.after(requestMs, () => request.complete || socket.destroy());
      response.once('close', () => {
        timer.cancel();
        if (--visitor.requestCount === 0 && !socket.destroyed) wait(visitor, idle, keepAliveMs);
      });
    },
    upgraded(socket) {
      const visitor = visitors.get(nameOf(socket) ?? '');
      if (visitor) settle(visitor);
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
