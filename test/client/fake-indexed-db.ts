// IndexedDB as far as the outbox uses it, faithful where it matters: values are copies, a transaction is all or nothing and
// ends by itself when nobody asks any more, keys go up and are never given twice until it is deleted, a closed database takes
// nothing.

import type {
  Database,
  DatabaseFactory,
  DbOpenRequest,
  DbRequest,
  DbTransaction,
  ObjectStore,
} from '../../src/client/indexed-db.ts';

type Table = { keyPath: string | undefined; lastKey: number; rows: Map<string | number, unknown> };

export type FakeIndexedDb = DatabaseFactory & {
  /** The next transaction fails when it should be written, as on a full disk. */
  failNextCommit(): void;
  /** The browser closes what is open. */
  closeAll(): void;
  /** "Clear site data": it closes what is open, and nothing is there any more. The next to open it creates it. */
  deleteAll(): void;
  readonly durabilities: (string | undefined)[];
  openCount(): number;
  /** Of entries; notes are none. */
  rowCount(): number;
};

export function createFakeIndexedDb(): FakeIndexedDb {
  const databases = new Map<string, Map<string, Table>>();
  const open = new Set<Database & { isClosed: boolean }>();
  const durabilities: (string | undefined)[] = [];
  let failures = 0;

  function openDatabase(tables: Map<string, Table>): Database & { isClosed: boolean } {
    const database: Database & { isClosed: boolean } = {
      isClosed: false,
      objectStoreNames: { contains: (name) => tables.has(name) },
      createObjectStore(name, options) {
        const table: Table = { keyPath: options?.keyPath, lastKey: 0, rows: new Map() };
        tables.set(name, table);
        return objectStore(table, 'readwrite', (job) => Object.assign(newRequest<never>(), { result: job() }));
      },
      transaction(names, mode, options) {
        if (database.isClosed) throw new DOMException('The database connection is closing.', 'InvalidStateError');
        durabilities.push(mode === 'readwrite' ? options?.durability : 'readonly');
        return runTransaction(tables, names, mode, () => failures > 0 && failures-- > 0);
      },
      close() {
        database.isClosed = true;
        open.delete(database);
      },
      onversionchange: null,
    };
    open.add(database);
    return database;
  }

  return {
    durabilities,
    deleteAll() {
      for (const database of [...open]) database.close();
      databases.clear();
    },
    openCount: () => open.size,
    rowCount: () =>
      [...databases.values()]
        .flatMap((tables) => [...tables.values()])
        .reduce((sum, { keyPath, rows }) => sum + (keyPath === undefined ? 0 : rows.size), 0),
    failNextCommit() {
      failures += 1;
    },
    closeAll() {
      for (const database of [...open]) {
        database.isClosed = true;
        open.delete(database);
      }
    },
    open(name) {
      const request = newRequest<Database>() as { -readonly [Member in keyof DbOpenRequest]: DbOpenRequest[Member] };
      setImmediate(() => {
        const isNew = !databases.has(name);
        const tables = databases.get(name) ?? new Map<string, Table>();
        databases.set(name, tables);
        request.result = openDatabase(tables);
        if (isNew) request.onupgradeneeded?.({});
        request.onsuccess?.({});
      });
      return request;
    },
  };
}

type Settable<Result> = { -readonly [Member in keyof DbRequest<Result>]: DbRequest<Result>[Member] };

const newRequest = <Result>(): Settable<Result> & { onupgradeneeded: null; onblocked: null } => ({
  result: undefined as Result,
  error: null,
  onsuccess: null,
  onerror: null,
  onupgradeneeded: null,
  onblocked: null,
});

/** Of each database the end of the last transaction: one after another, whichever page began it. */
const turns = new WeakMap<object, Promise<void>>();

function runTransaction(
  tables: Map<string, Table>,
  names: readonly string[],
  mode: string,
  isFailing: () => boolean,
): DbTransaction {
  const jobs: (() => void)[] = [];
  const turn = turns.get(tables) ?? Promise.resolve();
  const over = Promise.withResolvers<void>();
  turns.set(tables, over.promise);
  let before = new Map<string, Table | undefined>();
  let isOver = false;
  const transaction: { -readonly [Member in keyof DbTransaction]: DbTransaction[Member] } = {
    error: null,
    oncomplete: null,
    onabort: null,
    objectStore(name) {
      const table = tables.get(name);
      if (!table || !names.includes(name)) throw new DOMException('No such object store.', 'NotFoundError');
      return objectStore(table, mode, enqueue);
    },
  };

  function enqueue<Result>(job: () => Result): DbRequest<Result> {
    if (isOver) throw new DOMException('The transaction is over.', 'TransactionInactiveError');
    const request = newRequest<Result>();
    jobs.push(() => {
      request.result = job();
      request.onsuccess?.({});
    });
    return request;
  }

  function work(): void {
    const job = jobs.shift();
    if (job) {
      job();
      return void setImmediate(work);
    }
    isOver = true;
    over.resolve();
    if (mode === 'readwrite' && isFailing()) {
      for (const [name, table] of before) Object.assign(tables.get(name) ?? {}, table);
      transaction.error = new DOMException('The disk is full.', 'QuotaExceededError');
      return transaction.onabort?.({});
    }
    transaction.oncomplete?.({});
  }
  void turn.then(() => {
    before = structuredClone(new Map(names.map((name) => [name, tables.get(name)])));
    setImmediate(work);
  });
  return transaction;
}

function objectStore(
  table: Table,
  mode: string,
  enqueue: <Result>(job: () => Result) => DbRequest<Result>,
): ObjectStore {
  const write = <Result>(job: () => Result): DbRequest<Result> => {
    if (mode !== 'readwrite') throw new DOMException('This transaction only reads.', 'ReadOnlyError');
    return enqueue(job);
  };
  return {
    add(value) {
      const copy = structuredClone(value) as Record<string, unknown>;
      return write(() => {
        table.lastKey += 1;
        if (table.keyPath) copy[table.keyPath] = table.lastKey;
        table.rows.set(table.lastKey, copy);
        return table.lastKey;
      });
    },
    put(value, key) {
      const copy = structuredClone(value) as Record<string, unknown>;
      return write(() => table.rows.set(key ?? (copy[table.keyPath ?? ''] as string | number), copy));
    },
    get: (key) => enqueue(() => structuredClone(table.rows.get(key))),
    getAll: () =>
      enqueue(() => [...table.rows].sort(([a], [b]) => Number(a) - Number(b)).map(([, row]) => structuredClone(row))),
    delete: (key) => write(() => void table.rows.delete(key)),
  };
}
