// The record of syncs: one row for each exchange that came to an end, kept by count and by age.

import type { SyncRow } from '../core/books.ts';
import { historyDaysMax, historyRowsMax } from '../core/limits.ts';
import type { Storage } from '../storage/storage.ts';
import { forgetConflicts } from './conflicts.ts';

export function recordSync(storage: Storage, row: SyncRow): void {
  forgetConflicts(storage, row.at);
  storage.note(({ database }) => {
    const added = database
      .prepare(
        'INSERT INTO sync_history (peer_id, peer_name, at, items_received, items_sent, conflicts, duration_ms, bytes, error) VALUES (@peerId, @peerName, @at, @itemsReceived, @itemsSent, @conflicts, @durationMs, @bytes, @error)',
      )
      .run(row);
    const oldest = Number(added.lastInsertRowid) - historyRowsMax;
    // A few at a time: the row just written is never held up by a long deletion.
    database
      .prepare(
        'DELETE FROM sync_history WHERE row IN (SELECT row FROM sync_history WHERE row <= ? OR at < ? ORDER BY row LIMIT 100)',
      )
      .run(oldest, row.at - historyDaysMax * 86_400_000);
  });
}

/** Newest first. */
export function readHistory(storage: Storage, filter: { peerId?: string | undefined; limit: number }): SyncRow[] {
  const sql = `SELECT peer_id AS peerId, peer_name AS peerName, at, items_received AS itemsReceived, items_sent AS itemsSent, conflicts, duration_ms AS durationMs, bytes, error FROM sync_history ${filter.peerId === undefined ? '' : 'WHERE peer_id = ?'} ORDER BY row DESC LIMIT ?`;
  const values = filter.peerId === undefined ? [filter.limit] : [filter.peerId, filter.limit];
  return storage
    .handle()
    .database.prepare(sql)
    .all(...values) as SyncRow[];
}
