// How ops get into a unit: our own as drafts, sealed with their neighbours; and `finish`, which settles what is cheaper
// once than often: seals, stock levels, pruning, heads.

import { type Stamp, tick } from '../core/clock.ts';
import { type Heads, type Origin, originOf } from '../core/heads.ts';
import { clockSuspectMs, commitBytesMax, commitOpsMax } from '../core/limits.ts';
import { type Draft, hashesOf, nextHead, type OpHeader, type Seal, sealMessage } from '../core/op.ts';
import { encodeCommit } from '../protocol/commit-codec.ts';
import { foldOp, foldStored } from './fold.ts';
import { indexMovements } from './movements.ts';
import { pruneOps } from './prune.ts';
import { type OriginState, storedSums, writeMeta } from './state.ts';
import { writeStock } from './stock.ts';
import { indexNumbers } from './ticket-numbers.ts';
import { addChange, branchAt, keyOf, knownUpTo, originState, setOrigin, type Unit } from './unit.ts';

/** Writes one op of our own. It is sealed with its neighbours, at the latest by `finish`. */
export function appendLocal(unit: Unit, draft: Draft): void {
  const local = unit.local ?? openLocal(unit);
  const ticked = draft.written ?? tickUnit(unit);
  const header: OpHeader = {
    stamp: ticked.stamp,
    entity: draft.entity,
    id: draft.id,
    ...(draft.seen && { seen: draft.seen, ...branchesSeen(unit, draft.seen) }),
    ...(ticked.at !== undefined && { at: ticked.at }),
  };
  const op = { kind: 'whole', header: JSON.stringify(header), payload: JSON.stringify(draft.payload) } as const;
  const hashes = hashesOf(unit.crypto.sha256, op);
  local.head = nextHead(unit.crypto.sha256, local.head, hashes);
  local.ops.push(op);
  local.bytes += op.header.length + op.payload.length;
  local.facts += draft.seen ? 0 : 1;
  if (ticked.stamp > local.stamp) local.stamp = ticked.stamp;
  const number = local.origin.head + local.ops.length;
  const arrival = addChange(unit, keyOf(local.origin.index, number));
  unit.statements.addOp.run(keyOf(local.origin.index, number), arrival, op.header, op.payload);
  foldOp(
    unit,
    { key: keyOf(local.origin.index, number), origin: local.origin.origin, number, arrival },
    header,
    draft.payload,
    hashes.payloadHash,
  );
  if (local.ops.length >= commitOpsMax || local.bytes >= commitBytesMax) sealLocal(unit);
}

function branchesSeen(unit: Unit, seen: Heads): { branches?: string[] } {
  const branches = Object.entries(seen).map(([origin, number]) => branchAt(unit, origin, number));
  return branches.some((branch) => branch !== '') ? { branches } : {};
}

function tickUnit(unit: Unit): { stamp: Stamp; at: number | undefined } {
  const { clock, stamp, driftMs } = tick(unit.state.clock, unit.meshMs);
  unit.state.clock = clock;
  return { stamp, at: driftMs > clockSuspectMs ? Math.trunc(unit.meshMs) : undefined };
}

/** What is written from here on is of a new origin: a run of ops that knows nothing of those before. */
export function beginEpoch(unit: Unit): void {
  sealLocal(unit);
  unit.state.epoch += 1;
  writeMeta(unit.statements, 'epoch', unit.state.epoch);
}

/** Must be the last thing done to a unit before COMMIT. */
export function finish(unit: Unit): void {
  sealLocal(unit);
  foldDeferred(unit);
  writeStock(unit);
  indexMovements(unit);
  indexNumbers(unit);
  pruneOps(unit);
  for (const origin of unit.touchedOrigins) {
    const state = unit.state.origins.get(origin);
    if (state) unit.statements.advanceOrigin.run(state.head, state.hash, state.facts, state.stamp, state.index);
  }
  // A branch that is let go of brings no op, and changes the books all the same.
  if (unit.opCount === 0 && !unit.mustWriteStock) return;
  writeMeta(unit.statements, 'sums', storedSums(unit.state));
  if (unit.lastChangeDeleted === unit.state.seq) writeMeta(unit.statements, 'seq', unit.state.seq);
}

/** Merges ops that waited for what this unit brought. Readers are told of them as they come. */
function foldDeferred(unit: Unit): void {
  if (unit.state.deferred === 0) return;
  // What waits for numbers of a branch that is now void waits for less: it is placed anew, once.
  for (const { payload } of unit.forkStatements)
    for (let before = Number.POSITIVE_INFINITY; unit.state.deferred < before; ) {
      before = unit.state.deferred;
      for (const row of waiting(unit, String(payload.origin), Number.MAX_SAFE_INTEGER)) foldWaiting(unit, row.op);
    }
  for (const origin of unit.touchedOrigins) {
    const number = knownUpTo(unit, origin);
    for (let rows = waiting(unit, origin, number); rows.length > 0; rows = waiting(unit, origin, number))
      for (const row of rows) foldWaiting(unit, row.op);
  }
}

const waiting = (unit: Unit, origin: Origin, number: number) => unit.statements.deferredUpTo.all(origin, number);

function foldWaiting(unit: Unit, key: number): void {
  unit.statements.undefer.run(key);
  unit.state.deferred -= 1;
  const row = unit.statements.op.get(key);
  if (!row) return;
  unit.statements.deleteChange.run(row.arrival);
  unit.lastChangeDeleted = Math.max(unit.lastChangeDeleted, row.arrival);
  const arrival = addChange(unit, row.key);
  unit.statements.setArrival.run(arrival, row.key);
  foldStored(unit, row, arrival);
}

function openLocal(unit: Unit): NonNullable<Unit['local']> {
  const origin = originState(unit, originOf(unit.replicaId, unit.state.epoch), unit.signer.publicKey);
  unit.local = { origin, ops: [], bytes: 0, head: origin.hash, facts: origin.facts, stamp: origin.stamp };
  return unit.local;
}

function sealLocal(unit: Unit): void {
  const local = unit.local;
  if (!local || local.ops.length === 0) return;
  const first = local.origin.head + 1;
  const last = local.origin.head + local.ops.length;
  const unsigned = {
    origin: local.origin.origin,
    first,
    last,
    facts: local.facts,
    before: local.origin.hash,
    after: local.head,
  };
  const seal: Seal = { ...unsigned, signature: unit.signer.sign(sealMessage(unit.shop, unsigned)) };
  addSeal(unit, local.origin, seal, local.ops.length, local.stamp);
  const bytes = encodeCommit({ from: first, seal, ops: local.ops });
  unit.encoded.push({ origin: seal.origin, publicKey: local.origin.publicKey, first, last, bytes });
  unit.local = null;
}

/** Stores a seal and moves the origin's head to its end. The seal before, if nothing of it is left, has done its duty. */
export function addSeal(unit: Unit, origin: OriginState, seal: Seal, live: number, stamp: Stamp): void {
  const previous = origin.head > 0 ? unit.statements.commitAt.get(keyOf(origin.index, origin.head)) : undefined;
  if (previous?.live === 0) unit.statements.deleteCommit.run(previous.key);
  const key = keyOf(origin.index, seal.last);
  unit.held[origin.origin] = seal.last;
  unit.statements.addCommit.run(key, seal.first, seal.facts, seal.before, seal.after, seal.signature, live);
  setOrigin(unit, {
    ...origin,
    head: seal.last,
    hash: seal.after,
    facts: seal.facts,
    stamp: stamp > origin.stamp ? stamp : origin.stamp,
  });
}
