// The outbox in IndexedDB, shared by all pages of one origin: a confirmed write is on the disk (durability "strict"). Keys are
// counted by the database, so the order is that of the sales whichever page made them. A database that the browser closed
// is opened again.

import { type Database, type DatabaseFactory, type DbTransaction, inTransaction, openDatabase } from './indexed-db.ts';
import { asObject } from './messages.ts';
import type { Entry, KeptTicket, OutboxMedium } from './outbox-medium.ts';

const version = 1;
const entriesName = 'entries';
const notesName = 'notes';
const appliancesKey = 'appliances';

export function createIndexedDbMedium(factory: DatabaseFactory, name: string): OutboxMedium {
  let opening: Promise<Database> | null = null;

  function open(): Promise<Database> {
    opening ??= openDatabase(factory, name, version, (database) => {
      database.createObjectStore(entriesName, { keyPath: 'key', autoIncrement: true });
      database.createObjectStore(notesName);
    }).then(watched, (error: unknown) => {
      opening = null;
      throw error;
    });
    return opening;
  }

  /** A page of a newer version wants to change it. One that the browser closes shows when it is used. */
  function watched(database: Database): Database {
    database.onversionchange = () => {
      opening = null;
      database.close();
    };
    return database;
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

  return {
    isDurable: true,
    isShared: true,
    load: async () => {
      const request = await run('readonly', [entriesName], (transaction) =>
        transaction.objectStore(entriesName).getAll(),
      );
      return request.result.filter(isEntry);
    },
    add: async (tickets) => {
      const requests = await write((transaction) =>
        tickets.map((ticket) => transaction.objectStore(entriesName).add({ ticket, rejection: null })),
      );
      return requests.map(({ result: key }, index) => ({
        key,
        ticket: tickets[index] as KeptTicket,
        rejection: null,
      }));
    },
    remove: async (key) => void (await write((transaction) => transaction.objectStore(entriesName).delete(key))),
    reject: (key, rejection) =>
      write((transaction) => {
        const entries = transaction.objectStore(entriesName);
        const found = entries.get(key);
        // Confirmed to another page meanwhile, or sent again by it: then it has another key.
        found.onsuccess = () => {
          if (isEntry(found.result)) entries.put({ ...found.result, rejection });
        };
      }),
    renew: async (key, ticket) => {
      const request = await write((transaction) => {
        const entries = transaction.objectStore(entriesName);
        entries.delete(key);
        return entries.add({ ticket, rejection: null });
      });
      return { key: request.result, ticket, rejection: null };
    },
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

const isEntry = (value: unknown): value is Entry => typeof asObject(asObject(value)?.ticket)?.id === 'string';
