// The whole appliance without a socket: tests and the simulation drive this, main.ts gives it real edges.

import type { Books } from './core/books.ts';
import type { Command, Outcome } from './core/command.ts';
import { epochAfterLoss, originOf } from './core/heads.ts';
import { base32, replicaIdOf } from './core/identity.ts';
import { epochMax } from './core/limits.ts';
import { type Dot, hex } from './core/op.ts';
import { createFeed, type Feed } from './feed/feed.ts';
import { createMesh } from './mesh/create-mesh.ts';
import type { Mesh } from './mesh/mesh.ts';
import { prepareBooks } from './mesh/trust/prepare-books.ts';
import type { Welcome } from './mesh/trust/wish.ts';
import { recordSync } from './observe/history.ts';
import { createObserve, type Observe } from './observe/observe.ts';
import type { Connection, Ports, ShopOfKey } from './ports.ts';
import { createRealtime, type Realtime } from './realtime/realtime.ts';
import { fromWire, toWire } from './realtime/wire.ts';
import { createGroupCommit } from './storage/group-commit.ts';
import type { Migration } from './storage/migrate.ts';
import type { OpenConfig, OpenFailure } from './storage/open.ts';
import { createStorage } from './storage/storage.ts';
import type { Unit } from './storage/unit.ts';

export type ApplianceConfig = {
  /** Path of the database file; its folder exists. */
  databasePath: string;
  /** Shop id: ops of another shop are refused. */
  shop: string;
  /** What follows from the configured shop key; null where none is configured. */
  shopKey: ShopOfKey | null;
  name: string;
  version: string;
  /** host:port of peers' mesh ports. */
  staticPeers: readonly string[];
  /** False when an identity was there before: then a missing database is a lost one, not a new appliance. */
  isFirstStart: boolean;
  /** Replica id under which it wrote before it took the present key; it trusts that one. */
  formerId: string | null;
  /**
   * How often it was started, with this time; null where that is not counted. Books that say otherwise are not those that
   * this appliance left behind: an older copy, or another's.
   */
  starts: number | null;
  /** This folder on this machine: books of another home may be a copy, whose original runs on. Null where unknown. */
  home: string | null;
  /** How far it had written when it was last stopped in order; null where that is not known. */
  wroteUpTo: Dot | null;
  /** The highest epoch under which it is known to have written; 0 for none. Lost books, or older ones, go on above it. */
  epoch: number;
  /** In order; from assets.ts. */
  migrations: readonly Migration[];
  /** Our own HTTP and mesh port, for status and HELLO; 0 where there is none. */
  port: number;
  meshPort: number;
  /** Under which tills and pages reach it now, such as "http://10.0.0.1:3030"; nowhere without it. */
  origins?: () => readonly string[];
};

export type Appliance = {
  readonly replicaId: string;
  readonly shop: string;
  /** Runs a command in the next commit; `done` is called once, after the fsync. Never throws. */
  execute<Result>(command: Command<Result>, done: (outcome: Outcome<Result>) => void): void;
  readonly books: Books;
  readonly feed: Feed;
  readonly mesh: Mesh;
  readonly observe: Observe;
  readonly realtime: Realtime;
  /**
   * Makes, in another file, the books with which this appliance begins in the shop that let it in; with its own brought
   * along. How many intents that were, or why it failed.
   */
  prepareFor(welcome: Welcome, databasePath: string): { ok: true; carried: number } | StartFailure;
  /** A connection that another appliance dialed. */
  accept(connection: Connection): void;
  /** Whether writes are possible now, and if not, a sentence that says why. */
  readiness(): { ready: true } | { ready: false; detail: string };
  /** Epoch, the last op that it has written itself under it, if any, and whether its books hold anybody's word. */
  soFar(): { epoch: number; wroteUpTo: Dot | null; isInUse: boolean };
  /** Closes links and the database; calls back nothing any more. */
  stop(): void;
};

export type ApplianceEvents = {
  /** Another shop has let this appliance in, as it asked: it is of that shop once it starts with the books of `prepareFor`. */
  readonly welcomed?: (welcome: Welcome) => void;
};

/** Why an appliance could not start; nothing was changed. */
export type StartFailure = OpenFailure;

/** Opens the books and starts the mesh. Expected failures come back as values. */
export function createAppliance(
  ports: Ports,
  config: ApplianceConfig,
  events: ApplianceEvents = {},
): Appliance | StartFailure {
  const replicaId = replicaIdOf(ports.crypto.sha256, ports.signer.publicKey);
  const opened = createStorage(ports, openConfig(ports, config, replicaId), { committed: wake });
  if ('detail' in opened) return opened;
  const storage = opened;
  const feed = createFeed(storage, config.shop);
  const mesh = createMesh(
    ports,
    storage,
    { ...config, replicaId, origins: config.origins ?? (() => []) },
    {
      recordSync: (row) => recordSync(storage, row),
      welcomed: (welcome) => events.welcomed?.(welcome),
      alarmed: (code, detail) => realtime.publishError(code, detail),
      appliancesChanged: () => realtime.tellHere('appliances'),
      live: {
        heard: (message) => realtime.receive(fromWire(message), message.ageMs),
        after: (number) =>
          realtime.waitingAfter(number).map((one) => ({ number: one.number, message: toWire(one.message, one.ageMs) })),
        lastNumber: () => realtime.lastNumber(),
        replayFrom: () => realtime.replayFrom(),
      },
    },
  );
  const realtime = createRealtime(
    ports,
    { feed, books: storage.books },
    { replicaId, newId: () => newId(ports) },
    { published: () => mesh.wakeLive() },
  );
  const commands = createGroupCommit(ports, storage, () => newId(ports));
  function wake(unit: Unit | null): void {
    feed.wake();
    mesh.wake(unit);
    realtime.wake();
  }
  mesh.start();
  return {
    replicaId,
    shop: config.shop,
    execute: commands.execute,
    books: storage.books,
    feed,
    mesh,
    observe: createObserve(storage),
    realtime,
    accept: mesh.accept,
    prepareFor: (welcome, databasePath) =>
      prepareBooks(
        ports,
        { ...openConfig(ports, config, replicaId), ...newBooks(ports, welcome, databasePath, storage.state().epoch) },
        storage,
        welcome,
      ),
    readiness() {
      const trouble = storage.trouble();
      return trouble ? { ready: false, detail: trouble.detail } : { ready: true };
    },
    soFar() {
      const { origins, epoch } = storage.state();
      const origin = originOf(replicaId, epoch);
      const number = origins.get(origin)?.head ?? 0;
      return { epoch, wroteUpTo: number > 0 ? { origin, number } : null, isInUse: origins.size > 0 };
    },
    stop() {
      realtime.stop();
      mesh.stop();
      storage.close();
    },
  };
}

function openConfig(ports: Ports, config: ApplianceConfig, replicaId: string): OpenConfig {
  return {
    path: config.databasePath,
    migrations: config.migrations,
    shop: config.shop,
    replicaId,
    newFeedId: base32(ports.random.bytes(10)),
    newEpoch: config.isFirstStart
      ? 1
      : Math.min(Math.max(epochAfterLoss(ports.clock.now()), config.epoch + 1), epochMax),
    starts: config.starts,
    home: config.home,
    wroteUpTo: config.wroteUpTo,
    epoch: config.epoch,
    chance: ports.random.fraction(),
  };
}

/** It may have been of that shop before: an epoch above all that it ever had, in whatever shop, has no number used. */
const newBooks = (ports: Ports, { shop }: Welcome, path: string, epoch: number) => ({
  path,
  shop,
  newEpoch: Math.min(Math.max(epochAfterLoss(ports.clock.now()), epoch) + 1, epochMax),
});

/** UUIDv7 (RFC 9562): sorts by time of making, 74 bits of chance. */
function newId(ports: Ports): string {
  const bytes = ports.random.bytes(16);
  const ms = Math.max(0, Math.trunc(ports.clock.now()));
  for (let index = 0; index < 6; index++) bytes[index] = Math.floor(ms / 2 ** (8 * (5 - index))) & 0xff;
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
