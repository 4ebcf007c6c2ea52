// Truthful histories of one record: replicas that edit it, exchange what they know, and so have seen what their vectors
// say. Beside each op stands the plain set of ops its author knew (`knows`): the laws are checked against these sets,
// which owe nothing to vectors, to pruning or to stamps.

import fc from 'fast-check';
import { clockZero, type HybridClock, observe, type Stamp, stampOf, tick } from '../../src/core/clock.ts';
import { type Heads, originOf } from '../../src/core/heads.ts';
import { canonicalJson, type Json, type JsonObject } from '../../src/core/json.ts';
import { type MergedRecord, mergeRecord, type RecordOp, recordText } from '../../src/core/merge.ts';
import { compareOps } from '../../src/core/op.ts';

export type KnownOp = { readonly op: RecordOp; readonly knows: ReadonlySet<RecordOp> };
export type History = readonly KnownOp[];

const replicaCount = 4;
export const fieldNames = ['/name', '/price', '/attributes/a~1b', 'deleted'] as const;

export type Step =
  | { kind: 'edit'; at: number; set: JsonObject; wallMs: number; liedStamp: Stamp | null }
  | { kind: 'exchange'; from: number; to: number; share: number };

const replica = fc.nat({ max: replicaCount - 1 });
const value = fc.constantFrom<Json>(null, 1, 2, 'x', { b: 1, a: [1] }, { a: [1], b: 1 }, true, false);
const set = fc
  .dictionary(fc.constantFrom<string>(...fieldNames), value, { minKeys: 1, maxKeys: 3 })
  .map((given): JsonObject => ({ ...given }));
const wallMs = fc.oneof(fc.nat({ max: 4 }), fc.constantFrom(-5, 0, 2 ** 41, 2 ** 48, Number.NaN));
const editStep = (stamps: 'clock' | 'any'): fc.Arbitrary<Step> =>
  fc.record({
    kind: fc.constant('edit' as const),
    at: replica,
    set,
    wallMs,
    liedStamp: stamps === 'any' ? fc.nat({ max: 3 }).map((ms) => stampOf({ ms, counter: 0 })) : fc.constant(null),
  });
const exchangeStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('exchange' as const),
  from: replica,
  to: replica,
  share: fc.double({ min: 0, max: 1, noNaN: true }),
});

/** `stamps`: 'clock' as appliances make them; 'any' when nothing may be taken from a stamp but a tie-break. */
export const histories = (stamps: 'clock' | 'any'): fc.Arbitrary<History> =>
  fc
    .array(fc.oneof({ weight: 3, arbitrary: editStep(stamps) }, { weight: 2, arbitrary: exchangeStep }), {
      minLength: 1,
      maxLength: 24,
    })
    .map(play)
    .filter((history) => history.length > 0);

type Replica = { clock: HybridClock; ops: RecordOp[]; number: number; merged: MergedRecord | undefined };

/** Runs the steps. Each replica keeps only its merged record (pruned) and what it needs to pass on. */
export function play(steps: readonly Step[]): History {
  const replicas: Replica[] = Array.from({ length: replicaCount }, () => ({
    clock: clockZero,
    ops: [],
    number: 0,
    merged: undefined,
  }));
  const history: KnownOp[] = [];
  for (const step of steps) {
    if (step.kind === 'edit') history.push(edit(replicas, step));
    else exchange(replicas, step);
  }
  return history;
}

function edit(replicas: Replica[], step: Extract<Step, { kind: 'edit' }>): KnownOp {
  const author = replicas[step.at] as Replica;
  const ticked = tick(author.clock, step.wallMs);
  author.clock = ticked.clock;
  // Numbers are not dense on one record: the origin writes other records and facts in between.
  author.number += 1 + (step.wallMs > 1 ? 1 : 0);
  const op: RecordOp = {
    origin: originOfReplica(step.at),
    number: author.number,
    stamp: step.liedStamp ?? ticked.stamp,
    seen: author.merged?.seen ?? {},
    set: step.set,
  };
  const knows = new Set(author.ops);
  receive(author, op);
  return { op, knows };
}

/** Sends the first `share` of what the receiver lacks, in the sender's own order, as links do. */
function exchange(replicas: Replica[], step: Extract<Step, { kind: 'exchange' }>): void {
  const [from, to] = [replicas[step.from] as Replica, replicas[step.to] as Replica];
  const missing = from.ops.filter((op) => !to.ops.includes(op));
  for (const op of missing.slice(0, Math.ceil(missing.length * step.share))) receive(to, op);
}

function receive(replica: Replica, op: RecordOp): void {
  replica.clock = observe(replica.clock, op.stamp);
  replica.ops.push(op);
  replica.merged = mergeRecord([...(replica.merged?.live ?? []), op], replica.merged?.seen);
}

export const originOfReplica = (index: number): string => originOf('abcd'[index]?.repeat(26) ?? '', 1);

/** Everything a merge says, as one text. */
export const mergedText = (merged: MergedRecord): string =>
  canonicalJson({
    text: recordText('product', 'p1', merged),
    seen: merged.seen as Heads as JsonObject,
    updatedAt: merged.updatedAt,
    latest: dotText(merged.latest),
    conflicts: merged.conflicts.map(({ field, winner, losers }) => [field, dotText(winner), ...losers.map(dotText)]),
  });

export const dotText = (op: RecordOp): string => `${op.origin}#${op.number}`;

/** The law itself, from knowledge sets: per field, the writers that no other writer knew, the latest of them last. */
export function frontierByKnowledge(history: History, field: string): RecordOp[] {
  const writers = history.filter(({ op }) => Object.hasOwn(op.set, field));
  return writers
    .filter(({ op }) => !writers.some((other) => other.knows.has(op)))
    .map(({ op }) => op)
    .sort(compareOps);
}
