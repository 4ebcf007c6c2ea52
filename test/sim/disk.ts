// The disk of one host: real SQLite in real files, which fails where it is told to. What has not been synced is lost in
// a power cut, whether SQLite was told not to sync or a sync was refused.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';
import type { OpenDatabase } from '../../src/ports.ts';

/** What happens to a commit. `unknown`: refused, and yet in the file, but not synced. */
export type CommitFault = 'crash before commit' | 'crash after commit' | 'commit fails' | 'commit fails, yet is there';

/** Thrown out of the appliance when its process ends in the middle of a commit. */
export class ProcessEnded extends Error {}

export type DiskEvents = {
  /** A fault that was armed really happened. */
  happened(kind: string): void;
  /** The process ends now. */
  ended(): void;
  committed(): void;
};

/** The database's files as bytes: what a copy of the card holds. */
export type Image = ReadonlyMap<string, Buffer>;

export type Disk = {
  readonly path: string;
  /** For a new process: handles of the one before are closed, as the kernel does. */
  openerFor(events: DiskEvents): OpenDatabase;
  arm(fault: CommitFault | null): void;
  setFull(isFull: boolean): void;
  isFull(): boolean;
  /** Closes what is open as if the process had been killed: nothing is checkpointed. */
  kill(): void;
  /** As kill, and what was not synced is gone. Says whether anything was. */
  powerCut(): boolean;
  image(): Image;
  restore(image: Image): void;
  /** Rows as the open database has them, read beside the appliance; none when it is closed. */
  rows<Row>(sql: string, ...values: (string | number)[]): Row[];
  bytes(): number;
};

const suffixes = ['', '-wal', '-journal'] as const;
const failure = (code: string, message: string): Error => new BetterSqlite3.SqliteError(message, code);

export function createDisk(path: string): Disk {
  let handles: BetterSqlite3.Database[] = [];
  let armed: CommitFault | null = null;
  let isFull = false;
  /** The files as they were before the first commit that a power cut would undo. */
  let synced: Image | null = null;

  const image = (): Image =>
    new Map(
      suffixes.flatMap((suffix) => (existsSync(path + suffix) ? [[suffix, readFileSync(path + suffix)] as const] : [])),
    );
  const restore = (files: Image): void => {
    for (const suffix of [...suffixes, '-shm']) rmSync(path + suffix, { force: true });
    for (const [suffix, bytes] of files) writeFileSync(path + suffix, bytes);
  };
  const closeAll = (): void => {
    const open = handles.filter((handle) => handle.open);
    if (open.length === 0) return;
    const [before, keptSynced] = [image(), synced];
    handles = [];
    for (const handle of open) handle.close();
    restore(before);
    synced = keptSynced;
  };

  const openerFor = (events: DiskEvents): OpenDatabase => {
    closeAll();
    let isEnded = false;
    const end = (): never => {
      isEnded = true;
      events.ended();
      throw new ProcessEnded('the process ended in a commit');
    };
    const commit = (handle: BetterSqlite3.Database, run: () => unknown): unknown => {
      if (isEnded) throw failure('SQLITE_IOERR', 'disk I/O error');
      const fault = armed;
      armed = null;
      if (fault) events.happened(fault);
      if (fault === 'crash before commit') return end();
      if (fault === 'commit fails') return refuse(handle, 'SQLITE_IOERR_FSYNC', 'disk I/O error');
      if (isFull) return refuse(handle, 'SQLITE_FULL', 'database or disk is full');
      const isSynced = Number(Object.getPrototypeOf(handle).pragma.call(handle, 'synchronous', { simple: true })) >= 2;
      if (!isSynced || fault === 'commit fails, yet is there') synced ??= image();
      const result = run();
      events.committed();
      if (fault === 'commit fails, yet is there') throw failure('SQLITE_IOERR_FSYNC', 'disk I/O error');
      if (fault === 'crash after commit') return end();
      return result;
    };
    const refuse = (handle: BetterSqlite3.Database, code: string, message: string): never => {
      events.happened(code);
      if (handle.inTransaction) handle.exec('ROLLBACK');
      throw failure(code, message);
    };
    const write = (handle: BetterSqlite3.Database, run: () => unknown): unknown => {
      if (isEnded) throw failure('SQLITE_IOERR', 'disk I/O error');
      // A full disk shows at a write when the page cache spills, else at the commit: here one time in eight.
      if (isFull && ++writes % 8 === 0) return refuse(handle, 'SQLITE_FULL', 'database or disk is full');
      return run();
    };
    let writes = 0;
    const checkpointed = (): void => {
      synced = null;
    };
    return (file, options) => {
      if (isEnded) throw failure('SQLITE_IOERR', 'disk I/O error');
      if (file !== path) throw new Error(`the appliance opened ${file}, which is not its database`);
      const handle = new BetterSqlite3(file, { readonly: options.readonly });
      handles.push(handle);
      return intercept(handle, { commit, write, checkpointed, isLast: () => handles.every(({ open }) => !open) });
    };
  };
  return {
    path,
    openerFor,
    arm: (fault) => {
      armed = fault;
    },
    setFull: (given) => {
      isFull = given;
    },
    isFull: () => isFull,
    kill: () => {
      armed = null;
      closeAll();
    },
    powerCut: () => {
      armed = null;
      closeAll();
      const lost = synced;
      synced = null;
      if (lost) restore(lost);
      return lost !== null;
    },
    image,
    restore: (files) => {
      if (handles.some(({ open }) => open)) throw new Error('the database is open');
      synced = null;
      restore(files);
    },
    rows: (sql, ...values) => {
      const handle = handles.findLast(({ open }) => open);
      return handle ? (reader(handle, sql).all(...values) as never[]) : [];
    },
    bytes: () => [...image().values()].reduce((sum, { length }) => sum + length, 0),
  };
}

const readers = new WeakMap<BetterSqlite3.Database, Map<string, BetterSqlite3.Statement>>();

function reader(handle: BetterSqlite3.Database, sql: string): BetterSqlite3.Statement {
  const known = readers.get(handle) ?? new Map<string, BetterSqlite3.Statement>();
  readers.set(handle, known);
  const statement = known.get(sql) ?? handle.prepare(sql);
  known.set(sql, statement);
  return statement;
}

type Hooks = {
  commit(handle: BetterSqlite3.Database, run: () => unknown): unknown;
  write(handle: BetterSqlite3.Database, run: () => unknown): unknown;
  checkpointed(): void;
  isLast(): boolean;
};

/** Puts the hooks before the handle's own methods; everything else stays what it is. */
function intercept(handle: BetterSqlite3.Database, hooks: Hooks): BetterSqlite3.Database {
  const own = {
    exec: handle.exec.bind(handle),
    prepare: handle.prepare.bind(handle),
    pragma: handle.pragma.bind(handle),
    close: handle.close.bind(handle),
  };
  const guarded = (sql: string, run: () => unknown): unknown => {
    if (/^\s*(COMMIT|END)\b/i.test(sql)) return hooks.commit(handle, run);
    if (!/^\s*(INSERT|UPDATE|DELETE|REPLACE)\b/i.test(sql)) return run();
    return handle.inTransaction ? hooks.write(handle, run) : hooks.commit(handle, run);
  };
  const replaced = {
    exec: (sql: string) => {
      guarded(sql, () => own.exec(sql));
      return handle;
    },
    prepare: (sql: string) => {
      const statement = own.prepare(sql);
      const run = statement.run.bind(statement);
      return Object.assign(statement, { run: (...values: unknown[]) => guarded(sql, () => run(...values)) });
    },
    transaction: () => {
      throw new Error('the simulated disk wants BEGIN and COMMIT as statements');
    },
    pragma: (source: string, options?: BetterSqlite3.PragmaOptions) => {
      const result = own.pragma(source, options);
      if (/^\s*wal_checkpoint/i.test(source) && isWholeCheckpoint(result)) hooks.checkpointed();
      return result;
    },
    close: () => {
      own.close();
      if (hooks.isLast()) hooks.checkpointed();
      return handle;
    },
  };
  return Object.assign(handle, replaced) as BetterSqlite3.Database;
}

/** SQLite answers busy, frames in the log, frames checkpointed. */
function isWholeCheckpoint(result: unknown): boolean {
  const row = Array.isArray(result)
    ? (result[0] as { busy: number; log: number; checkpointed: number } | undefined)
    : undefined;
  return row !== undefined && row.busy === 0 && row.log === row.checkpointed;
}
