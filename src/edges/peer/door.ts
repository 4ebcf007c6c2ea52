// Who may stand on the TLS port, and for how long without saying anything. Strangers that say nothing never keep others
// out: where places are few, the one that has waited longest makes room. Timers are ours, because Bun keeps no HTTP
// time-outs on sockets that are handed to a server, and Node only for a server that listens itself.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { handshakeMs, keepAliveMs, requestMs, tlsSocketsMax, tlsStrangersMax } from '../../core/limits.ts';
import type { TimerHandle, Timers } from '../../ports.ts';

type Visitor = { readonly name: string; readonly socket: Socket; requestCount: number; timer: TimerHandle | undefined };

export type Door = {
  /** A TCP connection, before a byte of TLS. */
  admit(socket: Socket): void;
  /** A request's head has been read; `socket` is the TLS socket, as in the next. */
  request(socket: Socket, request: IncomingMessage, response: ServerResponse): void;
  /** From here on whoever took the socket over sees to it. */
  upgraded(socket: Socket): void;
  /** Destroys every socket, whatever became of it. */
  closeAll(): void;
};

export function createDoor(timers: Timers): Door {
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
    const longest = visitors.size < tlsSocketsMax ? undefined : (firstOf(idle) ?? firstOf(silent));
    if (longest) showOut(longest);
    const longestSilent = silent.size < tlsStrangersMax ? undefined : firstOf(silent);
    if (longestSilent) showOut(longestSilent);
    return visitors.size < tlsSocketsMax;
  };

  return {
    admit(socket) {
      const name = nameOf(socket);
      if (name === undefined || !makeRoom()) return void socket.destroy();
      const visitor: Visitor = { name, socket, requestCount: 0, timer: undefined };
      visitors.set(name, visitor);
      socket.once('close', () => showOut(visitor));
      wait(visitor, silent, handshakeMs);
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

const firstOf = <Item>(items: Set<Item>): Item | undefined => items.values().next().value;
