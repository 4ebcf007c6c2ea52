// Who may stand on a port, and for how long while it is he who is waited for: he says nothing, half of a request, or does
// not take what is answered. Such visitors never keep others out: where places are few, those who hold most of them make
// room, the one that has stood so longest first. Timers are ours, because Bun keeps no HTTP time-outs, and Node only for a
// server that listens itself.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { hostOf } from '../../core/dial.ts';
import { answerMs, keepAliveMs, type PortLimits, requestMs } from '../../core/limits.ts';
import type { Timers } from '../../ports.ts';

type Visitor = {
  readonly name: string;
  readonly address: string;
  readonly socket: Socket;
  /** Those that are not answered yet, in the order in which they came. */
  open: Exchange[];
  isUpgraded: boolean;
  /** Grows with each visitor that comes, asks or is answered: the lowest has stood longest. */
  turn: number;
  /** How far it had taken the answer when that was last seen to grow. */
  taken: number;
  /** The look at which its time is over. */
  until: number;
};

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse };

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
      else if (visitor.open[0]?.request.complete) noteTaken(visitor);
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
  const answered = (visitor: Visitor, exchange: Exchange): void => {
    visitor.open = visitor.open.filter((other) => other !== exchange);
    if (visitor.open.length > 0 || visitors.get(visitor.name) !== visitor) return;
    visitor.turn = ++turns;
    visitor.until = after(keepAliveMs);
  };

  return {
    admit(socket) {
      const name = nameOf(socket);
      if (name === undefined || !makeRoom()) return void socket.destroy();
      const address = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
      const visitor: Visitor = {
        name,
        address,
        socket,
        open: [],
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
      const exchange = { request, response };
      visitor.open.push(exchange);
      visitor.turn = ++turns;
      visitor.taken = Number.NaN;
      visitor.until = after(requestMs);
      response.once('close', () => answered(visitor, exchange));
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
function isWaitedFor({ isUpgraded, open }: Visitor): boolean {
  if (isUpgraded) return false;
  const [first] = open;
  return !first?.request.complete || first.response.writableEnded || first.response.writableLength > 0;
}

/**
 * Grows as bytes of the answers leave: on Node by what the handle still has of a write, on Bun by what the answer has. Bun's
 * TLS tells of whole writes only.
 */
function takenBy({ socket, open: [first] }: Visitor): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return socket.bytesWritten - (handle?.writeQueueSize ?? 0) - (first?.response.writableLength ?? 0);
}

/** Of the address that holds most of these places, among those of the network that does: a host of IPv6 has a whole one. */
function longestOf(places: readonly Visitor[]): Visitor | undefined {
  const crowd = crowdOf(
    crowdOf(places, ({ address }) => hostOf(address)),
    ({ address }) => address,
  );
  const first = Math.min(...crowd.map(({ turn }) => turn));
  return crowd.find(({ turn }) => turn === first);
}

/** Those of each key that has most. */
function crowdOf(places: readonly Visitor[], keyOf: (visitor: Visitor) => string): Visitor[] {
  const groups = [...Map.groupBy(places, keyOf).values()];
  const most = Math.max(...groups.map(({ length }) => length));
  return groups.filter(({ length }) => length === most).flat();
}
