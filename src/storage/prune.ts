// Pruning: the bodies of superseded record ops go, their hashes stay while the commit around them has anything left, and
// then the commit goes too. So the journal grows with the shop's data, not with the history of its edits. What is left
// still verifies: the next seal of the origin vouches for the chain up to it.

import { hashesOf } from '../core/op.ts';
import { indexOfKey, keyOf, lastKeyOf, numberOfKey, type Unit } from './unit.ts';

/** Prunes what the unit has collected. Must come after the unit's ops are sealed. */
export function pruneOps(unit: Unit): void {
  for (const key of unit.superseded) pruneOp(unit, key);
  unit.superseded.clear();
}

function pruneOp(unit: Unit, key: number): void {
  const { statements } = unit;
  const row = statements.op.get(key);
  if (!row || row.header === null || typeof row.payload !== 'string') return;
  const hashes = hashesOf(unit.crypto.sha256, { kind: 'whole', header: row.header, payload: row.payload });
  const both = new Uint8Array(64);
  both.set(hashes.headerHash, 0);
  both.set(hashes.payloadHash, 32);
  statements.pruneOp.run(both, key);
  statements.deleteChange.run(row.arrival);
  unit.lastChangeDeleted = Math.max(unit.lastChangeDeleted, row.arrival);
  const commit = statements.commitFrom.get(key, lastKeyOf(indexOfKey(key)));
  if (!commit) throw new Error('an op without a seal cannot be pruned');
  statements.setCommitLive.run(commit.live - 1, commit.key);
  if (commit.live > 1) return;
  const index = indexOfKey(commit.key);
  statements.deleteOps.run(keyOf(index, commit.first), commit.key);
  const isHead = unit.state.originsByIndex.get(index)?.head === numberOfKey(commit.key);
  if (!isHead) statements.deleteCommit.run(commit.key);
}
