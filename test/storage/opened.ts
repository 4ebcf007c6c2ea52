// Storage with real SQLite in a folder of its own, without mesh and edges: written to as commands write, its clock in the
// test's hand, its disk able to fail.

import crypto from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import Sqlite from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { assets } from '../../src/assets.ts';
import { createTicket } from '../../src/commands/create-ticket.ts';
import { deleteRecord } from '../../src/commands/delete-record.ts';
import { putRecord } from '../../src/commands/put-record.ts';
import type { TicketBody } from '../../src/commands/ticket-body.ts';
import type { Command, Outcome } from '../../src/core/command.ts';
import { replicaIdOf } from '../../src/core/identity.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { systemBulk } from '../../src/edges/bulk.ts';
import { createOpenDatabase, createSystemCrypto, systemRandom, systemTimers } from '../../src/edges/system.ts';
import type { Bulk, OpenDatabase, Ports, Signer } from '../../src/ports.ts';
import { decodeCommit } from '../../src/protocol/commit-codec.ts';
import { createGroupCommit } from '../../src/storage/group-commit.ts';
import type { OpenConfig, OpenFailure } from '../../src/storage/open.ts';
import { appendRemote } from '../../src/storage/receive.ts';
import { recheck } from '../../src/storage/recheck.ts';
import { createStorage, type Storage } from '../../src/storage/storage.ts';
import { silentLog } from '../edges/peer-pair.ts';
import { saleBody } from '../mesh/appliances.ts';

export const shop = 'abcdefghijklmnopqrstuvwxyz';

export type OpenedBooks = {
  readonly storage: Storage;
  readonly ports: Ports & { readonly bulk: Bulk };
  readonly signer: Signer;
  readonly replicaId: string;
  readonly folder: string;
  readonly path: string;
  readonly clock: { now: number };
  run<Result>(command: Command<Result>): Promise<Outcome<Result>>;
  sell(id: string, more?: Partial<TicketBody>): Promise<Outcome<unknown>>;
  put(id: string, document: JsonObject): Promise<Outcome<unknown>>;
  remove(id: string): Promise<Outcome<unknown>>;
  close(): void;
  /** Closed and opened again on the same folder, with the same key. */
  reopen(changes?: Partial<OpenConfig>): OpenedBooks;
};

export type OpenedOptions = {
  folder?: string;
  signer?: Signer;
  openDatabase?: OpenDatabase;
  clock?: { now: number };
  config?: Partial<OpenConfig>;
  bulk?: Bulk;
};

export const isOpened = (opened: OpenedBooks | OpenFailure): opened is OpenedBooks => 'storage' in opened;

export function openBooks(options: OpenedOptions = {}): OpenedBooks {
  const opened = tryToOpen(options);
  if (!isOpened(opened)) throw new Error(opened.detail);
  return opened;
}

export function tryToOpen(options: OpenedOptions = {}): OpenedBooks | OpenFailure {
  const folder = options.folder ?? newFolder();
  const signer = options.signer ?? newSigner();
  const clock = options.clock ?? { now: Date.UTC(2026, 10, 20, 8) };
  const system = createSystemCrypto();
  const replicaId = replicaIdOf(system.sha256, signer.publicKey);
  const path = join(folder, 'books.db');
  const ports: Ports & { bulk: Bulk } = {
    clock: { now: () => clock.now, monotonic: () => performance.now() },
    timers: systemTimers,
    random: systemRandom,
    crypto: system,
    signer,
    log: silentLog,
    transport: { dial() {} },
    openDatabase: options.openDatabase ?? createOpenDatabase(),
    bulk: options.bulk ?? systemBulk,
  };
  const config: OpenConfig = {
    path,
    migrations: assets.migrations,
    shop,
    replicaId,
    newFeedId: 'feed',
    newEpoch: 1,
    starts: null,
    home: null,
    wroteUpTo: null,
    epoch: 0,
    chance: 0,
    ...options.config,
  };
  const storage = createStorage(ports, config, { committed() {} });
  if ('detail' in storage) return storage;
  let ids = 0;
  const { execute } = createGroupCommit(ports, storage, () => `made-${ids++}`);
  const run: OpenedBooks['run'] = (command) => new Promise((resolve) => execute(command, resolve));
  const close = (): void => storage.close();
  onTestFinished(close);
  return {
    storage,
    ports,
    signer,
    replicaId,
    folder,
    path,
    clock,
    run,
    sell: (id, more) => run(createTicket({ id, by: 'admin', body: { ...saleBody, ...more } as TicketBody })),
    put: (id, document) => run(putRecord({ entity: 'product', id, document, by: 'admin', mode: 'put' })),
    remove: (id) => run(deleteRecord({ entity: 'product', id, by: 'admin' })),
    close,
    reopen(changes = {}) {
      close();
      return openBooks({ ...options, folder, signer, clock, config: { ...options.config, ...changes } });
    },
  };
}

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-storage-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function newSigner(): Signer {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return {
    publicKey: new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-65)),
    sign: (message) => crypto.sign('sha256', message, key),
  };
}

/** Looks into the file beside the appliance, as verify does. */
export function rows<Row>(path: string, sql: string, ...values: (string | number)[]): Row[] {
  const database = new Sqlite(path, { readonly: true });
  try {
    return database.prepare(sql).all(...values) as Row[];
  } finally {
    database.close();
  }
}

/** What a look through all of the books finds, as it is made after a snapshot was taken. */
export function recheckAll(path: string, replicaId: string): string | undefined {
  const database = new Sqlite(path, { readonly: true });
  database.exec('BEGIN');
  try {
    for (const steps = recheck(database, createSystemCrypto(), replicaId); ; ) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  } finally {
    database.close();
  }
}

/** Changes the file beside the appliance, as somebody with a tool would. */
export function edit(path: string, sql: string, ...values: (string | number)[]): number {
  const database = new Sqlite(path);
  try {
    return database.prepare(sql).run(...values).changes;
  } finally {
    database.close();
  }
}

export type Fault = 'commit fails' | 'commit fails, yet is there';

export type FaultyDisk = {
  readonly openDatabase: OpenDatabase;
  /** What befalls the next commit. */
  arm(fault: Fault): void;
  disarm(): void;
  setFull(isFull: boolean): void;
  /** Whether it can be opened. */
  setGone(isGone: boolean): void;
  /** The next write whose statement has this text in it fails, inside its transaction. */
  failIn(text: string, code: 'SQLITE_FULL' | 'SQLITE_IOERR_WRITE'): void;
  /** The next read whose statement has this text in it fails when it has told a row. */
  spoil(text: string): void;
  /** What the database was told, in order: statements that were prepared for it, when they ran. */
  readonly ran: string[];
};

/** Real SQLite on a disk that fails when told to. */
export function createFaultyDisk(): FaultyDisk {
  let armed: Fault | null = null;
  let isFull = false;
  let isGone = false;
  let spoilt: string | null = null;
  let failing: { text: string; code: string } | null = null;
  const ran: string[] = [];
  const fail = (database: BetterSqlite3.Database, code: string): never => {
    if (database.inTransaction) database.exec('ROLLBACK');
    throw new Sqlite.SqliteError(code === 'SQLITE_FULL' ? 'database or disk is full' : 'disk I/O error', code);
  };
  const commit = (database: BetterSqlite3.Database, run: () => unknown): unknown => {
    const fault = armed;
    armed = null;
    if (isFull) fail(database, 'SQLITE_FULL');
    if (fault === 'commit fails') fail(database, 'SQLITE_IOERR_FSYNC');
    const result = run();
    if (fault) fail(database, 'SQLITE_IOERR_FSYNC');
    return result;
  };
  function* spoiltAfterOne<Row>(sql: string, rows: Iterable<Row>): Iterable<Row> {
    for (const row of rows) {
      yield row;
      if (spoilt === null || !sql.includes(spoilt)) continue;
      spoilt = null;
      throw new Sqlite.SqliteError('disk I/O error', 'SQLITE_IOERR_READ');
    }
  }
  const open = createOpenDatabase();
  const openDatabase: OpenDatabase = (path, options) => {
    if (isGone) throw new Sqlite.SqliteError('unable to open database file', 'SQLITE_CANTOPEN');
    const database = open(path, options);
    const prepare = database.prepare.bind(database);
    database.prepare = ((sql: string) => {
      const statement = prepare(sql);
      const run = statement.run.bind(statement);
      statement.run = ((...values: unknown[]) => {
        ran.push(sql);
        if (failing && sql.includes(failing.text)) {
          const { code } = failing;
          failing = null;
          fail(database, code);
        }
        return sql === 'COMMIT' ? commit(database, () => run(...values)) : run(...values);
      }) as typeof statement.run;
      const { all, iterate } = statement;
      statement.all = ((...values: unknown[]) => [...spoiltAfterOne(sql, all.apply(statement, values))]) as typeof all;
      statement.iterate = ((...values: unknown[]) =>
        spoiltAfterOne(sql, iterate.apply(statement, values))) as typeof iterate;
      return statement;
    }) as typeof database.prepare;
    return database;
  };
  return {
    openDatabase,
    arm(fault) {
      armed = fault;
    },
    disarm() {
      armed = null;
      failing = null;
    },
    setFull(full) {
      isFull = full;
    },
    setGone(gone) {
      isGone = gone;
    },
    failIn(text, code) {
      failing = { text, code };
    },
    spoil(text) {
      spoilt = text;
    },
    ran,
  };
}

/** Everything that `from` holds, as a peer would bring it. */
export function carry(from: OpenedBooks, to: OpenedBooks): void {
  for (const [origin, { publicKey }] of from.storage.state().origins) {
    for (const { bytes } of from.storage.readCommits(origin, 0, Number.MAX_SAFE_INTEGER)) {
      const commit = decodeCommit(origin, bytes);
      if (commit) to.storage.write((unit) => void appendRemote(unit, commit, publicKey));
    }
  }
}
