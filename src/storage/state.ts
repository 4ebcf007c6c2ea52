// What storage keeps in memory beside the database: heads, clock, sums. It is read at open, copied for each commit and
// replaced only after the commit is on disk, so that a failed commit leaves no trace here.

import { clockZero, type HybridClock, observe, type Stamp } from '../core/clock.ts';
import { type DigestSum, digestZero, sumFromHex, sumToHex } from '../core/digest.ts';
import { epochOf, type Heads, type Origin, replicaOf } from '../core/heads.ts';
import type { TrustStatement } from '../core/membership.ts';
import type { Statements } from './statements.ts';
import { type ForkStatement, type Voids, voidsOf } from './voids.ts';

export type OriginState = {
  /** Small integer that stands for the origin in keys. */
  readonly index: number;
  readonly origin: Origin;
  readonly publicKey: Uint8Array;
  readonly head: number;
  /** Chain head after op `head`. */
  readonly hash: Uint8Array;
  readonly facts: number;
  readonly stamp: Stamp;
};

/** Parts of the books whose digest is carried on with each commit; that of the stock is in stock-digest.ts. */
export const summedParts = ['products', 'customers', 'tickets', 'movements'] as const;
export type SummedPart = (typeof summedParts)[number];
export type Part = SummedPart | 'stock';

export type StorageState = Voids & {
  readonly origins: Map<Origin, OriginState>;
  readonly originsByIndex: Map<number, OriginState>;
  readonly sums: Record<SummedPart, DigestSum>;
  /** Rows in each part; deleted records do not count. */
  readonly counts: Record<SummedPart, number>;
  clock: HybridClock;
  /** Last row of the order of arrival, and its time. */
  seq: number;
  changeAt: number;
  /** Ops that wait for what their author had seen. */
  deferred: number;
  /** Last row of the order of arrival whose movements the index of products holds. */
  movementsIndexed: number;
  /** Last row of the order of arrival whose movements the rows of the stock hold. */
  stockWritten: number;
  /** Last row of the order of arrival whose ticket the index of numbers holds. */
  numbersIndexed: number;
  epoch: number;
  /** All that was said on who is of the shop. Nothing of it is ever let go of. */
  trust: readonly TrustStatement[];
};

export function loadState(statements: Statements, replicaId: string): StorageState {
  const origins = new Map<Origin, OriginState>();
  const originsByIndex = new Map<number, OriginState>();
  let clock = clockZero;
  let epoch = readMeta(statements, 'epoch', 1);
  for (const row of statements.origins.all()) {
    const state: OriginState = {
      index: row.number,
      origin: row.origin,
      publicKey: new Uint8Array(row.public_key),
      head: row.head,
      hash: new Uint8Array(row.head_hash),
      facts: row.facts,
      stamp: row.stamp,
    };
    origins.set(state.origin, state);
    originsByIndex.set(state.index, state);
    clock = observe(clock, state.stamp);
    if (replicaOf(state.origin) === replicaId) epoch = Math.max(epoch, epochOf(state.origin));
  }
  const stored = readMeta<Partial<StoredSums>>(statements, 'sums', {});
  const last = statements.lastChange.get();
  return {
    origins,
    originsByIndex,
    sums: byPart((part) => (stored[part] ? sumFromHex(stored[part].sum) : digestZero())),
    counts: byPart((part) => stored[part]?.count ?? 0),
    clock,
    // Rows at the end may have been pruned: their numbers are used once all the same, for cursors stand there.
    seq: Math.max(last?.seq ?? 0, readMeta(statements, 'seq', 0)),
    changeAt: last?.at ?? 0,
    deferred: statements.deferredCount.get()?.count ?? 0,
    movementsIndexed: readMeta(statements, 'movements_indexed', 0),
    stockWritten: readMeta(statements, 'stock_written', 0),
    numbersIndexed: readMeta(statements, 'numbers_indexed', 0),
    epoch,
    trust: readMeta<TrustStatement[]>(statements, 'trust', []),
    ...voidsOf(readMeta<Heads>(statements, 'voids', {}), readMeta<ForkStatement[]>(statements, 'forks', [])),
  };
}

export const copyState = (state: StorageState): StorageState => ({
  ...state,
  origins: new Map(state.origins),
  originsByIndex: new Map(state.originsByIndex),
  sums: byPart((part) => state.sums[part].slice()),
  counts: { ...state.counts },
});

type StoredSums = Record<SummedPart, { sum: string; count: number }>;

export const storedSums = (state: StorageState): StoredSums =>
  byPart((part) => ({ sum: sumToHex(state.sums[part]), count: state.counts[part] }));

export function headsOf(state: StorageState): Heads {
  const heads: Record<Origin, number> = {};
  for (const origin of state.origins.values()) if (origin.head > 0) heads[origin.origin] = origin.head;
  return heads;
}

export function readMeta<Value>(statements: Statements, key: string, otherwise: Value): Value {
  const row = statements.meta.get(key);
  return row ? (JSON.parse(row.value) as Value) : otherwise;
}

export const writeMeta = (statements: Statements, key: string, value: unknown): void => {
  statements.setMeta.run(key, JSON.stringify(value));
};

function byPart<Value>(valueFor: (part: SummedPart) => Value): Record<SummedPart, Value> {
  return Object.fromEntries(summedParts.map((part) => [part, valueFor(part)])) as Record<SummedPart, Value>;
}
