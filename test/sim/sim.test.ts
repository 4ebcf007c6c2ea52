// The simulation, short: some seeds through all faults, each fault seen to bite, one seed replayed. Long runs: run.ts.

import { describe, expect, test } from 'vitest';
import { pinnedSeeds } from './pinned.ts';
import { simulate } from './simulation.ts';

const seeds = Array.from({ length: 16 }, (_, index) => `ci ${index + 1}`);
const faultySeconds = 45;

/** Everything that must have happened at least once, where it bites. */
const kinds = [
  'frame: loss',
  'frame: duplicate',
  'frame: reorder',
  'frame: garble',
  'path blocked',
  'path slow',
  'connection: broken',
  'connection: forgotten',
  'half-open connection',
  'process: stopped',
  'process: kill',
  'process: power',
  'process: stop',
  'disk: slow',
  'disk: SQLITE_FULL',
  'disk: SQLITE_IOERR_FSYNC',
  'disk: crash before commit',
  'disk: crash after commit',
  'disk: commit fails',
  'disk: commit fails, yet is there',
  'disk: old one put back',
  'disk: copy runs',
  'clock: step ahead',
  'clock: step back',
  'clock: drift',
];

describe('the rules hold through faults, and all are equal at the end', () => {
  const happened = new Set<string>();

  for (const seed of seeds) {
    test(`B1 B2 B3 B4 B5 B6 B7 B8 B9 seed ${seed}`, { timeout: 60_000 }, () => {
      const { broken, counts } = simulate({ seed, faultySeconds });
      for (const kind of counts.keys()) happened.add(kind);
      expect(broken).toBeNull();
    });
  }

  test('each kind of fault really happened', () => {
    expect(kinds.filter((kind) => !happened.has(kind))).toEqual([]);
  });

  for (const { seed, found } of pinnedSeeds) {
    test(`B1 B2 B3 B4 B5 B6 B7 B8 B9 pinned seed ${seed}: ${found}`, { timeout: 60_000 }, () => {
      expect(simulate({ seed }).broken).toBeNull();
    });
  }
});

describe('replay', () => {
  test('one seed gives one run, event for event', { timeout: 60_000 }, () => {
    const [first, second] = [simulate({ seed: 'replay', faultySeconds }), simulate({ seed: 'replay', faultySeconds })];
    expect(second.hash).toBe(first.hash);
    expect(second.events).toBe(first.events);
    expect(simulate({ seed: 'replayed', faultySeconds }).hash).not.toBe(first.hash);
  });

  test('so does one with real signatures, whose bytes differ each time', { timeout: 60_000 }, () => {
    const options = { seed: 'signed', faultySeconds: 20, signatures: 'real' } as const;
    expect(simulate(options).hash).toBe(simulate(options).hash);
  });
});
