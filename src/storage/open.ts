// Opens the database the one way in which a 2xx means "on disk", and says in a sentence why when it cannot.

import { existsSync, statSync } from 'node:fs';
import type BetterSqlite3 from 'better-sqlite3';
import { epochOf } from '../core/heads.ts';
import { epochMax, pageBytes, pageCacheBytes } from '../core/limits.ts';
import type { Dot } from '../core/op.ts';
import type { OpenDatabase } from '../ports.ts';
import { type Migration, migrate } from './migrate.ts';
import { loadState, readMeta, type StorageState, writeMeta } from './state.ts';
import { prepareStatements, type Statements } from './statements.ts';

export type OpenConfig = {
  readonly path: string;
  readonly migrations: readonly Migration[];
  readonly shop: string;
  readonly replicaId: string;
  /** Identifies this database to feed cursors; used when a new one is made. */
  readonly newFeedId: string;
  /** Epoch of a database made now: above 1 when the appliance has lost an earlier one. */
  readonly newEpoch: number;
  /** See ApplianceConfig. */
  readonly starts: number | null;
  /** This folder on this machine; null where that is not known. */
  readonly home: string | null;
  readonly wroteUpTo: Dot | null;
  readonly epoch: number;
  /** In [0, 1): so that two copies of one disk do not choose the same epoch. */
  readonly chance: number;
};

export type Handle = {
  readonly database: BetterSqlite3.Database;
  readonly statements: Statements;
  state: StorageState;
  readonly feedId: string;
};

export type OpenFailure = { readonly code: string; readonly detail: string };

/** `database` is closed again when anything but an open, checked handle is returned. */
export function openStorage(open: OpenDatabase, config: OpenConfig): Handle | OpenFailure {
  let database: BetterSqlite3.Database | undefined;
  try {
    database = open(config.path, { readonly: false });
    const failed = prepare(database, config);
    if (failed) {
      database.close();
      return failed;
    }
    const statements = prepareStatements(database);
    return {
      database,
      statements,
      state: loadState(statements, config.replicaId),
      feedId: readMeta(statements, 'feed_id', ''),
    };
  } catch (error) {
    closeQuietly(database);
    return describe(error, config.path);
  }
}

/** The shop that books at rest are of; undefined where there are none, or they hold no word yet: those can be of any. */
export function shopOfBooks(open: OpenDatabase, path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  let database: BetterSqlite3.Database | undefined;
  try {
    // Whoever opens it to read alone leaves files beside it that it may not remove.
    database = open(path, { readonly: false });
    const row = database.prepare("SELECT value FROM meta WHERE key = 'shop' AND EXISTS (SELECT 1 FROM origins)").get();
    return row === undefined ? undefined : String(JSON.parse((row as { value: string }).value));
  } catch {
    // Whoever opens them to use them says what is wrong.
    return undefined;
  } finally {
    closeQuietly(database);
  }
}

export const isOpen = (opened: Handle | OpenFailure): opened is Handle => 'database' in opened;

function prepare(database: BetterSqlite3.Database, config: OpenConfig): OpenFailure | undefined {
  distrust(database);
  database.pragma(`page_size = ${pageBytes}`);
  database.pragma('journal_mode = WAL');
  const durable = setDurable(database);
  if (durable) return durable;
  database.pragma('wal_autocheckpoint = 0');
  database.pragma('journal_size_limit = 16777216');
  database.pragma(`cache_size = -${pageCacheBytes / 1024}`);
  database.pragma('temp_store = MEMORY');
  const failed = migrate(database, config.migrations);
  return failed ?? claim(prepareStatements(database), config);
}

/** The file may be of another's making: nothing in its schema calls what could do harm, and no broken page is used. */
export function distrust(database: BetterSqlite3.Database): void {
  database.pragma('trusted_schema = OFF');
  database.pragma('cell_size_check = ON');
}

/** Reopening an existing WAL database gives synchronous=NORMAL, which loses acknowledged sales in a power cut. */
function setDurable(database: BetterSqlite3.Database): OpenFailure | undefined {
  database.pragma('synchronous = FULL');
  if (database.pragma('synchronous', { simple: true }) === 2) return undefined;
  return {
    code: 'not_durable',
    detail: 'SQLite refuses synchronous=FULL: a power cut could lose sales. Nothing was started.',
  };
}

/** A new database becomes ours; one of another shop or appliance is refused. */
function claim(statements: Statements, config: OpenConfig): OpenFailure | undefined {
  const shop = readMeta(statements, 'shop', '');
  if (shop === '') {
    statements.begin.run();
    writeMeta(statements, 'shop', config.shop);
    writeMeta(statements, 'feed_id', config.newFeedId);
    writeMeta(statements, 'epoch', config.newEpoch);
    markStart(statements, config);
    statements.commit.run();
    return undefined;
  }
  if (shop === config.shop) return noteStart(statements, config);
  if (statements.origins.all().length === 0) {
    statements.begin.run();
    writeMeta(statements, 'shop', config.shop);
    markStart(statements, config);
    statements.commit.run();
    return undefined;
  }
  return {
    code: 'other_shop',
    detail: `The books in this data folder are of shop ${shop}, but identity.json beside them belongs to shop ${config.shop}: put back the one that was there with the other, or use another data folder.`,
  };
}

/** Epochs from which a copy chooses its next one. */
const epochChoices = 1000;

/** A copy has an inode and a time of birth of its own; what is renamed keeps both. Null where no home is kept, either. */
export function fileMark({ home, path }: Pick<OpenConfig, 'home' | 'path'>): string | null {
  if (home === null) return null;
  const { ino, birthtimeMs } = statSync(path);
  return `${ino} ${Math.trunc(birthtimeMs)}`;
}

function markStart(statements: Statements, config: OpenConfig): void {
  writeMeta(statements, 'starts', config.starts);
  writeMeta(statements, 'home', config.home);
  writeMeta(statements, 'file', fileMark(config));
}

/** Books that are a copy, as far as can be told from here, go on under a new epoch: nothing of it is written before. */
function noteStart(statements: Statements, config: OpenConfig): undefined {
  const { starts, home } = config;
  if (starts === null) return;
  const before = readMeta<number | null>(statements, 'starts', null);
  const homeBefore = readMeta<string | null>(statements, 'home', null);
  const fileBefore = readMeta<string | null>(statements, 'file', null);
  const file = fileMark(config);
  // The same start goes on: the database was opened again after its disk had failed, or another file took its place.
  if (before === starts && homeBefore === home) {
    if (fileBefore !== file) writeMeta(statements, 'file', file);
    return;
  }
  const state = loadState(statements, config.replicaId);
  const { wroteUpTo } = config;
  const isOlder = wroteUpTo !== null && (state.origins.get(wroteUpTo.origin)?.head ?? 0) < wroteUpTo.number;
  // A start that was noted here and not beside the books, by a power cut between the two, has the number of the next.
  const isOther = isOlder || (before !== null && before !== starts - 1 && before !== starts);
  statements.begin.run();
  markStart(statements, config);
  const isElsewhere = isAnother(homeBefore, home) || isAnother(fileBefore, file);
  if (isOther || isElsewhere) {
    const known = Math.max(state.epoch, config.epoch, wroteUpTo === null ? 0 : epochOf(wroteUpTo.origin));
    const wanted = known + 1 + Math.floor(config.chance * epochChoices);
    writeMeta(statements, 'epoch', Math.min(wanted, epochMax));
    writeMeta(statements, 'copied_at_start', starts);
    // What came after here may have been something else: a cursor of then would skip what comes now.
    writeMeta(statements, 'feed_id', config.newFeedId);
  }
  statements.commit.run();
}

const isAnother = (before: string | null, now: string | null): boolean => before !== null && before !== now;

const sentences: Record<string, [code: string, sentence: string]> = {
  SQLITE_CANTOPEN: [
    'data_unwritable',
    'cannot be opened: check that the folder exists and that this user may write there',
  ],
  SQLITE_READONLY: [
    'data_unwritable',
    'is read-only: check the rights of the folder and whether the disk is mounted read-only',
  ],
  SQLITE_FULL: ['disk_full', 'cannot be written: the disk is full; free some space and start again'],
  SQLITE_IOERR_SHMSIZE: ['disk_full', 'cannot be opened: the disk is full; free some space and start again'],
  SQLITE_BUSY: ['database_busy', 'is in use by another program: stop that program first'],
  SQLITE_NOTADB: ['database_corrupt', 'is not a database: put it aside and restore a backup'],
  SQLITE_CORRUPT: [
    'database_corrupt',
    'is damaged: put it aside and restore a backup, or let the peers refill an empty one',
  ],
};

/** A failure to open or write, as a value. drizzle wraps what SQLite says; what SQLite says is what counts. */
export function describe(error: unknown, path: string): OpenFailure {
  const origin = originOfError(error);
  const code = String((origin as { code?: unknown }).code ?? '');
  const known = sentences[code] ?? sentences[code.split('_').slice(0, 2).join('_')];
  const [name, sentence] = known ?? ['storage_failed', `failed: ${firstLine(origin)}`];
  return { code: name, detail: `The database ${path} ${sentence}.` };
}

function originOfError(error: unknown): unknown {
  let origin = error;
  for (let depth = 0; depth < 5 && origin instanceof Error && origin.cause instanceof Error; depth++)
    origin = origin.cause;
  return origin;
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).trim().split('\n')[0] ?? '';

/** Size of the write-ahead log beside a database, bytes; 0 when there is none. */
export const walBytesOf = (path: string): number => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;

export function closeQuietly(database: BetterSqlite3.Database | undefined): void {
  try {
    database?.close();
  } catch {
    // A handle that cannot even be closed is given up; what it wrote is read back from disk.
  }
}
