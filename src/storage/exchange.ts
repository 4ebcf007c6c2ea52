// One database in the place of another, and what is read of a database beside its writing: frozen for a snapshot, books that
// came inspected and swapped in, books looked through, books made anew. Part of storage (storage.ts), which alone writes.

import { statSync } from 'node:fs';
import type BetterSqlite3 from 'better-sqlite3';
import { type Origin, originOf } from '../core/heads.ts';
import type { SnapshotFacts } from '../core/snapshot.ts';
import type { OpenFile, Ports } from '../ports.ts';
import { adoptBooks, inspectBooks } from './adopt.ts';
import type { Frozen } from './make-snapshot.ts';
import {
  closeQuietly,
  describe,
  type Handle,
  isOpen,
  type OpenConfig,
  type OpenFailure,
  openStorage,
  walBytesOf,
} from './open.ts';
import { type Journal, rebuildInto } from './rebuild.ts';
import { recheckFile } from './recheck.ts';
import { inSlices, type Running } from './slices.ts';
import { dropAside, incomingPath, removeDatabase, swapSteps, takeBackAside } from './snapshot-files.ts';
import { schemaTextOf } from './snapshot-tables.ts';
import { type StorageState, writeMeta } from './state.ts';
import { factsOf } from './sums.ts';
import type { EncodedCommit } from './unit.ts';

export type BooksExchange = {
  /** Keeps the database file as it is now, while writing goes on beside it. One at a time, and only with a Bulk port. */
  freeze(): Frozen | OpenFailure;
  /**
   * Whether the books that lie beside ours (`incomingPath`, closed and on disk) are what `facts` says; in slices. `done`
   * is called once, unless we are closed before.
   */
  inspect(facts: SnapshotFacts, done: (failed: OpenFailure | undefined) => void): void;
  /**
   * Takes those books in the place of ours, with all of ours that they lack. On a failure ours are as they were. They
   * count as unchecked until they are.
   */
  replaceBooks(maker: string, newFeedId: string): OpenFailure | undefined;
  /** Looks through such books beside the daily work; `done` is called once, unless we are closed before. */
  recheck(done: (found: string | undefined) => void): void;
  /** Makes the books anew from what is good in their journal; the rest is to be asked for again. */
  rebuild(newFeedId: string, done: (failed: string | undefined) => void): void;
};

/** What storage lets this part of it see and do. */
export type Inside = {
  /** Open and whole, and nothing is being written; else null. */
  idle(): Handle | null;
  digests(): Record<string, string>;
  meshMs(clockMs: number): number;
  commitsAfter(ours: Handle, origin: Origin, number: number): EncodedCommit[];
  note(work: (handle: Handle) => void): boolean;
  /** The database is closed, and nothing is open from here on. */
  letGo(): void;
  /** Opened as at a start, with nothing remembered of the database before. */
  openNew(): Handle | OpenFailure;
  /** It is the one to write to from here on. */
  taken(again: Handle): void;
  told(): void;
  reopen(): void;
  isClosed(): boolean;
  handle(): Handle;
  journal(): Journal;
  createJournal(path: string): Journal | OpenFailure;
};

/** In meta: see `uncheckedFrom`. */
export const uncheckedKey = 'unchecked_from';

/** A swap of books that was cut after its last rename: the new ones count if they open, and else the old. */
export function openAfterSwap(ports: Ports, config: OpenConfig): Handle | OpenFailure {
  const found = openStorage(ports.openDatabase, config);
  if (isOpen(found)) dropAside(config.path);
  else if (takeBackAside(config.path)) return openStorage(ports.openDatabase, config);
  return found;
}

export type Exchange = {
  readonly ofStorage: BooksExchange;
  /** Before the database is closed, by whomever. */
  stopReading(): void;
  /** After it was closed for good. */
  close(): void;
};

export function createExchange(ports: Ports, config: OpenConfig, inside: Inside): Exchange {
  const { clock, log } = ports;
  let frozen: Frozen | null = null;
  let checking: Running | null = null;
  let inspecting: Running | null = null;
  /**
   * The database file for reading it raw. Closing it would free the locks that SQLite has on that file in this process
   * (POSIX), so it stays open until SQLite has closed it for good.
   */
  let raw: OpenFile | null = null;

  function freeze(): Frozen | OpenFailure {
    const handle = inside.idle();
    if (!handle || frozen || checking || !ports.bulk)
      return { code: 'not_now', detail: 'no snapshot can be made at this moment' };
    let reader: BetterSqlite3.Database | undefined;
    try {
      // Not one that waits for others: it would hold up sales.
      const [result] = handle.database.pragma('wal_checkpoint(PASSIVE)') as { log: number; checkpointed: number }[];
      if (result?.log !== result?.checkpointed)
        return { code: 'not_now', detail: 'the database is being read by others' };
      // All of the log is in the file: this reader reads the file alone, and no checkpoint writes to it until it has ended.
      reader = ports.openDatabase(config.path, { readonly: true });
      reader.exec('BEGIN');
      reader.prepare('SELECT count(*) FROM origins').get();
      raw ??= ports.bulk.open(config.path, 'read');
      frozen = frozenBy(reader, raw, factsOf(handle.state, inside.digests()));
      return frozen;
    } catch (error) {
      closeQuietly(reader);
      return describe(error, config.path);
    }
  }

  function frozenBy(reader: BetterSqlite3.Database, file: OpenFile, facts: SnapshotFacts): Frozen {
    const own: Frozen = {
      file,
      facts,
      bytes: statSync(config.path).size,
      isHeld: () => frozen === own,
      release() {
        if (frozen !== own) return;
        frozen = null;
        closeQuietly(reader);
      },
    };
    return own;
  }

  function inspect(facts: SnapshotFacts, done: (failed: OpenFailure | undefined) => void): void {
    inspecting?.stop();
    const path = incomingPath(config.path);
    const steps = inspectBooks(ports, { ...config, path }, facts, schemaTextOf(inside.handle().database));
    inspecting = inSlices(ports, 'brisk', steps, (error) => describe(error, path), done);
  }

  function replaceBooks(maker: string, newFeedId: string): OpenFailure | undefined {
    const ours = inside.idle();
    if (!ours) return { code: 'not_now', detail: 'nothing can be written now' };
    const clockMs = clock.now();
    const source = maker === '' ? 'own journal' : 'maker';
    const incoming = { ...config, path: incomingPath(config.path) };
    const adopted = adoptBooks(
      ports,
      incoming,
      {
        state: ours.state,
        path: config.path,
        // The order of arrival is another one: cursors into ours lead nowhere in it.
        marks: { feed_id: newFeedId, [uncheckedKey]: maker },
        clockMs,
        meshMs: inside.meshMs(clockMs),
        commitsAfter: (origin, number) => inside.commitsAfter(ours, origin, number),
      },
      source,
    );
    return adopted ?? swap(ours);
  }

  const stopReading = (): void => {
    frozen?.release();
    checking?.stop();
    checking = null;
  };

  function recheck(done: (found: string | undefined) => void): void {
    if (!inside.idle() || checking) return;
    const settled = (found: string | undefined): void => {
      checking = null;
      if (found === undefined) inside.note(({ statements }) => writeMeta(statements, uncheckedKey, ''));
      done(found);
    };
    const steps = recheckFile(ports, config.path, config.replicaId);
    checking = inSlices(ports, 'gentle', steps, (error) => `They cannot be read: ${String(error)}.`, settled);
  }

  function rebuild(newFeedId: string, done: (failed: string | undefined) => void): void {
    const path = incomingPath(config.path);
    removeDatabase(path);
    const fresh = inside.createJournal(path);
    if ('detail' in fresh) return done(fresh.detail);
    rebuildInto(ports, fresh, inside.journal(), inside.isClosed, (broken) =>
      done(broken ?? replaceBooks('', newFeedId)?.detail),
    );
  }

  function swap(ours: Handle): OpenFailure | undefined {
    stopReading();
    const { epoch } = ours.state;
    let cause: unknown;
    try {
      ours.database.pragma('busy_timeout = 200');
      ours.database.pragma('wal_checkpoint(TRUNCATE)');
      ours.database.close();
      inside.letGo();
      // A log that is not empty would be read into the new books.
      if (walBytesOf(config.path) > 0) throw new Error('the write-ahead log could not be emptied');
      for (const step of swapSteps(config.path)) step.run();
    } catch (error) {
      cause = error;
    }
    const again = cause ? describe(cause, config.path) : inside.openNew();
    if (isOpen(again)) {
      again.state.epoch = Math.max(epoch, again.state.epoch);
      taken(again, ours.state);
      return undefined;
    }
    log.error('the books of a snapshot could not be taken', { detail: again.detail });
    inside.letGo();
    try {
      takeBackAside(config.path);
    } catch (error) {
      log.error('the old books could not be put back', { error: String(error) });
    }
    inside.reopen();
    return again;
  }

  function taken(again: Handle, before: StorageState): void {
    inside.taken(again);
    raw?.close();
    raw = null;
    try {
      dropAside(config.path);
    } catch (error) {
      log.warn('the old books could not be removed; the next start does', { error: String(error) });
    }
    // What we wrote and had to leave behind had numbers: they are not used for anything else.
    if (hasLess(again.state, before, originOf(config.replicaId, before.epoch)))
      inside.note((open) => startEpoch(open, before.epoch + 1));
    inside.told();
  }

  return {
    ofStorage: { freeze, inspect, replaceBooks, recheck, rebuild },
    stopReading() {
      stopReading();
      inspecting?.stop();
    },
    close: () => raw?.close(),
  };
}

const hasLess = (now: StorageState, before: StorageState, origin: Origin): boolean =>
  (now.origins.get(origin)?.head ?? 0) < (before.origins.get(origin)?.head ?? 0);

/** From here on our ops are of a new origin, also should the disk refuse to note it. */
export function startEpoch(handle: Handle, epoch: number): void {
  handle.state.epoch = epoch;
  writeMeta(handle.statements, 'epoch', epoch);
}
