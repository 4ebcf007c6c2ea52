// A till with fake appliances around it, on a clock that the test moves.

import { createConnectionManager } from '../../src/client/connection.ts';
import type {
  ConnectionManager,
  ConnectionOptions,
  ConnectionState,
  LiveMessage,
  OutboxEvent,
  Resync,
} from '../../src/client/contract.ts';
import type { Environment } from '../../src/client/environment.ts';
import { createMemoryMedium, type OutboxMedium } from '../../src/client/outbox-medium.ts';
import { readOptions } from '../../src/client/settings.ts';
import { createClock, type ManualClock, settle } from './clock.ts';
import { createFakeAppliance, type FakeAppliance } from './fake-appliance.ts';

export const bar = 'http://bar:3030';
export const kitchen = 'http://kitchen:3030';
export const cellar = 'http://cellar:3030';

export type World = {
  readonly clock: ManualClock;
  readonly bar: FakeAppliance;
  readonly kitchen: FakeAppliance;
  readonly cellar: FakeAppliance;
  readonly environment: Environment;
  open(options?: ConnectionOptions): Till;
  readonly reports: unknown[];
};

export type Till = {
  readonly manager: ConnectionManager;
  readonly heard: (LiveMessage | Resync)[];
  /** Ids of messages, "resync" for a resync. */
  readonly told: () => string[];
  readonly states: ConnectionState[];
  readonly events: OutboxEvent[];
};

export function createWorld(replaced: Partial<Environment> = {}): World {
  const clock = createClock();
  const appliances = [
    createFakeAppliance(clock, bar),
    createFakeAppliance(clock, kitchen),
    createFakeAppliance(clock, cellar),
  ] as const;
  const reports: unknown[] = [];
  const at = (url: string): FakeAppliance | undefined =>
    appliances.find(({ address }) => new URL(address).host === new URL(url).host);
  let bytes = 0;
  const environment: Environment = {
    now: () => Date.UTC(2026, 10, 20) + clock.ms(),
    monotonic: clock.ms,
    after: clock.after,
    fraction: () => 0.5,
    randomBytes(count) {
      bytes += 1;
      return Uint8Array.from({ length: count }, (_, index) => (index < 8 ? 0 : (bytes >> (8 * (15 - index))) & 255));
    },
    fetch: async (url, init) => {
      const appliance = at(url);
      if (!appliance) throw new TypeError('fetch failed');
      return appliance.fetch(new URL(url), init);
    },
    openSocket(url, protocols) {
      const appliance = at(url);
      if (!appliance) throw new Error('nobody there');
      return appliance.openSocket(new URL(url), protocols);
    },
    servedFrom: [],
    isPage: false,
    isSecurePage: false,
    createMedium: durableMemory(createMemoryMedium()),
    createSpareMedium: () => null,
    openChannel: () => null,
    onNetwork: () => () => undefined,
    report: (error) => void reports.push(error),
    ...replaced,
  };

  function open(options: ConnectionOptions = {}): Till {
    const settings = readOptions({ token: 'till', appliances: [bar, kitchen], ...options }, []);
    const manager = createConnectionManager(settings, environment);
    const till: Till = {
      manager,
      heard: [],
      told: () => till.heard.map((message) => ('id' in message ? message.id : message.type)),
      states: [],
      events: [],
    };
    manager.onMessage((message) => till.heard.push(message));
    manager.onState((state) => till.states.push(state));
    manager.onOutbox((event) => till.events.push(event));
    return till;
  }

  return { clock, bar: appliances[0], kitchen: appliances[1], cellar: appliances[2], environment, open, reports };
}

/** The same medium for every till: what a page finds when it is loaded again. */
export const durableMemory = (medium: OutboxMedium) => (): OutboxMedium => ({ ...medium, isDurable: true });

/** A till that is connected. */
export async function connected(world: World, options?: ConnectionOptions): Promise<Till> {
  const till = world.open(options);
  void till.manager.connect();
  await world.clock.pass(100);
  await settle();
  return till;
}

/** Of a ticket, for good. */
export const refusal = {
  status: 422,
  body: { code: 'malformed', detail: 'A line is odd.', errors: [{ detail: 'no name' }] },
};
/** In the order in which they were confirmed. */
export const storedIds = ({ events }: Till) =>
  events.flatMap((event: OutboxEvent) => (event.kind === 'stored' ? [event.id] : []));
