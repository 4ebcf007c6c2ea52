// Bugs that somebody could write, each put in place of one function of the product. The simulation must catch every one
// of them, or it watches nothing. `module` is the path from src/; `plant` gets what it exports and returns what changes.

import { createForger } from './forger.ts';

export type PlantedBug = {
  name: string;
  /** How the sentence begins that the simulation must say. */
  caughtBy: RegExp;
  module: string;
  plant(original: Exports): Exports;
  /** A second function, where one is not enough. */
  also?: { module: string; plant(original: Exports): Exports };
  /** Faults without which the bug does not show; all of them where none are named. */
  faults?: readonly string[];
};

// biome-ignore lint/suspicious/noExplicitAny: modules of any shape are taken apart here
type Exports = Record<string, any>;

const every = (count: number): (() => boolean) => {
  let calls = 0;
  return () => ++calls % count === 0;
};
const restless = ['partition', 'stopped process', 'connections break'];

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'a tie is broken by the order of arrival',
    caughtBy: /^B[235]/,
    module: 'core/op.ts',
    plant: () => ({ compareOps: () => 0 }),
    faults: restless,
  },
  {
    name: 'who had seen whom is taken the wrong way round',
    caughtBy: /^B5/,
    module: 'core/op.ts',
    plant: ({ hasSeenOp }) => ({ hasSeenOp: (a: unknown, b: unknown) => hasSeenOp({ seen: {}, ...(b as object) }, a) }),
    faults: restless,
  },
  {
    name: 'a gap is skipped over',
    caughtBy: /^B[1235]/,
    module: 'storage/receive.ts',
    plant: ({ appendRemote }) => ({
      appendRemote: (unit: unknown, commit: object, key: unknown) => appendRemote(unit, { ...commit, from: 1 }, key),
    }),
    faults: ['frames are lost', 'frames overtake'],
  },
  {
    name: 'heads go ahead of what was applied',
    caughtBy: /^B[1235]/,
    module: 'storage/fold.ts',
    plant: ({ foldOp }) => {
      const isUnlucky = every(40);
      return { foldOp: (...given: unknown[]) => (isUnlucky() ? undefined : foldOp(...given)) };
    },
    faults: [],
  },
  {
    name: 'a write is answered although its commit failed',
    caughtBy: /^B1/,
    module: 'storage/storage.ts',
    plant: ({ createStorage }) => ({
      createStorage: (...given: unknown[]) => {
        const storage = createStorage(...given);
        if (!storage.write) return storage;
        const write = (work: (unit: unknown) => void) => {
          let unit: unknown;
          const written = storage.write((current: unknown) => {
            unit = current;
            work(current);
          });
          return written.code === 'outcome_unknown' ? { ok: true, unit } : written;
        };
        return { ...storage, write };
      },
    }),
    faults: ['failed commit'],
  },
  {
    name: 'an fsync is dropped',
    caughtBy: /^B1/,
    module: '../test/sim/disk.ts',
    plant: ({ createDisk }) => ({ createDisk: (path: string) => withoutSync(createDisk(path)) }),
    faults: ['power cut'],
  },
  {
    name: 'the database is not read back after a failed commit',
    caughtBy: /^B\d/,
    module: 'storage/open.ts',
    plant: ({ openStorage }) => {
      const states = new Map<string, object>();
      return {
        openStorage: (open: unknown, config: { path: string }) => {
          const opened = openStorage(open, config);
          if (opened.state) Object.assign(opened, { state: states.get(config.path) ?? opened.state });
          if (opened.state) states.set(config.path, opened.state);
          return opened;
        },
      };
    },
    faults: ['failed commit that is there'],
  },
  {
    name: 'the loser of a conflict is not kept',
    caughtBy: /^B6/,
    module: 'storage/conflicts.ts',
    plant: () => ({ followConflicts: () => {} }),
    faults: restless,
  },
  {
    name: 'a ticket that comes twice moves the stock twice',
    caughtBy: /^B4/,
    module: 'storage/fold-facts.ts',
    plant: ({ foldTicket }) => ({
      foldTicket: (unit: Exports, place: unknown, header: { id: string }, ...rest: unknown[]) => {
        const isKnown = unit.statements.ticketById.get(header.id) !== undefined;
        const understood = foldTicket(unit, place, header, ...rest);
        if (isKnown) for (const level of unit.stock.values()) level.onHand -= 1000;
        return understood;
      },
    }),
    faults: restless,
  },
  {
    name: 'the digest forgets the stock',
    caughtBy: /^B3/,
    module: 'storage/stock-sum.ts',
    plant: () => ({ levelChanged: () => {} }),
    faults: [],
  },
  {
    name: 'the clock is not set by what comes in',
    caughtBy: /^B5/,
    module: 'core/clock.ts',
    plant: () => ({ observe: (clock: unknown) => clock }),
    faults: ['clock steps'],
  },
  {
    name: 'what was lost is never asked for again',
    caughtBy: /^B3/,
    module: 'core/session.ts',
    plant: ({ step }) => ({
      step: (...given: unknown[]) => {
        const { session, effects } = step(...given);
        const asksAgain = (effect: Exports) => effect.message?.type === 'want' && effect.message.again;
        return { session, effects: effects.filter((effect: Exports) => !asksAgain(effect)) };
      },
    }),
    faults: ['frames are lost'],
  },
  {
    name: 'everything is wanted from everybody',
    caughtBy: /^B9/,
    module: 'core/subscription.ts',
    plant: ({ planSubscriptions }) => ({
      planSubscriptions: (...given: unknown[]) => {
        const plan: Map<string, string[]> = planSubscriptions(...given);
        const all = [...new Set([...plan.values()].flat())].sort();
        return new Map([...plan.keys()].map((peer) => [peer, all]));
      },
    }),
    faults: [],
  },
  {
    name: 'a dead link is never noticed',
    caughtBy: /^B3/,
    module: 'core/session.ts',
    plant: ({ step }) => ({
      step: (before: unknown, ...given: unknown[]) => {
        const { session, effects } = step(before, ...given);
        const isDeaf = effects.some((effect: Exports) => effect.reason === 'heartbeat_timeout');
        return isDeaf ? { session: before, effects: [] } : { session, effects };
      },
    }),
    faults: ['connections are forgotten'],
  },
  {
    name: 'a peer is given up after some attempts',
    caughtBy: /^B3/,
    module: 'core/dial.ts',
    plant: ({ redialDelayMs }) => ({
      redialDelayMs: (failures: number, fraction: number) => (failures > 2 ? 1e9 : redialDelayMs(failures, fraction)),
    }),
    faults: ['partition', 'power cut', 'one-way partition'],
  },
  {
    name: 'seals are not verified, and a relay alters what it passes on',
    caughtBy: /^B1/,
    module: '../test/sim/keys.ts',
    plant: ({ createKeyring }) => ({
      createKeyring: (kind: unknown) => {
        const keyring = createKeyring(kind);
        return { ...keyring, crypto: { ...keyring.crypto, verify: () => true } };
      },
    }),
    also: {
      module: '../test/sim/connection.ts',
      plant: ({ createEnd }) => ({
        createEnd: (setup: { own: { host: string } }) => {
          const end = createEnd(setup);
          if (setup.own.host !== 'B') return end;
          const forge = createForger();
          const send = end.connection.send;
          end.connection.send = (frame: string | Uint8Array) => send(forge(frame));
          return end;
        },
      }),
    },
    faults: [],
  },
  {
    name: 'pruning takes edits that still count',
    caughtBy: /^B[356]/,
    module: 'core/merge.ts',
    plant: ({ mergeRecord }) => ({
      mergeRecord: (...given: unknown[]) => {
        const merged = mergeRecord(...given);
        return { ...merged, live: [merged.latest] };
      },
    }),
    faults: [],
  },
];

/** A disk of which SQLite believes that it syncs. */
function withoutSync(disk: Exports): Exports {
  const openerFor = (events: unknown) => {
    const open = disk.openerFor(events);
    return (path: string, options: unknown) => {
      const handle = open(path, options);
      const pragma = handle.pragma.bind(handle);
      handle.pragma = (source: string, how: unknown) => {
        if (/^synchronous\s*=/.test(source)) return pragma('synchronous = NORMAL');
        return source === 'synchronous' ? 2 : pragma(source, how);
      };
      return handle;
    };
  };
  return { ...disk, openerFor };
}
