// The end of deleted records: their rows and ops go when nobody can need them any more. What is kept is one vector, so
// that a record made anew under the same id counts as an edit that has seen the deletion.

import { type Heads, joinHeads } from '../core/heads.ts';
import { tombstoneKeepMs } from '../core/limits.ts';
import { writtenAtMs } from '../core/op.ts';
import { liveOps } from './fold-records.ts';
import { readMeta, writeMeta } from './state.ts';
import type { RecordTableRow } from './statements.ts';
import type { Storage } from './storage.ts';
import { keyOf, type Unit } from './unit.ts';

/** Looked at in one transaction. */
const rowsMax = 200;

/** `isHeldByAll`: whether every trusted peer is known to hold this much. */
export function purgeTombstones(storage: Storage, isHeldByAll: (wanted: Heads) => boolean): void {
  const rows = storage.handle().statements.deletedRecords.all(0, rowsMax);
  if (rows.length === 0) return;
  storage.write((unit) => {
    for (const row of rows) purgeRow(unit, row, isHeldByAll);
  });
}

function purgeRow(unit: Unit, row: RecordTableRow, isHeldByAll: (wanted: Heads) => boolean): void {
  const ops = liveOps(unit.statements, unit.state, row);
  let dots: Heads = {};
  for (const op of ops) dots = joinHeads(dots, { [op.origin]: op.number });
  const isOld = ops.every((op) => writtenAtMs(op) < unit.meshMs - tombstoneKeepMs);
  if (!isOld || !isHeldByAll(dots)) return;
  let floor = readMeta(unit.statements, 'feed_floor', 0);
  for (const op of ops) {
    const key = keyOf(unit.state.origins.get(op.origin)?.index ?? 0, op.number);
    floor = Math.max(floor, unit.statements.op.get(key)?.arrival ?? 0);
    unit.superseded.add(key);
  }
  unit.statements.deleteBarcodes.run(row.row);
  unit.statements.deleteRecord.run(row.row);
  unit.state.purgeFloor = joinHeads(unit.state.purgeFloor, dots);
  writeMeta(unit.statements, 'purge_floor', unit.state.purgeFloor);
  writeMeta(unit.statements, 'feed_floor', floor);
}
