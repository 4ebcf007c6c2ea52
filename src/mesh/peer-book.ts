// What is known of each peer, kept over restarts: name, address, heads last heard, counters. Written when it
// matters and else seldom: memory cards wear.

import type { Heads } from '../core/heads.ts';
import { peersMax } from '../core/limits.ts';
import type { Storage } from '../storage/storage.ts';
import type { Counters, Link } from './link.ts';

export type PeerEntry = {
  readonly id: string;
  name: string;
  address: string | null;
  version: string | null;
  /** Under which it serves tills, as it says itself. */
  origins: readonly string[];
  /** What it is known to hold, durable. */
  heads: Heads;
  /** Unix milliseconds. */
  lastSeen: number | null;
  lastSync: number | null;
  verifiedEqualAt: number | null;
  /** Of links that have ended. */
  counters: Counters;
  reconnectAttempts: number;
  rttMs: number | null;
  clockOffsetMs: number | null;
  lastError: string | null;
  /** Processes that were linked under this key since our start, the present one last. */
  instances: string[];
};

type PeerRow = {
  id: string;
  name: string;
  address: string | null;
  version: string | null;
  origins: string;
  heads: string;
  last_seen: number | null;
  last_sync: number | null;
  verified_equal_at: number | null;
  messages_sent: number;
  messages_received: number;
  bytes_sent: number;
  bytes_received: number;
  reconnect_attempts: number;
};

export type PeerBook = {
  all(): PeerEntry[];
  get(id: string): PeerEntry | undefined;
  /** The entry of a peer, made on first sight, in the place of one that is not needed; undefined when the book is full. */
  meet(id: string, name: string, isNeeded?: (id: string) => boolean): PeerEntry | undefined;
  save(entry: PeerEntry): void;
  remove(id: string): void;
};

export function createPeerBook(storage: Storage): PeerBook {
  const rows = storage.handle().database.prepare('SELECT * FROM peers ORDER BY id').all() as PeerRow[];
  const entries = new Map(rows.map((row) => [row.id, entryOf(row)]));
  function remove(id: string): void {
    entries.delete(id);
    storage.note(({ database }) => {
      database.prepare('DELETE FROM peers WHERE id = ?').run(id);
    });
  }
  return {
    all: () => [...entries.values()],
    get: (id) => entries.get(id),
    meet(id, name, isNeeded = () => true) {
      const known = entries.get(id);
      if (known) return known;
      const spare = entries.size < peersMax ? undefined : [...entries.keys()].find((other) => !isNeeded(other));
      if (spare !== undefined) remove(spare);
      if (entries.size >= peersMax) return undefined;
      const entry = newEntry(id, name);
      entries.set(id, entry);
      return entry;
    },
    save(entry) {
      storage.note(({ database }) => {
        database.prepare(saveSql).run(rowOf(entry));
      });
    },
    remove,
  };
}

/** The counters of a link that has ended, added to its peer's. */
export function addCounters(entry: PeerEntry, { counters }: Link): void {
  entry.counters.messagesSent += counters.messagesSent;
  entry.counters.messagesReceived += counters.messagesReceived;
  entry.counters.bytesSent += counters.bytesSent;
  entry.counters.bytesReceived += counters.bytesReceived;
  entry.counters.lastPing = counters.lastPing;
  entry.counters.lastPong = counters.lastPong;
}

const columns = [
  'id',
  'name',
  'address',
  'version',
  'origins',
  'heads',
  'last_seen',
  'last_sync',
  'verified_equal_at',
  'messages_sent',
  'messages_received',
  'bytes_sent',
  'bytes_received',
  'reconnect_attempts',
];
const saveSql = `INSERT OR REPLACE INTO peers (${columns.join(', ')}) VALUES (${columns.map((column) => `@${column}`).join(', ')})`;

const newEntry = (id: string, name: string): PeerEntry => ({
  id,
  name,
  address: null,
  version: null,
  origins: [],
  heads: {},
  lastSeen: null,
  lastSync: null,
  verifiedEqualAt: null,
  counters: { messagesSent: 0, messagesReceived: 0, bytesSent: 0, bytesReceived: 0, lastPing: null, lastPong: null },
  reconnectAttempts: 0,
  rttMs: null,
  clockOffsetMs: null,
  lastError: null,
  instances: [],
});

const entryOf = (row: PeerRow): PeerEntry => ({
  ...newEntry(row.id, row.name),
  address: row.address,
  version: row.version,
  origins: JSON.parse(row.origins) as string[],
  heads: JSON.parse(row.heads) as Heads,
  lastSeen: row.last_seen,
  lastSync: row.last_sync,
  verifiedEqualAt: row.verified_equal_at,
  counters: {
    messagesSent: row.messages_sent,
    messagesReceived: row.messages_received,
    bytesSent: row.bytes_sent,
    bytesReceived: row.bytes_received,
    lastPing: null,
    lastPong: null,
  },
  reconnectAttempts: row.reconnect_attempts,
});

const rowOf = (entry: PeerEntry): PeerRow => ({
  id: entry.id,
  name: entry.name,
  address: entry.address,
  version: entry.version,
  origins: JSON.stringify(entry.origins),
  heads: JSON.stringify(entry.heads),
  last_seen: entry.lastSeen,
  last_sync: entry.lastSync,
  verified_equal_at: entry.verifiedEqualAt,
  messages_sent: entry.counters.messagesSent,
  messages_received: entry.counters.messagesReceived,
  bytes_sent: entry.counters.bytesSent,
  bytes_received: entry.counters.bytesReceived,
  reconnect_attempts: entry.reconnectAttempts,
});
