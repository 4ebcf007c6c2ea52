// Forks: one origin, two histories, after a disk was copied or an old copy restored. How far they agree is told from the
// seals; what follows the common past, on any branch, is taken out of the journal and kept as evidence, and is written
// again by its author under a new epoch (voids.ts).

import { digestZero } from '../core/digest.ts';
import type { Heads, Origin } from '../core/heads.ts';
import { type Draft, genesisHead, hex, type Op, type OpHeader, parseHeader, parsePayload } from '../core/op.ts';
import { encodeCommit } from '../protocol/commit-codec.ts';
import { foldStored } from './fold.ts';
import { commitOf, opOf } from './journal.ts';
import { clearMovements, indexMovements } from './movements.ts';
import type { Handle } from './open.ts';
import { type OriginState, summedParts } from './state.ts';
import type { Statements } from './statements.ts';
import { clearStock } from './stock.ts';
import { clearNumbers } from './ticket-numbers.ts';
import { keyOf, lastKeyOf, numberOfKey, setOrigin, type Unit } from './unit.ts';
import { writtenAgainBy } from './voids.ts';

const evidenceRowsMax = 500;
const evidenceBytesMax = 16 * 1024 * 1024;

/** How an origin's history elsewhere relates to ours, from one number and the first 16 hex digits of its chain head. */
export function compareBranch(
  statements: Statements,
  origin: OriginState,
  number: number,
  hash: string,
): 'same' | 'fork' | 'unknown' {
  if (number > origin.head || number < 1) return 'unknown';
  const row = statements.commitFrom.get(keyOf(origin.index, number), lastKeyOf(origin.index));
  if (!row) return 'unknown';
  // Pruned up to there: the next seal still says what the chain head was.
  if (row.first === number + 1) return hex(row.before).startsWith(hash) ? 'same' : 'fork';
  if (row.first > number) return 'unknown';
  if (numberOfKey(row.key) !== number) return 'fork';
  return hex(row.after).startsWith(hash) ? 'same' : 'fork';
}

type Reads = Pick<Handle, 'statements'>;

/** End of one of our commits at or before `number`, `back` commits earlier than the last such; 0 when there is none. */
export function boundaryBefore({ statements }: Reads, origin: OriginState, number: number, back: number): number {
  if (number < 1) return 0;
  const row = statements.commitBackFrom.get(keyOf(origin.index, 0), keyOf(origin.index, number), back);
  return row ? numberOfKey(row.key) : 0;
}

/** Chain head after an op of ours, hex, where a seal that we hold tells it: the one that ends there, or the next one. */
export function hashAt({ statements }: Reads, origin: OriginState, number: number): string | undefined {
  const last = statements.commitAt.get(keyOf(origin.index, number));
  if (last) return hex(last.after);
  const next = statements.commitFrom.get(keyOf(origin.index, number + 1), lastKeyOf(origin.index));
  return next?.first === number + 1 ? hex(next.before) : undefined;
}

/** End of the last commit before our last fact: a peer that holds our facts must show what follows it, pruned or not. */
export function boundaryBeforeLastFact({ statements }: Reads, origin: OriginState): number {
  const row = statements.commitWithFewerFacts.get(
    keyOf(origin.index, 0),
    keyOf(origin.index, origin.head),
    origin.facts,
  );
  return row ? numberOfKey(row.key) : 0;
}

/** What is known of a common past: chain head and count of facts there. */
export type CommonPast = { readonly number: number; readonly hash: Uint8Array; readonly facts: number };

/** The common past at one of our numbers, from the seals around it; undefined where none tells. */
export function commonPastAt(unit: Unit, origin: OriginState, number: number): CommonPast | undefined {
  const { statements } = unit;
  if (number === 0) return { number, hash: genesisHead(unit.crypto.sha256, unit.shop, origin.origin), facts: 0 };
  const last = statements.commitAt.get(keyOf(origin.index, number));
  if (last) return { number, hash: new Uint8Array(last.after), facts: last.facts };
  const next = statements.commitFrom.get(keyOf(origin.index, number + 1), lastKeyOf(origin.index));
  if (next?.first !== number + 1) return undefined;
  const ops = next.live === 0 ? [] : statements.opsBetween.all(keyOf(origin.index, next.first), next.key);
  const facts = ops.filter((op) => op.header !== null && (JSON.parse(op.header) as OpHeader).seen === undefined).length;
  return { number, hash: new Uint8Array(next.before), facts: next.facts - facts };
}

/**
 * The common past to which an origin's history here goes back because its author has written the rest again: the last
 * number before that whose seal is here, for without it nothing could be passed on.
 */
export function voidPart(unit: Unit, origin: OriginState): CommonPast | undefined {
  const said = writtenAgainBy(unit.state, origin.origin, origin.hash);
  if (!said || said.common >= origin.head) return undefined;
  return commonPastAt(unit, origin, boundaryBefore(unit, origin, said.common, 0));
}

/**
 * Takes everything of an origin after the common past out of the journal and the books, keeps it as evidence, and
 * returns it: as drafts and by its chain heads, but for what was written again before. Slow: the state is folded anew.
 */
export function discardBranch(
  unit: Unit,
  origin: OriginState,
  common: CommonPast,
): { drafts: Draft[]; discarded: string[] } {
  const { statements } = unit;
  const [from, to] = [keyOf(origin.index, common.number + 1), lastKeyOf(origin.index)];
  const drafts: Draft[] = [];
  const discarded: string[] = [];
  for (const row of statements.commitsBetween.all(from, to)) {
    const ops = row.live === 0 ? [] : statements.opsBetween.all(keyOf(origin.index, row.first), row.key);
    const bytes = encodeCommit(commitOf(origin, row, row.first - 1, ops));
    addEvidence(statements, unit.clockMs, origin.origin, numberOfKey(row.key), 'fork', bytes);
    if (!writtenAgainBy(unit.state, origin.origin, row.after)) {
      discarded.push(hex(row.after).slice(0, 16));
      drafts.push(...draftsOf(ops.map(opOf), origin.origin, common.number));
    }
    for (const op of ops) {
      if (op.header !== null) statements.deleteChange.run(op.arrival);
      unit.lastChangeDeleted = Math.max(unit.lastChangeDeleted, op.arrival);
    }
  }
  statements.deleteOps.run(from, to);
  statements.deleteCommitsBetween.run(from, to);
  unit.held[origin.origin] = common.number;
  setOrigin(unit, { ...origin, head: common.number, hash: common.hash, facts: common.facts });
  refold(unit);
  return { drafts, discarded };
}

/** Folds the whole journal anew, in the order of arrival. */
export function refold(unit: Unit): void {
  const { statements, state } = unit;
  for (const clear of statements.clearState) clear.run();
  // Conflicts that the fold finds again stay as they were first told; the others are none any more.
  statements.suspendConflicts.run();
  for (const part of summedParts) {
    state.sums[part] = digestZero();
    state.counts[part] = 0;
  }
  state.deferred = 0;
  unit.memory.forget();
  clearMovements(unit);
  clearNumbers(unit);
  clearStock(unit);
  for (let after = 0; ; ) {
    const rows = statements.changesAfter.all(after, 1000);
    for (const { seq, op } of rows) {
      after = seq;
      const row = statements.op.get(op);
      // A ticket that gave way has a second row of arrival: it is of the first that it is told.
      if (row?.arrival === seq) foldStored(unit, row, seq);
    }
    indexMovements(unit, after);
    if (rows.length < 1000) break;
  }
  statements.dropSuspendedConflicts.run();
  unit.forkStatements.length = 0;
}

/** The same intents, to be written again: they have seen of their old origin only what is kept. */
export const draftsOf = (ops: readonly Op[], origin: Origin, common: number): Draft[] =>
  ops.flatMap((op) => (op.kind === 'whole' ? (draftOf(op.header, op.payload, origin, common) ?? []) : []));

function draftOf(headerText: string, payloadText: string, origin: Origin, common: number): Draft | undefined {
  const header = parseHeader(headerText);
  const payload = parsePayload(payloadText);
  if (typeof header === 'string' || typeof payload === 'string') return undefined;
  const written = { stamp: header.stamp, at: header.at };
  if (!header.seen) return { entity: header.entity, id: header.id, payload, written };
  const { [origin]: own = 0, ...others } = header.seen;
  const kept = Math.min(own, common);
  const seen: Heads = kept > 0 ? { ...others, [origin]: kept } : others;
  return { entity: header.entity, id: header.id, payload, seen, written };
}

/** What was refused or set aside, bytes and all, for whoever has to find out. Bounded. */
export function addEvidence(
  statements: Statements,
  at: number,
  origin: string,
  number: number,
  reason: string,
  bytes: Uint8Array,
): void {
  const added = statements.addEvidence.run(at, origin, number, reason, bytes);
  statements.deleteOldEvidence.run(Number(added.lastInsertRowid) - evidenceRowsMax, evidenceBytesMax);
}
