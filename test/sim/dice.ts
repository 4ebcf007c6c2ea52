// Chance from a seed. Each part of the simulation throws dice of its own, so that a change in one part does not move
// what happens in another. Generator: sfc32 (Chris Doty-Humphrey, PractRand).

import { createHash } from 'node:crypto';

export type Dice = {
  /** Uniform in [0, 1). */
  fraction(): number;
  chance(probability: number): boolean;
  /** Integer from `low` to `high`, both included. */
  between(low: number, high: number): number;
  pick<Item>(items: readonly Item[]): Item;
  /** Exponential with this mean: the time to the next of independent events. */
  waitMs(meanMs: number): number;
  bytes(count: number): Uint8Array;
  fork(label: string): Dice;
};

export function createDice(seed: string): Dice {
  const next = sfc32(createHash('sha256').update(seed).digest());
  const fraction = (): number => next() / 2 ** 32;
  const between = (low: number, high: number): number => low + Math.floor(fraction() * (high - low + 1));
  return {
    fraction,
    between,
    chance: (probability) => fraction() < probability,
    pick: (items) => {
      const item = items[between(0, items.length - 1)];
      if (item === undefined) throw new Error('nothing to pick from');
      return item;
    },
    waitMs: (meanMs) => -Math.log(1 - fraction()) * meanMs,
    bytes: (count) => Uint8Array.from({ length: count }, () => next() >>> 24),
    fork: (label) => createDice(`${seed}/${label}`),
  };
}

function sfc32(state: Uint8Array): () => number {
  const view = new DataView(state.buffer, state.byteOffset);
  let [a, b, c, counter] = [view.getInt32(0), view.getInt32(4), view.getInt32(8), 1];
  return () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
}
