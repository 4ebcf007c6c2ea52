// The outbox in IndexedDB, shared by all pages of one origin: a confirmed write is on the disk (durability "strict"). Places are
// counted by the database, so the order is that of the sales whichever page made them; keys are by chance, so that they are
// never used again. A database that the browser closed is opened again; one that was deleted gets what was known of it.

import { type Database, type DatabaseFactory, type DbTransaction, inTransaction, openDatabase } from './indexed-db.ts';
import { asObject, asText } from './messages.ts';
import type { Entry, KeptTicket, OutboxMedium } from './outbox-medium.ts';

const version = 1;
const entriesName = 'entries';
const notesName = 'notes';
const appliancesKey = 'appliances';
/** Made with the database: another one under its name has another. */
const identityKey = 'identity';

/** What is kept of an entry, beside its place, which the database calls "key" and gives again when it was deleted. */
type Content = Omit<Entry, 'key'> & { readonly uuid: string };
type Row = Content & { readonly key: number };

export function createIndexedDbMedium(factory: DatabaseFactory, name: string, createKey: () => string): OutboxMedium {
  let opening: Promise<Database> | null = null;
  /** By their keys. */
  let known = new Map<Entry['key'], Row>();
  /** Of the database that they are from; null before the first was opened. */
  let identity: unknown = null;

  function open(): Promise<Database> {
    opening ??= openDatabase(factory, name, version, (database) => {
      database.createObjectStore(entriesName, { keyPath: 'key', autoIncrement: true });
      database.createObjectStore(notesName).put(createKey(), identityKey);
    })
      .then(watched)
      .catch((error: unknown) => {
        opening = null;
        throw error;
      });
    return opening;
  }

  /** A page of a newer version wants to change it, or a person to delete it. One that the browser closes shows when it is used. */
  async function watched(database: Database): Promise<Database> {
    database.onversionchange = () => {
      opening = null;
      database.close();
    };
    try {
      await restore(database);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  }

  async function restore(database: Database): Promise<void> {
    const request = await inTransaction(database, [notesName], 'readonly', (transaction) =>
      transaction.objectStore(notesName).get(identityKey),
    );
    const found = request.result ?? 'of an early version';
    if (identity !== null && identity !== found) {
      await inTransaction(database, [entriesName], 'readwrite', (one) => addMissing(one, [...known.values()]));
      learn((await inTransaction(database, [entriesName], 'readonly', allEntries)).result);
    }
    identity = found;
  }

  function learn(values: readonly unknown[]): Row[] {
    const rows = values.flatMap((value) => readRow(value) ?? []);
    known = new Map(rows.map((row) => [row.uuid, row]));
    return rows;
  }

  async function run<Result>(
    mode: 'readonly' | 'readwrite',
    names: readonly string[],
    use: (transaction: DbTransaction) => Result,
  ): Promise<Result> {
    try {
      return await inTransaction(await open(), names, mode, use);
    } catch {
      // All or nothing, so once more is not twice: Safari loses its database server, Chromium a full disk's handle.
      opening?.then((database) => database.close()).catch(() => undefined);
      opening = null;
      return inTransaction(await open(), names, mode, use);
    }
  }

  const write = <Result>(use: (transaction: DbTransaction) => Result): Promise<Result> =>
    run('readwrite', [entriesName], use);

  /** In the place of an entry another one may stand by now. */
  function withRow(transaction: DbTransaction, key: Entry['key'], use: (row: Row) => void): void {
    const place = known.get(key)?.key;
    if (place === undefined) return;
    const found = transaction.objectStore(entriesName).get(place);
    found.onsuccess = () => {
      const row = readRow(found.result);
      if (row?.uuid === key) use(row);
    };
  }

  async function add(tickets: readonly KeptTicket[], instead?: Entry['key']): Promise<Entry[]> {
    const contents = tickets.map((ticket): Content => ({ uuid: createKey(), ticket, rejection: null }));
    const requests = await write((transaction) => {
      const entries = transaction.objectStore(entriesName);
      if (instead !== undefined) withRow(transaction, instead, ({ key }) => void entries.delete(key));
      return contents.map((content) => entries.add(content));
    });
    if (instead !== undefined) known.delete(instead);
    contents.forEach((content, index) => {
      const key = requests[index]?.result;
      if (key !== undefined) known.set(content.uuid, { ...content, key });
    });
    return contents.map(entryOf);
  }

  return {
    isDurable: true,
    isShared: true,
    load: async () => {
      const request = await run('readonly', [entriesName], allEntries);
      return learn(request.result).map(entryOf);
    },
    add: (tickets) => add(tickets),
    remove: async (key) => {
      await write((transaction) =>
        withRow(transaction, key, (row) => void transaction.objectStore(entriesName).delete(row.key)),
      );
      known.delete(key);
    },
    // Nothing when it was confirmed to another page meanwhile, or sent again by it: then it has another key.
    reject: async (key, rejection) => {
      await write((transaction) =>
        withRow(transaction, key, (row) => void transaction.objectStore(entriesName).put({ ...row, rejection })),
      );
      const row = known.get(key);
      if (row) known.set(key, { ...row, rejection });
    },
    renew: async (key, ticket) => {
      const [renewed] = await add([ticket], key);
      return renewed as Entry;
    },
    adopt: (entries) => write((transaction) => addMissing(transaction, entries.map(contentOf))),
    remember: (appliances) =>
      run('readwrite', [notesName], (transaction) => {
        transaction.objectStore(notesName).put(appliances, appliancesKey);
      }),
    recall: async () => {
      const request = await run('readonly', [notesName], (transaction) =>
        transaction.objectStore(notesName).get(appliancesKey),
      );
      return request.result;
    },
    close() {
      opening?.then((database) => database.close()).catch(() => undefined);
      opening = null;
    },
  };
}

const allEntries = (transaction: DbTransaction) => transaction.objectStore(entriesName).getAll();

/** In one transaction, so that two pages that know of one entry add it once. */
function addMissing(transaction: DbTransaction, contents: readonly Content[]): void {
  const entries = transaction.objectStore(entriesName);
  const all = entries.getAll();
  all.onsuccess = () => {
    const present = new Set(all.result.map((row) => readRow(row)?.uuid));
    for (const { uuid, ticket, rejection } of contents)
      if (!present.has(uuid)) entries.add({ uuid, ticket, rejection });
  };
}

const entryOf = ({ uuid, ticket, rejection }: Content): Entry => ({ key: uuid, ticket, rejection });
const contentOf = ({ key, ticket, rejection }: Entry): Content => ({ uuid: String(key), ticket, rejection });

function readRow(value: unknown): Row | undefined {
  const row = asObject(value);
  if (typeof row?.key !== 'number' || typeof asObject(row.ticket)?.id !== 'string') return undefined;
  // Of a version that knew entries by their place.
  return { ...(row as Row), uuid: asText(row.uuid) ?? `place-${row.key}` };
}
