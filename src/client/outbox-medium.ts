// Where unsent tickets are kept: what every medium (IndexedDB, a file, memory) promises, and the one that is memory alone.
// What is added keeps its place in the order; nothing goes unless it is removed by its key.

import type { ToldAppliance } from './addresses.ts';
import type { Ticket } from './contract.ts';

export type KeptTicket = Ticket & { readonly id: string };

export type Rejection = {
  readonly code: string;
  readonly detail: string;
  readonly rejectedAt: number;
  readonly isFinal: boolean;
};

/** One ticket in the outbox. A key is never used again, so what is said of an entry is never said of a later one. */
export type Entry = {
  readonly key: string | number;
  readonly ticket: KeptTicket;
  /** Null while it waits to be sent. */
  readonly rejection: Rejection | null;
};

export type OutboxMedium = {
  /** False where all is gone with the page. */
  readonly isDurable: boolean;
  /** Whether other pages may change it, too. */
  readonly isShared: boolean;
  /** Everything, in the order in which it was added. */
  load(): Promise<readonly Entry[]>;
  /** All of them or none, behind all others; written when it resolves. */
  add(tickets: readonly KeptTicket[]): Promise<readonly Entry[]>;
  /** It is confirmed, or a person has seen to it. */
  remove(key: Entry['key']): Promise<void>;
  /** Nothing, when it is not there any more. */
  reject(key: Entry['key'], rejection: Rejection): Promise<void>;
  /** Sent again, behind all others, under a new key. */
  renew(key: Entry['key'], ticket: KeptTicket): Promise<Entry>;
  /** From elsewhere, as they are, key and refusal: those that are not there under their key. */
  adopt(entries: readonly Entry[]): Promise<void>;
  /** The shop's appliances, for a start when none answers that knows them. */
  remember(appliances: readonly ToldAppliance[]): Promise<void>;
  /** As they were remembered, unread. */
  recall(): Promise<unknown>;
  close(): void;
};

let lastKey = 0;
const countedKey = (): number => ++lastKey;

/** `createKey`: of use to nobody else, should another medium adopt what is here. */
export function createMemoryMedium(createKey: () => Entry['key'] = countedKey): OutboxMedium {
  const entries = new Map<Entry['key'], Entry>();
  let remembered: unknown;

  function add(ticket: KeptTicket): Entry {
    const entry: Entry = { key: createKey(), ticket, rejection: null };
    entries.set(entry.key, entry);
    return entry;
  }

  return {
    isDurable: false,
    isShared: false,
    load: async () => [...entries.values()],
    add: async (tickets) => tickets.map(add),
    remove: async (key) => void entries.delete(key),
    reject: async (key, rejection) => {
      const entry = entries.get(key);
      if (entry) entries.set(key, { ...entry, rejection });
    },
    renew: async (key, ticket) => {
      entries.delete(key);
      return add(ticket);
    },
    adopt: async (adopted) => {
      for (const entry of adopted) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    },
    remember: async (appliances) => {
      remembered = appliances;
    },
    recall: async () => remembered,
    close() {},
  };
}
