// The LAN: who is at which address, what each direction between two hosts does to frames, and the Transport port of
// each host. Connections are made as TLS leaves them: both ends know the other's key and share 32 bytes.

import { createHash } from 'node:crypto';
import { dialMs } from '../../src/core/limits.ts';
import type { Connection, Transport } from '../../src/ports.ts';
import { createEnd, type End } from './connection.ts';
import type { Dice } from './dice.ts';
import type { Loop, Process } from './loop.ts';
import type { Trace } from './trace.ts';
import { type Frame, healthyFaults, type Path } from './wire.ts';

/** What the network knows of a running appliance. */
export type Station = {
  readonly host: string;
  readonly process: Process;
  readonly publicKey: Uint8Array;
  accept(connection: Connection): void;
};

export type FrameSeen = { from: string; to: string; connection: number; frame: Frame };

export type Network = {
  /** The appliance that runs at an address from now on; null: nothing listens there. */
  listen(address: string, station: Station | null): void;
  transportOf(station: Station): Transport;
  path(from: string, to: string): Path;
  setBlocked(from: string, to: string, isBlocked: boolean): void;
  /** Resets connections between two hosts; both ends are told, where the path is open. */
  breakConnections(a: string, b: string): number;
  /** As a router does that forgot them: frames vanish, nobody is told. */
  forgetConnections(a: string, b: string): number;
  /** The machine of a host lost power: its ends vanish without a word. With `isTold` only its process died. */
  drop(process: Process, isTold: boolean): void;
  connections(): readonly (readonly [End, End])[];
  onFrame: (seen: FrameSeen) => void;
};

export function createNetwork(loop: Loop, dice: Dice, trace: Trace): Network {
  const stations = new Map<string, Station>();
  const paths = new Map<string, Path>();
  let open: [End, End][] = [];
  let made = 0;
  const path = (from: string, to: string): Path => {
    const key = `${from}>${to}`;
    const known = paths.get(key) ?? { from, to, isBlocked: false, faults: { ...healthyFaults } };
    paths.set(key, known);
    return known;
  };
  const isOpenBetween = (a: string, b: string): boolean => !path(a, b).isBlocked && !path(b, a).isBlocked;
  const between = (a: string, b: string): [End, End][] =>
    open.filter(([x, y]) => (x.host === a && y.host === b) || (x.host === b && y.host === a));

  const connect = (dialer: Station, address: string, acceptor: Station): Connection => {
    const number = ++made;
    const channelBinding = new Uint8Array(createHash('sha256').update(`channel ${number} ${dice.fraction()}`).digest());
    const end = (own: Station, other: Station, dialedByUs: boolean): End =>
      createEnd({
        loop,
        dice,
        trace,
        number,
        own,
        other,
        path: path(own.host, other.host),
        isOpenBetween: () => isOpenBetween(own.host, other.host),
        isPowered: () =>
          other.process.state !== 'dead' || [...stations.values()].some(({ host }) => host === other.host),
        address: dialedByUs ? address : `${other.host}.lan:${40_000 + number}`,
        dialedByUs,
        channelBinding,
        onFrame: (frame) => network.onFrame({ from: own.host, to: other.host, connection: number, frame }),
      });
    const [near, far] = [end(dialer, acceptor, true), end(acceptor, dialer, false)];
    near.join(far);
    far.join(near);
    open = open.filter(([x, y]) => !(x.isClosed() && y.isClosed()));
    open.push([near, far]);
    loop.soon(acceptor.process, () => {
      acceptor.accept(far.connection);
      far.requireListening();
    });
    return near.connection;
  };

  const transportOf = (dialer: Station): Transport => ({
    dial: (address, done) => {
      const roundTrip = (to: string): number =>
        path(dialer.host, to).faults.latencyMs + path(to, dialer.host).faults.latencyMs;
      const started = loop.now();
      const answer = (time: number, outcome: () => Parameters<typeof done>[0]): void => {
        loop.at(time, dialer.process, () => done(outcome()));
      };
      const station = stations.get(address);
      if (!station) return answer(started + dialMs, () => ({ ok: false, reason: 'no route to host' }));
      const arrives = started + Math.min(roundTrip(station.host) * 2 + dice.fraction(), dialMs);
      loop.at(arrives, null, () => {
        const there = stations.get(address);
        if (there?.process.state !== 'running' || !isOpenBetween(dialer.host, there.host))
          return answer(there?.process.state === 'dead' ? arrives : started + dialMs, () => ({
            ok: false,
            reason: 'no answer',
          }));
        loop.soon(dialer.process, () => {
          if (there.process.state === 'dead') return done({ ok: false, reason: 'connection refused' });
          done({ ok: true, connection: connect(dialer, address, there) });
        });
      });
    },
  });

  const network: Network = {
    listen: (address, station) => {
      if (station) stations.set(address, station);
      else stations.delete(address);
    },
    transportOf,
    path,
    setBlocked: (from, to, isBlocked) => {
      path(from, to).isBlocked = isBlocked;
      if (!isBlocked) for (const pair of open) for (const end of pair) end.pump();
    },
    breakConnections: (a, b) => {
      const pairs = between(a, b).filter(([x, y]) => !x.isClosed() || !y.isClosed());
      for (const [x, y] of pairs) for (const end of [x, y]) end.die('connection reset', true);
      return pairs.length;
    },
    forgetConnections: (a, b) => {
      const pairs = between(a, b).filter(([x, y]) => !x.isClosed() && !y.isClosed());
      for (const [x, y] of pairs) for (const end of [x, y]) end.forget();
      return pairs.length;
    },
    drop: (process, isTold) => {
      for (const pair of open)
        for (const end of pair) if (end.process === process && !end.isClosed()) end.vanish(isTold);
    },
    connections: () => open,
    onFrame: () => {},
  };
  return network;
}
