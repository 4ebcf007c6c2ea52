// Storage: the one writer, the reads, and what happens when the disk fails. After a failed COMMIT the outcome is unknown,
// not "no": the database is reopened and read back. If the ops are there, the chain goes on from them; if not, their
// numbers are never used again, because a new epoch begins. Until that is settled nothing is written.

import { statSync } from 'node:fs';
import type BetterSqlite3 from 'better-sqlite3';
import type { Books } from '../core/books.ts';
import { tick } from '../core/clock.ts';
import { type Origin, originOf } from '../core/heads.ts';
import { commitBytesMax, pageBytes, walBytesAlarm, walBytesSoft } from '../core/limits.ts';
import { isSameBytes } from '../core/op.ts';
import type { SnapshotFacts } from '../core/snapshot.ts';
import type { OpenFile, Ports, TimerHandle } from '../ports.ts';
import { adoptBooks, inspectBooks } from './adopt.ts';
import { finish } from './append.ts';
import { createBooks } from './books.ts';
import { createRecentCommits, readCommits } from './journal.ts';
import type { Frozen } from './make-snapshot.ts';
import { createMemory } from './memory.ts';
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
import { rebuildInto } from './rebuild.ts';
import { recheckFile } from './recheck.ts';
import { inSlices, type Running } from './slices.ts';
import { dropAside, incomingPath, removeDatabase, swapSteps, takeBackAside } from './snapshot-files.ts';
import { schemaTextOf } from './snapshot-tables.ts';
import { copyState, readMeta, type StorageState, writeMeta } from './state.ts';
import { keepStock, levelsAfter, restoreStock, type StockLevel } from './stock.ts';
import { settleSum } from './stock-sum.ts';
import { factsOf } from './sums.ts';
import { createUnit, type EncodedCommit, type Unit } from './unit.ts';

export type WriteFailure = {
  readonly ok: false;
  /** work_failed: `work` itself threw, and might pass without a neighbour; anything else is the disk's. */
  readonly code: 'work_failed' | 'outcome_unknown' | 'storage_unavailable' | 'disk_full' | 'storage_failed';
  readonly detail: string;
  readonly error?: unknown;
};
export type Written = { readonly ok: true; readonly unit: Unit } | WriteFailure;

export type Storage = {
  readonly books: Books;
  /** Of the database file. */
  readonly path: string;
  /** The steps that made its tables: equal in two databases exactly when a file of one can stand for the other. */
  readonly schema: string;
  /** Runs `work` in one transaction and makes it durable. All or nothing. */
  write(work: (unit: Unit) => void): Written;
  /** Heads, clock and sums as of the last commit. */
  state(): StorageState;
  /** Throws when the database is not open (see `trouble`). */
  handle(): Handle;
  /** Every stock level, by product. Throws as `handle` does. */
  levels(): Iterable<[product: string, level: StockLevel]>;
  readCommits(origin: Origin, after: number, bytesMax: number): EncodedCommit[];
  /** Bookkeeping that is not of the books: one statement or a few, in a transaction of their own. False when the disk refused. */
  note(work: (handle: Handle) => void): boolean;
  /** Why nothing can be written now. */
  trouble(): OpenFailure | undefined;
  /** Size of the write-ahead log, bytes, as of the last checkpoint; an alarm when it no longer shrinks. */
  walAlarm(): string | undefined;
  /** Numbers of our own origins up to which a peer has shown the same history; see receive.ts. */
  readonly proven: Map<Origin, number>;
  /** Origins whose common past with a peer is being looked for; see unit.ts. */
  readonly doubted: Set<Origin>;
  setMeshOffset(offsetMs: number): void;
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
  /** Who made the unchecked snapshot that our books came from; "" when they did not, or were checked since. */
  uncheckedFrom(): string;
  /** Looks through such books beside the daily work; `done` is called once, unless we are closed before. */
  recheck(done: (found: string | undefined) => void): void;
  /** Makes the books anew from what is good in their journal; the rest is to be asked for again. */
  rebuild(newFeedId: string, done: (failed: string | undefined) => void): void;
  close(): void;
};

export type StorageEvents = {
  /** After each commit of ops, and after a reopening that found more than was known. */
  committed(unit: Unit | null): void;
};

const reopenMs = 1_000;
/** The size of the write-ahead log is looked at this often. */
const commitsPerLook = 16;

export function createStorage(ports: Ports, config: OpenConfig, events: StorageEvents): Storage | OpenFailure {
  const { clock, crypto, signer, log, timers } = ports;
  const first = openAfterSwap();
  if (!isOpen(first)) return first;
  const opened: Handle = first;
  let { feedId } = opened;
  let frozen: Frozen | null = null;
  let checking: Running | null = null;
  let inspecting: Running | null = null;
  /**
   * The database file for reading it raw. Closing it would free the locks that SQLite has on that file in this process
   * (POSIX), so it stays open until SQLite has closed it for good.
   */
  let raw: OpenFile | null = null;
  let handle: Handle | null = opened;
  let lastState = opened.state;
  let unit: Unit | null = null;
  let failed: OpenFailure | undefined;
  /** The unit whose COMMIT failed and whose fate is not known. */
  let doubt: Unit | null = null;
  let retry: TimerHandle | null = null;
  let commits = 0;
  let walAlarm: string | undefined;
  let meshOffsetMs = 0;
  let closed = false;
  let isStarted = false;
  const proven = new Map<Origin, number>();
  const doubted = new Set<Origin>();
  const recent = createRecentCommits();
  const memory = createMemory();

  /** A swap of books that was cut after its last rename: the new ones count if they open, and else the old. */
  function openAfterSwap(): Handle | OpenFailure {
    const found = openStorage(ports.openDatabase, config);
    if (isOpen(found)) dropAside(config.path);
    else if (takeBackAside(config.path)) return openStorage(ports.openDatabase, config);
    return found;
  }

  const openHandle = (): Handle => {
    if (handle) return handle;
    throw new StorageClosed(failed?.detail ?? 'The database is closed.');
  };
  const state = () => handle?.state ?? lastState;
  const books = createBooks({
    handle: openHandle,
    handleIfOpen: () => handle,
    state: () => unit?.state ?? state(),
    pendingStock: (product) => unit?.stock.get(product),
    memory,
    crypto,
  });

  function write(work: (unit: Unit) => void): Written {
    if (!handle || failed) return unavailable();
    const { statements } = handle;
    const clockMs = clock.now();
    const context = {
      statements,
      crypto,
      signer,
      memory,
      proven,
      doubted,
      shop: config.shop,
      replicaId: config.replicaId,
    };
    const current = createUnit(context, copyState(handle.state), clockMs, clockMs + meshOffsetMs);
    try {
      statements.begin.run();
      unit = current;
      work(current);
      finish(current);
    } catch (error) {
      unit = null;
      return rollBack(error);
    }
    unit = null;
    try {
      statements.commit.run();
    } catch (error) {
      log.error('a commit failed: its outcome is unknown, the database is reopened', { error: String(error) });
      return comeIntoDoubt(current, error);
    }
    publish(current);
    return { ok: true, unit: current };
  }

  function publish(written: Unit): void {
    if (!handle) return;
    if (hasLetGo(handle.state, written)) recent.clear();
    handle.state = written.state;
    lastState = written.state;
    keepStock(memory.stock, written);
    for (const commit of written.encoded) recent.add(commit);
    lookAtWal();
    if (isStarted && (written.opCount > 0 || written.touchedOrigins.size > 0)) tell(written);
  }

  function lookAtWal(): void {
    commits += 1;
    if (commits % commitsPerLook === 0 && walBytesOf(config.path) > walBytesSoft) timers.soon(checkpoint);
  }

  /** What is on disk is on disk: a reader that breaks must not keep the answer from whoever wrote it. */
  function tell(written: Unit | null): void {
    try {
      events.committed(written);
    } catch (error) {
      log.error('a reader of the journal broke', { error: error instanceof Error ? error.stack : String(error) });
    }
  }

  /** The stock as of the last commit, where it had to be forgotten. */
  function restore({ statements, state: stored }: Handle): void {
    if (!memory.stock.unwritten) restoreStock(statements, stored, memory.stock);
  }

  function restored(again: Handle | OpenFailure): Handle | OpenFailure {
    if (!isOpen(again)) return again;
    try {
      restore(again);
      return again;
    } catch (error) {
      closeQuietly(again.database);
      return describe(error, config.path);
    }
  }

  function rollBack(error: unknown): WriteFailure {
    memory.takenBack();
    const code = sqliteCode(error);
    try {
      if (handle?.database.inTransaction) handle.statements.rollback.run();
      if (handle) restore(handle);
    } catch (rollbackError) {
      log.error('a rollback failed: the database is reopened', { error: String(rollbackError) });
      reopen();
    }
    if (!code || isOfTheWork(code)) return { ok: false, code: 'work_failed', detail: String(error), error };
    const failure = describe(error, config.path);
    if (code.startsWith('SQLITE_IOERR') || code === 'SQLITE_CORRUPT') reopen();
    return {
      ok: false,
      code: failure.code === 'disk_full' ? 'disk_full' : 'storage_failed',
      detail: failure.detail,
      error,
    };
  }

  function comeIntoDoubt(inDoubt: Unit, error: unknown): WriteFailure {
    doubt = inDoubt;
    reopen();
    return {
      ok: false,
      code: 'outcome_unknown',
      detail:
        'The disk failed while this was being written. It may or may not be kept: send it again with the same id.',
      error,
    };
  }

  /** Reads everything back from disk; settles what was in doubt; tries again by itself while it cannot. */
  function reopen(): void {
    retry?.cancel();
    retry = null;
    stopReading();
    closeQuietly(handle?.database);
    handle = null;
    if (closed) return;
    recent.clear();
    // While the database is closed, digests are those of the last commit, as the heads are.
    settleSum(memory.stock.sum, undefined, crypto);
    memory.forget();
    const again = restored(notReplaced(openStorage(ports.openDatabase, config)));
    if (isOpen(again)) {
      handle = again;
      lastState = again.state;
      failed = settle(again);
      if (!failed) return tell(null);
    } else failed = again;
    log.error('nothing can be written', { detail: failed.detail });
    retry = timers.after(reopenMs, reopen);
  }

  /** A card pulled and put back, a file removed: an empty database in its place is not ours to go on with. */
  function notReplaced(again: Handle | OpenFailure): Handle | OpenFailure {
    if (!isOpen(again) || again.feedId === feedId) return again;
    closeQuietly(again.database);
    return {
      code: 'database_replaced',
      detail: `The database ${config.path} is not the one that was open: stop, and look at the disk.`,
    };
  }

  /**
   * Finds out what became of the unit in doubt. What is there must be on disk before it counts; what is not there never
   * comes back, and a new epoch keeps its numbers from being used for anything else.
   */
  function settle(again: Handle): OpenFailure | undefined {
    if (!doubt) return undefined;
    const own = originOf(config.replicaId, doubt.state.epoch);
    const wanted = doubt.state.origins.get(own);
    const found = again.state.origins.get(own);
    const isThere = !wanted || (found !== undefined && isSameBytes(found.hash, wanted.hash));
    try {
      if (isThere) again.database.pragma('wal_checkpoint(FULL)');
    } catch (error) {
      return describe(error, config.path);
    }
    if (!isThere) again.state.epoch = doubt.state.epoch + 1;
    again.state.clock = tick(doubt.state.clock, clock.now()).clock;
    doubt = null;
    return undefined;
  }

  function checkpoint(): void {
    if (!handle) return;
    try {
      const [result] = handle.database.pragma('wal_checkpoint(PASSIVE)') as { log: number; checkpointed: number }[];
      const left = (result?.log ?? 0) - (result?.checkpointed ?? 0);
      walAlarm =
        left * pageBytes > walBytesAlarm ? 'The write-ahead log no longer shrinks: check the disk.' : undefined;
    } catch (error) {
      walAlarm = 'The write-ahead log could not be checkpointed: check the disk.';
      log.error('a checkpoint failed', { error: String(error) });
    }
  }

  function note(work: (open: Handle) => void): boolean {
    if (!handle || failed || unit) return false;
    try {
      handle.statements.begin.run();
      work(handle);
      handle.statements.commit.run();
      lookAtWal();
      return true;
    } catch (error) {
      log.warn('bookkeeping could not be written', { error: String(error) });
      rollBack(error);
      return false;
    }
  }

  function freeze(): Frozen | OpenFailure {
    if (!handle || failed || unit || frozen || checking || !ports.bulk)
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
      frozen = frozenBy(reader, raw, factsOf(handle.state, { ...books.digests() }));
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
    const steps = inspectBooks(ports, { ...config, path }, facts, schemaTextOf(openHandle().database));
    inspecting = inSlices(ports, 'brisk', steps, (error) => describe(error, path), done);
  }

  function replaceBooks(maker: string, newFeedId: string): OpenFailure | undefined {
    if (!handle || failed || unit) return { code: 'not_now', detail: 'nothing can be written now' };
    const ours = handle;
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
        meshMs: clockMs + meshOffsetMs,
        commitsAfter: (origin, number) => readOwn(ours, origin, number),
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
    if (!handle || failed || checking) return;
    const settled = (found: string | undefined): void => {
      checking = null;
      if (found === undefined) note(({ statements }) => writeMeta(statements, uncheckedKey, ''));
      done(found);
    };
    const steps = recheckFile(ports, config.path, config.replicaId);
    checking = inSlices(ports, 'gentle', steps, (error) => `They cannot be read: ${String(error)}.`, settled);
  }

  function rebuild(newFeedId: string, done: (failed: string | undefined) => void): void {
    const path = incomingPath(config.path);
    removeDatabase(path);
    const fresh = createStorage(ports, { ...config, path }, { committed() {} });
    if ('detail' in fresh) return done(fresh.detail);
    rebuildInto(
      ports,
      fresh,
      own,
      () => closed,
      (broken) => done(broken ?? replaceBooks('', newFeedId)?.detail),
    );
  }

  function readOwn(ours: Handle, origin: Origin, number: number) {
    const known = ours.state.origins.get(origin);
    return known ? readCommits(ours, recent, known, number, commitBytesMax) : [];
  }

  function swap(ours: Handle): OpenFailure | undefined {
    stopReading();
    const { epoch } = ours.state;
    let cause: unknown;
    try {
      ours.database.pragma('busy_timeout = 200');
      ours.database.pragma('wal_checkpoint(TRUNCATE)');
      ours.database.close();
      handle = null;
      // A log that is not empty would be read into the new books.
      if (walBytesOf(config.path) > 0) throw new Error('the write-ahead log could not be emptied');
      for (const step of swapSteps(config.path)) step.run();
    } catch (error) {
      cause = error;
    }
    const again = cause ? describe(cause, config.path) : restored(anew(openStorage(ports.openDatabase, config)));
    if (isOpen(again)) {
      again.state.epoch = Math.max(epoch, again.state.epoch);
      taken(again, ours.state);
      return undefined;
    }
    log.error('the books of a snapshot could not be taken', { detail: again.detail });
    closeQuietly(handle?.database);
    handle = null;
    try {
      takeBackAside(config.path);
    } catch (error) {
      log.error('the old books could not be put back', { error: String(error) });
    }
    reopen();
    return again;
  }

  /** What was remembered of the old books is forgotten before anything is told from the new. */
  function anew(again: Handle | OpenFailure): Handle | OpenFailure {
    recent.clear();
    memory.forget();
    return again;
  }

  function taken(again: Handle, before: StorageState): void {
    handle = again;
    lastState = again.state;
    feedId = again.feedId;
    raw?.close();
    raw = null;
    try {
      dropAside(config.path);
    } catch (error) {
      log.warn('the old books could not be removed; the next start does', { error: String(error) });
    }
    // What we wrote and had to leave behind had numbers: they are not used for anything else.
    if (hasLess(again.state, before, originOf(config.replicaId, before.epoch)))
      note((open) => startEpoch(open, before.epoch + 1));
    tell(null);
  }

  const unavailable = (): WriteFailure => ({
    ok: false,
    code: 'storage_unavailable',
    detail: failed?.detail ?? 'The database is closed.',
  });

  function giveUp(): void {
    closed = true;
    retry?.cancel();
    closeQuietly(handle?.database);
    handle = null;
    raw?.close();
  }

  /** Doubts about our own past end with the process, and with them what ops waited for. */
  function placeWaiting(): void {
    if (state().deferred === 0) return;
    write((open) => {
      for (const origin of open.state.origins.keys()) open.touchedOrigins.add(origin);
    });
  }

  const whole = restored(opened);
  if (!isOpen(whole)) return whole;
  placeWaiting();
  if (failed) {
    giveUp();
    return failed;
  }
  isStarted = true;
  const own: Storage = {
    books,
    path: config.path,
    schema: config.migrations.map(({ when }) => when).join(' '),
    freeze,
    inspect,
    replaceBooks,
    uncheckedFrom: () => readMeta(openHandle().statements, uncheckedKey, ''),
    recheck,
    rebuild,
    write,
    state,
    handle: openHandle,
    levels: () => levelsAfter(openHandle().statements, memory.stock, ''),
    readCommits(origin, after, bytesMax) {
      const known = state().origins.get(origin);
      return known && handle ? readCommits(handle, recent, known, after, bytesMax) : [];
    },
    note,
    trouble: () => failed ?? (handle ? undefined : { code: 'closed', detail: 'The appliance is stopped.' }),
    walAlarm: () => walAlarm,
    proven,
    doubted,
    setMeshOffset(offsetMs) {
      meshOffsetMs = offsetMs;
    },
    close() {
      closed = true;
      retry?.cancel();
      stopReading();
      inspecting?.stop();
      try {
        handle?.database.pragma('wal_checkpoint(TRUNCATE)');
      } catch (error) {
        log.warn('the last checkpoint failed; the write-ahead log is kept', { error: String(error) });
      }
      closeQuietly(handle?.database);
      handle = null;
      raw?.close();
    },
  };
  return own;
}

/** In meta: see `uncheckedFrom`. */
const uncheckedKey = 'unchecked_from';

const hasLess = (now: StorageState, before: StorageState, origin: Origin): boolean =>
  (now.origins.get(origin)?.head ?? 0) < (before.origins.get(origin)?.head ?? 0);

/** From here on our ops are of a new origin, also should the disk refuse to note it. */
export function startEpoch(handle: Handle, epoch: number): void {
  handle.state.epoch = epoch;
  writeMeta(handle.statements, 'epoch', epoch);
}

/** Whether a branch went: its commits must not be passed on in place of those that come under the same numbers. */
const hasLetGo = (before: StorageState, { touchedOrigins, state }: Unit): boolean =>
  [...touchedOrigins].some(
    (origin) => (state.origins.get(origin)?.head ?? 0) < (before.origins.get(origin)?.head ?? 0),
  );

export class StorageClosed extends Error {}

/** What SQLite says of the work and not of the disk: one command's fault, which must not fail its neighbours. */
const isOfTheWork = (code: string): boolean => /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE|ERROR|MISUSE)/.test(code);

const sqliteCode = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
};
