// The few words of IndexedDB that the outbox speaks, as types (this project has none of the browser's), and as promises.

export type DbRequest<Result> = {
  readonly result: Result;
  readonly error: Error | null;
  onsuccess: ((event: unknown) => void) | null;
  onerror: ((event: { preventDefault?(): void }) => void) | null;
};
export type DbOpenRequest = DbRequest<Database> & {
  onupgradeneeded: ((event: unknown) => void) | null;
  onblocked: ((event: unknown) => void) | null;
};
export type ObjectStore = {
  add(value: unknown): DbRequest<number>;
  put(value: unknown, key?: string): DbRequest<unknown>;
  get(key: number | string): DbRequest<unknown>;
  getAll(): DbRequest<unknown[]>;
  delete(key: number | string): DbRequest<unknown>;
};
export type DbTransaction = {
  readonly error: Error | null;
  objectStore(name: string): ObjectStore;
  oncomplete: ((event: unknown) => void) | null;
  onabort: ((event: unknown) => void) | null;
};
export type Database = {
  readonly objectStoreNames: { contains(name: string): boolean };
  createObjectStore(name: string, options?: { keyPath?: string; autoIncrement?: boolean }): ObjectStore;
  transaction(
    names: readonly string[],
    mode: 'readonly' | 'readwrite',
    options?: { durability: 'strict' },
  ): DbTransaction;
  close(): void;
  onversionchange: ((event: unknown) => void) | null;
};
export type DatabaseFactory = { open(name: string, version?: number): DbOpenRequest };

export const resultOf = <Result>(request: DbRequest<Result>): Promise<Result> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB gave no reason.'));
  });

export const openDatabase = (
  factory: DatabaseFactory,
  name: string,
  version: number,
  upgrade: (database: Database) => void,
): Promise<Database> => {
  const request = factory.open(name, version);
  request.onupgradeneeded = () => upgrade(request.result);
  return resultOf(request);
};

/**
 * Runs `use` in one transaction and resolves when all of it is on the disk, with what `use` has returned by then. Requests may
 * be made in `use` and in the callbacks of others, never after waiting for anything else.
 */
export function inTransaction<Result>(
  database: Database,
  names: readonly string[],
  mode: 'readonly' | 'readwrite',
  use: (transaction: DbTransaction) => Result,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    // The default is done when the operating system has it, which a power cut takes away again.
    const transaction = database.transaction(names, mode, { durability: 'strict' });
    const result = use(transaction);
    transaction.oncomplete = () => resolve(result);
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB took nothing and gave no reason.'));
  });
}
