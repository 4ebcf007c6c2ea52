// Runs a recheck beside the daily work: a slice at a time, with a pause as long as the slice. It reads the books as they
// are at its start; the write-ahead log grows until it has ended.

import type BetterSqlite3 from 'better-sqlite3';
import { snapshotSliceMs } from '../core/limits.ts';
import type { Ports, TimerHandle } from '../ports.ts';
import { closeQuietly } from './open.ts';
import { recheck } from './recheck.ts';

export type Running = { stop(): void };

/** Calls `done` once, unless it is stopped: with what is wrong, or undefined. Throws SqliteError when it cannot begin. */
export function startRecheck(
  { openDatabase, crypto, clock, timers }: Ports,
  path: string,
  replicaId: string,
  done: (found: string | undefined) => void,
): Running {
  const database: BetterSqlite3.Database = openDatabase(path, { readonly: true });
  let timer: TimerHandle | null = null;
  database.exec('BEGIN');
  const steps = recheck(database, crypto, replicaId);

  /** An answer, or 'more'. What cannot even be read is wrong, too. */
  function slice(): { found: string | undefined } | 'more' {
    try {
      for (const until = clock.monotonic() + snapshotSliceMs; clock.monotonic() < until; ) {
        const step = steps.next();
        if (step.done) return { found: step.value };
      }
      return 'more';
    } catch (error) {
      return { found: `They cannot be read: ${String(error)}.` };
    }
  }

  function run(): void {
    const result = slice();
    if (result === 'more') {
      timer = timers.after(snapshotSliceMs, run);
      return;
    }
    closeQuietly(database);
    done(result.found);
  }

  timer = timers.after(0, run);
  return {
    stop() {
      timer?.cancel();
      // An iterator that is under way keeps the database open.
      steps.return(undefined);
      closeQuietly(database);
    },
  };
}
