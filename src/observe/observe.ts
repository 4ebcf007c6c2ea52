// What is on record about the mesh: syncs that ended, conflicts.

import type { ConflictRow, SyncRow } from '../core/books.ts';
import type { Storage } from '../storage/storage.ts';
import { type ConflictFilter, readConflict, readConflicts } from './conflicts.ts';
import { readHistory } from './history.ts';

export type Observe = {
  /** Newest first. */
  history(filter: { peerId?: string | undefined; limit: number }): SyncRow[];
  conflicts(filter: ConflictFilter): { rows: ConflictRow[]; next: string | null };
  conflict(id: string): ConflictRow | undefined;
};

export const createObserve = (storage: Storage): Observe => ({
  history: (filter) => readHistory(storage, filter),
  conflicts: (filter) => readConflicts(storage, filter),
  conflict: (id) => readConflict(storage, id),
});
