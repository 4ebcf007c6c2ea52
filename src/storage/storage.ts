// Storage: the one writer, the reads, and what happens when the disk fails. After a failed COMMIT the outcome is unknown,
// not "no": the database is reopened and read back. If the ops are there, the chain goes on from them; if not, their
// numbers are never used again, because a new epoch begins. Until that is settled nothing is written.

import type { Books } from '../core/books.ts';
import { tick } from '../core/clock.ts';
import { type Origin, originOf } from '../core/heads.ts';
import { commitBytesMax, pageBytes, walBytesAlarm, walBytesSoft } from '../core/limits.ts';
import { rememberMembership } from '../core/membership.ts';
import { isSameBytes } from '../core/op.ts';
import type { Ports, TimerHandle } from '../ports.ts';
import { finish } from './append.ts';
import { createBooks } from './books.ts';
import { type BooksExchange, createExchange, openAfterSwap, uncheckedKey } from './exchange.ts';
import { createRecentCommits, readCommits } from './journal.ts';
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
import { copyState, readMeta, type StorageState } from './state.ts';
import { keepStock, levelsAfter, restoreStock, type StockLevel } from './stock.ts';
import { settleSum } from './stock-sum.ts';
import { createUnit, type EncodedCommit, type Unit } from './unit.ts';

export type WriteFailure = {
  readonly ok: false;
  /** work_failed: `work` itself threw, and might pass without a neighbour; anything else is the disk's. */
  readonly code: 'work_failed' | 'outcome_unknown' | 'storage_unavailable' | 'disk_full' | 'storage_failed';
  readonly detail: string;
  readonly error?: unknown;
};
export type Written = { readonly ok: true; readonly unit: Unit } | WriteFailure;

export type Storage = BooksExchange & {
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
  /** Names the order of arrival here; another after the books were replaced. Told also while the database is not open. */
  feedId(): string;
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
  /** Who made the unchecked snapshot that our books came from; "" when they did not, or were checked since. */
  uncheckedFrom(): string;
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
  const first = openAfterSwap(ports, config);
  if (!isOpen(first)) return first;
  const opened: Handle = first;
  let { feedId } = opened;
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

  const openHandle = (): Handle => {
    if (handle) return handle;
    throw new StorageClosed(failed?.detail ?? 'The database is closed.');
  };
  const state = () => handle?.state ?? lastState;
  const books = createBooks({
    handle: openHandle,
    handleIfOpen: () => handle,
    state: () => unit?.state ?? state(),
    membership: rememberMembership(config.replicaId),
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
    exchange.stopReading();
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

  /** What was remembered of the old books is forgotten before anything is told from the new. */
  function restoredAnew(again: Handle | OpenFailure): Handle | OpenFailure {
    recent.clear();
    memory.forget();
    return restored(again);
  }

  const exchange = createExchange(ports, config, {
    idle: () => (failed || unit ? null : handle),
    digests: () => ({ ...books.digests() }),
    meshMs: (clockMs) => clockMs + meshOffsetMs,
    commitsAfter(ours, origin, number) {
      const known = ours.state.origins.get(origin);
      return known ? readCommits(ours, recent, known, number, commitBytesMax) : [];
    },
    note,
    letGo() {
      closeQuietly(handle?.database);
      handle = null;
    },
    openNew: () => restoredAnew(openStorage(ports.openDatabase, config)),
    taken(again) {
      handle = again;
      lastState = again.state;
      feedId = again.feedId;
    },
    told: () => tell(null),
    reopen,
    isClosed: () => closed,
    handle: openHandle,
    journal: () => self,
    createJournal: (path) => createStorage(ports, { ...config, path }, { committed() {} }),
  });

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
    exchange.close();
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
  const self: Storage = {
    books,
    path: config.path,
    schema: config.migrations.map(({ when }) => when).join(' '),
    ...exchange.ofStorage,
    uncheckedFrom: () => readMeta(openHandle().statements, uncheckedKey, ''),
    write,
    state,
    handle: openHandle,
    feedId: () => feedId,
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
      exchange.stopReading();
      try {
        handle?.database.pragma('wal_checkpoint(TRUNCATE)');
      } catch (error) {
        log.warn('the last checkpoint failed; the write-ahead log is kept', { error: String(error) });
      }
      closeQuietly(handle?.database);
      handle = null;
      exchange.close();
    },
  };
  return self;
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
