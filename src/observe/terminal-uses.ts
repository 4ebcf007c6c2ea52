// When each till's token was last used here: exact in memory, on disk seldom, because a till asks all day and nobody
// needs the minute of last week. Bookkeeping of this appliance, no part of the books.

import { terminalUseNotedMs } from '../core/limits.ts';
import type { Storage } from '../storage/storage.ts';

export type TerminalUses = {
  /** `at`: Unix ms. Never throws; what cannot be written is known until the next start. */
  note(terminalId: string, at: number): void;
  /** Unix ms; undefined for a till that was never seen here. */
  last(terminalId: string): number | undefined;
};

export function createTerminalUses(storage: Storage): TerminalUses {
  /** One entry for each till that asked since the start: they are in the books, and a shop has tens. */
  const uses = new Map<string, { at: number; notedAt: number }>();
  return {
    note(terminalId, at) {
      const use = uses.get(terminalId);
      if (use) use.at = at;
      // Also when the clock was set back.
      if (use && Math.abs(at - use.notedAt) < terminalUseNotedMs) return;
      uses.set(terminalId, { at, notedAt: at });
      storage.note(({ database }) => {
        database.prepare('INSERT OR REPLACE INTO terminal_uses VALUES (?, ?)').run(terminalId, at);
      });
    },
    last: (terminalId) => uses.get(terminalId)?.at ?? readUse(storage, terminalId),
  };
}

function readUse(storage: Storage, terminalId: string): number | undefined {
  const row = storage.handle().database.prepare('SELECT at FROM terminal_uses WHERE terminal = ?').get(terminalId);
  return (row as { at: number } | undefined)?.at;
}
