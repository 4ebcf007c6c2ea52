// The whole appliance without a socket: tests and the simulation drive this, main.ts gives it real edges.

import type { Books } from './core/books.ts';
import type { Command, Outcome } from './core/command.ts';
import type { Feed } from './feed/feed.ts';
import type { Mesh } from './mesh/mesh.ts';
import type { Connection, Ports } from './ports.ts';
import type { Migration } from './storage/migrate.ts';

export type ApplianceConfig = {
  /** Path of the database file; its folder exists. */
  databasePath: string;
  /** Shop id: ops of another shop are refused. */
  shop: string;
  /** Key derived from the shop key, to prove membership with; null where none is configured. */
  shopKey: Uint8Array | null;
  name: string;
  version: string;
  /** host:port of peers' mesh ports. */
  staticPeers: readonly string[];
  /** In order; from assets.ts. */
  migrations: readonly Migration[];
  /** Our own HTTP and mesh port, for status and HELLO; 0 where there is none. */
  port: number;
  meshPort: number;
};

export type Appliance = {
  readonly replicaId: string;
  readonly shop: string;
  /** Runs a command in the next commit; `done` is called once, after the fsync. Never throws. */
  execute<Result>(command: Command<Result>, done: (outcome: Outcome<Result>) => void): void;
  readonly books: Books;
  readonly feed: Feed;
  readonly mesh: Mesh;
  /** A connection that another appliance dialed. */
  accept(connection: Connection): void;
  /** Whether writes are possible now, and if not, a sentence that says why. */
  readiness(): { ready: true } | { ready: false; detail: string };
  /** Closes links and the database; calls back nothing any more. */
  stop(): void;
};

export declare function createAppliance(ports: Ports, config: ApplianceConfig): Appliance;
