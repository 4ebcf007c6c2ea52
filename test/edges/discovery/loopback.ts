// Discovery on the loopback interface with real sockets: appliances of this process, and strangers at addresses of their
// own that say what they like.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createDiscovery, type DiscoveryOptions } from '../../../src/edges/discovery/discovery.ts';
import { multicastGroup } from '../../../src/edges/discovery/sockets.ts';
import { systemClock, systemRandom, systemTimers } from '../../../src/edges/system.ts';
import type { Announcement, Discovery, Log, Sighting } from '../../../src/ports.ts';
import { idOf, shopId } from './packets.ts';

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

export async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '0.0.0.0');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

export type Event = { seen: Sighting } | { gone: string };

export type Looker = {
  readonly discovery: Discovery;
  readonly self: Announcement;
  readonly events: Event[];
  /** Resolves with the first event, from the beginning, that matches. */
  event(matches: (event: Event) => boolean): Promise<Event>;
  sees(name: string): Promise<Sighting>;
  loses(replicaId: string): Promise<unknown>;
};

/** An appliance that looks around and is seen; its id is `character`, many times. */
export function look(character: string, options: Partial<DiscoveryOptions>, self: Partial<Announcement> = {}): Looker {
  const announced = {
    replicaId: idOf(character),
    name: `till ${character}`,
    shop: shopId,
    meshPort: 4000 + character.charCodeAt(0),
    ...self,
  };
  const discovery = createDiscovery({
    timers: systemTimers,
    clock: systemClock,
    random: systemRandom,
    log: quiet,
    interfaces: ['lo'],
    ...options,
  });
  const events: Event[] = [];
  const waiting: { matches(event: Event): boolean; resolve(event: Event): void }[] = [];
  const take = (event: Event): void => {
    events.push(event);
    for (const { matches, resolve } of waiting) if (matches(event)) resolve(event);
  };
  discovery.start(announced, { seen: (seen) => take({ seen }), gone: (gone) => take({ gone }) });
  const event: Looker['event'] = (matches) => {
    const past = events.find(matches);
    return past ? Promise.resolve(past) : new Promise((resolve) => waiting.push({ matches, resolve }));
  };
  return {
    discovery,
    self: announced,
    events,
    event,
    async sees(name) {
      const found = await event((one) => 'seen' in one && one.seen.name === name);
      return 'seen' in found ? found.seen : Promise.reject(new Error('gone'));
    },
    loses: (replicaId) => event((one) => 'gone' in one && one.gone === replicaId),
  };
}

export type Stranger = {
  /** Resolves when it has left. */
  say(packet: Buffer): Promise<void>;
  /** Resolves with the next packet of somebody else that matches. */
  hears(matches: (packet: Buffer) => boolean): Promise<Buffer>;
  close(): void;
};

/** Somebody at an address of the loopback network, on the port of mDNS or, as no responder does, on another. */
export async function stranger(port: number, address: string, ownPort = port): Promise<Stranger> {
  const speaker = createSocket({ type: 'udp4', reuseAddr: true });
  speaker.bind(ownPort, address);
  await once(speaker, 'listening');
  speaker.setMulticastInterface('127.0.0.1');
  const listener = createSocket({ type: 'udp4', reuseAddr: true });
  listener.bind(port, multicastGroup);
  await once(listener, 'listening');
  listener.addMembership(multicastGroup, '127.0.0.1');
  const waiting = new Set<(packet: Buffer) => void>();
  listener.on('message', (packet, remote) => {
    if (remote.address !== address) for (const take of [...waiting]) take(packet);
  });
  return {
    say: (packet) => sent(speaker, packet, port),
    hears: (matches) =>
      new Promise((resolve) => {
        const take = (packet: Buffer): void => {
          if (!matches(packet)) return;
          waiting.delete(take);
          resolve(packet);
        };
        waiting.add(take);
      }),
    close() {
      speaker.close();
      listener.close();
    },
  };
}

const sent = (socket: Socket, packet: Buffer, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.send(packet, port, multicastGroup, (error) => (error ? reject(error) : resolve()));
  });

/** Turns the event loop until it holds: what is looked at has no event of its own. The test's time limit ends it. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
