// Reads of the conflicts on record.

import type { ConflictRow } from '../core/books.ts';
import { historyDaysMax } from '../core/limits.ts';
import type { ConflictTableRow } from '../storage/statements.ts';
import type { Storage } from '../storage/storage.ts';

export type ConflictFilter = {
  entity?: string | undefined;
  resolved?: boolean | undefined;
  after?: string | undefined;
  limit: number;
};

export function readConflicts(storage: Storage, filter: ConflictFilter): { rows: ConflictRow[]; next: string | null } {
  const wheres = ['id > ?'];
  const values: (string | number)[] = [filter.after ?? ''];
  if (filter.entity !== undefined) {
    wheres.push('entity = ?');
    values.push(filter.entity);
  }
  if (filter.resolved !== undefined) wheres.push(`resolved_at IS ${filter.resolved ? 'NOT ' : ''}NULL`);
  const sql = `SELECT * FROM conflicts WHERE ${wheres.join(' AND ')} ORDER BY id LIMIT ?`;
  const found = storage
    .handle()
    .database.prepare(sql)
    .all(...values, filter.limit + 1) as ConflictTableRow[];
  const rows = found.slice(0, filter.limit).map(conflictOf);
  return { rows, next: found.length > filter.limit ? (rows[rows.length - 1]?.id ?? null) : null };
}

export function readConflict(storage: Storage, id: string): ConflictRow | undefined {
  const row = storage.handle().database.prepare('SELECT * FROM conflicts WHERE id = ?').get(id);
  return row === undefined ? undefined : conflictOf(row as ConflictTableRow);
}

/** Settled conflicts are kept as long as the history of syncs, and go a few at a time. */
export function forgetConflicts(storage: Storage, nowMs: number): void {
  storage.note(({ database }) => {
    database
      .prepare('DELETE FROM conflicts WHERE id IN (SELECT id FROM conflicts WHERE resolved_at < ? LIMIT 1000)')
      .run(nowMs - historyDaysMax * 86_400_000);
  });
}

const conflictOf = (row: ConflictTableRow): ConflictRow => ({
  id: row.id,
  entity: row.entity,
  recordId: row.record_id,
  kind: row.kind as ConflictRow['kind'],
  fields: JSON.parse(row.fields),
  winner: JSON.parse(row.winner),
  loser: JSON.parse(row.loser),
  strategy: row.strategy as ConflictRow['strategy'],
  detectedAt: row.detected_at,
  resolvedAt: row.resolved_at,
  resolvedBy: row.resolved_by,
  notes: row.notes,
});
