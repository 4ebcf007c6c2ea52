// Conflicts on record: for each losing op one row, with both sides, until an edit that has seen both settles it. The
// rows follow from the merge; deleting them changes no books.

import { canonicalJson, type JsonObject } from '../core/json.ts';
import type { MergedRecord, RecordOp } from '../core/merge.ts';
import { type Dot, hex, writtenAtMs } from '../core/op.ts';
import type { Unit } from './unit.ts';

export type Side = Dot & { readonly stamp: string; readonly at?: number | undefined; readonly values: JsonObject };

type ConflictId = { id: string };

/** Brings the open rows of a record in line with its merge. `by` is the op that may have settled some. */
export function followConflicts(
  unit: Unit,
  entity: string,
  recordId: string,
  merged: MergedRecord,
  by: JsonObject,
): void {
  const wanted = new Map<string, { fields: string[]; winner: RecordOp; winnerValues: JsonObject; loser: RecordOp }>();
  for (const { field, winner, losers } of merged.conflicts) {
    for (const loser of losers) {
      const id = conflictId(unit, entity, recordId, loser);
      const known = wanted.get(id) ?? { fields: [], winner, winnerValues: {}, loser };
      known.fields.push(field);
      known.winnerValues[field] = winner.set[field] ?? null;
      wanted.set(id, known);
    }
  }
  const open = openConflicts(unit, entity, recordId, 'field');
  for (const [id, conflict] of wanted) {
    const loserValues = Object.fromEntries(conflict.fields.map((field) => [field, conflict.loser.set[field] ?? null]));
    putConflict(unit, id, entity, recordId, 'field', conflict.fields, {
      winner: { ...conflict.winner, values: conflict.winnerValues },
      loser: { ...conflict.loser, values: loserValues },
    });
    if (!open.includes(id)) unit.conflictCount += 1;
  }
  for (const id of open) if (!wanted.has(id)) resolveConflict(unit, id, by);
}

/** Two different facts under one id. */
export function recordRival(unit: Unit, entity: string, recordId: string, winner: Side, loser: Side): void {
  const id = conflictId(unit, entity, recordId, loser);
  if (!openConflicts(unit, entity, recordId, 'rival').includes(id)) unit.conflictCount += 1;
  putConflict(unit, id, entity, recordId, 'rival', [], { winner, loser });
}

/** After the standing fact was replaced: rows whose loser says what now stands are no rivals. Tells whether any is. */
export function settleRivals(unit: Unit, entity: string, recordId: string, winner: Side): boolean {
  unit.statements.setRivalWinner.run(sideText(winner), entity, recordId);
  let hasRivals = false;
  for (const row of unit.statements.conflictsOfRecord.all(entity, recordId)) {
    if (row.kind !== 'rival') continue;
    const loser = JSON.parse(row.loser) as Side;
    if (canonicalJson(winner.values) === canonicalJson(loser.values)) unit.statements.deleteConflict.run(row.id);
    else hasRivals = true;
  }
  return hasRivals;
}

const conflictId = (unit: Unit, entity: string, recordId: string, loser: Dot): string =>
  hex(unit.crypto.sha256(`${entity}\n${recordId}\n${loser.origin}#${loser.number}`)).slice(0, 32);

const openConflicts = (unit: Unit, entity: string, recordId: string, kind: string): string[] =>
  unit.statements.conflictsOfRecord
    .all(entity, recordId)
    .filter((row) => row.kind === kind && row.resolved_at === null)
    .map((row: ConflictId) => row.id);

function putConflict(
  unit: Unit,
  id: string,
  entity: string,
  recordId: string,
  kind: 'field' | 'rival',
  fields: string[],
  sides: { winner: Side; loser: Side },
): void {
  const strategy = kind === 'field' ? 'latest_edit' : 'earliest_fact';
  unit.statements.putConflict.run(
    id,
    entity,
    recordId,
    kind,
    JSON.stringify(fields),
    sideText(sides.winner),
    sideText(sides.loser),
    strategy,
    unit.clockMs,
  );
}

function resolveConflict(unit: Unit, id: string, payload: JsonObject): void {
  const resolves = payload.resolves as { notes?: unknown } | undefined;
  const notes = typeof resolves?.notes === 'string' ? resolves.notes : null;
  const by = typeof payload.by === 'string' ? payload.by : 'system';
  unit.statements.resolveConflict.run(unit.clockMs, by, notes, id);
}

const sideText = (side: Side): string =>
  JSON.stringify({
    origin: side.origin,
    number: side.number,
    stamp: side.stamp,
    at: writtenAtMs(side),
    values: side.values,
  });
