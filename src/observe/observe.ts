// What is on record beside the books: syncs that ended, conflicts, when tills were last seen.

import type { ConflictRow, SyncRow } from '../core/books.ts';
import type { Storage } from '../storage/storage.ts';
import { type ConflictFilter, readConflict, readConflicts } from './conflicts.ts';
import { readHistory } from './history.ts';
import { createTerminalUses, type TerminalUses } from './terminal-uses.ts';

export type Observe = {
  /** Newest first. */
  history(filter: { peerId?: string | undefined; limit: number }): SyncRow[];
  conflicts(filter: ConflictFilter): { rows: ConflictRow[]; next: string | null };
  conflict(id: string): ConflictRow | undefined;
  readonly terminalUses: TerminalUses;
};

export const createObserve = (storage: Storage): Observe => ({
  history: (filter) => readHistory(storage, filter),
  conflicts: (filter) => readConflicts(storage, filter),
  conflict: (id) => readConflict(storage, id),
  terminalUses: createTerminalUses(storage),
});
