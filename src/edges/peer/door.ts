// Who may stand on a port, and for how long while it is he who is waited for: he says nothing, half of a request, or does
// not take what is answered. Such visitors never keep others out: where places are few, those who hold most of them make
// room, the one that has stood so longest first. Timers are ours, because Bun keeps no HTTP time-outs, and Node only for a
// server that listens itself.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { answerMs, keepAliveMs, type PortLimits, requestMs } from '../../core/limits.ts';
import type { Timers } from '../../ports.ts';

type Visitor = {
  readonly name: string;
  readonly address: string;
  readonly socket: Socket;
  requestCount: number;
  /** The last one, and its answer. */
  request: IncomingMessage | null;
  response: ServerResponse | null;
  isUpgraded: boolean;
  /** Grows with each visitor that comes, asks or is answered: the lowest has stood longest. */
  turn: number;
  /** How far it had taken the answer when that was last seen to grow. */
  taken: number;
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
  const silent = new Set<Visitor>();
  let turns = 0;
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
      if (!isWaitedFor(visitor)) visitor.until = Number.POSITIVE_INFINITY;
      else if (visitor.request?.complete) noteTaken(visitor);
      if (looks >= visitor.until) showOut(visitor);
    }
    if (visitors.size > 0) lookLater();
  }

  const noteTaken = (visitor: Visitor): void => {
    const taken = takenBy(visitor);
    if (taken === visitor.taken) return;
    visitor.taken = taken;
    visitor.until = after(answerMs);
  };

  /** Also when the socket has closed by itself. */
  const showOut = (visitor: Visitor): void => {
    silent.delete(visitor);
    if (visitors.get(visitor.name) === visitor) visitors.delete(visitor.name);
    visitor.socket.destroy();
  };
  const makeRoom = (): boolean => {
    const longest = visitors.size < socketsMax ? undefined : longestOf([...visitors.values()].filter(isWaitedFor));
    if (longest) showOut(longest);
    const longestSilent = silent.size < silentMax ? undefined : longestOf([...silent]);
    if (longestSilent) showOut(longestSilent);
    return visitors.size < socketsMax;
  };
  const answered = (visitor: Visitor): void => {
    visitor.requestCount--;
    if (visitor.requestCount > 0 || visitors.get(visitor.name) !== visitor) return;
    visitor.request = null;
    visitor.response = null;
    visitor.turn = ++turns;
    visitor.until = after(keepAliveMs);
  };

  return {
    admit(socket) {
      const name = nameOf(socket);
      if (name === undefined || !makeRoom()) return void socket.destroy();
      const address = socket.remoteAddress ?? '';
      const visitor: Visitor = {
        name,
        address,
        socket,
        requestCount: 0,
        request: null,
        response: null,
        isUpgraded: false,
        turn: ++turns,
        taken: Number.NaN,
        until: after(silentMs),
      };
      visitors.set(name, visitor);
      silent.add(visitor);
      socket.once('close', () => showOut(visitor));
      lookLater();
    },
    request(socket, request, response) {
      const visitor = visitors.get(nameOf(socket) ?? '');
      if (!visitor) return;
      silent.delete(visitor);
      visitor.requestCount++;
      visitor.request = request;
      visitor.response = response;
      visitor.turn = ++turns;
      visitor.taken = Number.NaN;
      visitor.until = after(requestMs);
      response.once('close', () => answered(visitor));
    },
    upgraded(socket) {
      const visitor = visitors.get(nameOf(socket) ?? '');
      if (!visitor) return;
      silent.delete(visitor);
      visitor.isUpgraded = true;
    },
    closeAll() {
      for (const visitor of visitors.values()) visitor.socket.destroy();
    },
  };
}

/** A TLS socket has the name of the TCP socket below it, which Node does not otherwise tell. */
const nameOf = ({ remoteAddress, remotePort }: Socket): string | undefined =>
  remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;

/** Not while we work on a whole request. An answer that was ended stays until all of it is with the system. */
function isWaitedFor({ isUpgraded, requestCount, request, response }: Visitor): boolean {
  if (isUpgraded) return false;
  return requestCount === 0 || !request?.complete || response?.writableEnded || (response?.writableLength ?? 0) > 0;
}

/**
 * Grows as bytes of the answers leave: on Node by what the handle still has of a write, on Bun by what the answer has. Bun's
 * TLS tells of whole writes only.
 */
function takenBy({ socket, response }: Visitor): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return socket.bytesWritten - (handle?.writeQueueSize ?? 0) - (response?.writableLength ?? 0);
}

/** Of the address that holds most of these places. */
function longestOf(places: readonly Visitor[]): Visitor | undefined {
  const counts = new Map<string, number>();
  for (const { address } of places) counts.set(address, (counts.get(address) ?? 0) + 1);
  const most = Math.max(...counts.values());
  let longest: Visitor | undefined;
  for (const visitor of places)
    if (counts.get(visitor.address) === most && visitor.turn < (longest?.turn ?? Number.POSITIVE_INFINITY))
      longest = visitor;
  return longest;
}
