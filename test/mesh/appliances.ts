// Whole appliances in one process: real SQLite in a folder of their own, real TLS edges on loopback, and time that runs
// faster, so that a heartbeat of 5 s is seen in half a second. A shop is a few of them with one key.

import crypto, { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Appliance, createAppliance } from '../../src/appliance.ts';
import { assets } from '../../src/assets.ts';
import { createTicket } from '../../src/commands/create-ticket.ts';
import { putRecord } from '../../src/commands/put-record.ts';
import type { TicketBody } from '../../src/commands/ticket-body.ts';
import type { Command, Outcome } from '../../src/core/command.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { systemBulk } from '../../src/edges/bulk.ts';
import { openPeerServer } from '../../src/edges/peer/server.ts';
import { createTransport } from '../../src/edges/peer/transport.ts';
import {
  createOpenDatabase,
  createSystemCrypto,
  systemClock,
  systemRandom,
  systemTimers,
} from '../../src/edges/system.ts';
import type { Welcome } from '../../src/mesh/trust/wish.ts';
import type { Bulk, Clock, Log, OpenDatabase, Signer, Timers, Transport } from '../../src/ports.ts';
import { makeSomeone, type Someone, silentLog } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { createWire, type Wire } from './wire.ts';

export const shopId = 'abcdefghijklmnopqrstuvwxyz';
export const shopKey = new Uint8Array(32).fill(7);

export type Logged = { level: keyof Log; message: string; facts: Record<string, unknown> };

export type TestAppliance = {
  readonly appliance: Appliance;
  readonly name: string;
  readonly id: string;
  readonly who: Someone;
  /** host:port of the mesh port. */
  readonly address: string;
  readonly databasePath: string;
  /** Shops that have let it in, as it asked. */
  readonly welcomes: readonly Welcome[];
  readonly log: readonly Logged[];
  /** What went over all of its connections. */
  readonly wire: Wire;
  run<Result>(command: Command<Result>): Promise<Outcome<Result>>;
  /** Sells one of a product; rejects when it is refused. */
  sell(ticketId: string, more?: Partial<TicketBody>): Promise<void>;
  put(productId: string, document: JsonObject): Promise<void>;
  stop(): Promise<void>;
};

export type ApplianceOptions = {
  peers?: readonly string[];
  who?: Someone;
  shopKey?: Uint8Array | null;
  /** Of the shop that it is of, and of that which the shop key makes. */
  shop?: string;
  keyShop?: string;
  /** A folder to keep after the stop, for another start on it. */
  folder?: string;
  isFirstStart?: boolean;
  /** Under which it is known to have written. */
  epoch?: number;
  formerId?: string;
  openDatabase?: OpenDatabase;
  /** Null: an appliance that knows no snapshots. */
  bulk?: Bulk | null;
  clock?: Partial<Clock>;
  /** Addresses that it can dial; all of them without it. */
  reaches?: ReadonlySet<string>;
  /** Its mesh port; one that is free without it. */
  port?: number;
  /** Under which it says that it serves tills. */
  origins?: readonly string[];
  /** How much faster than real its timers run. */
  haste?: number;
};

/** Started and serving; stopped after the test. */
export async function openAppliance(name: string, options: ApplianceOptions = {}): Promise<TestAppliance> {
  const who = options.who ?? (await makeSomeone());
  const folder = options.folder ?? newFolder();
  const haste = options.haste ?? 10;
  const [clock, timers] = [hastyClock(haste, options.clock), hastyTimers(haste)];
  const log: Logged[] = [];
  const wire = createWire();
  let appliance: Appliance | undefined;
  const key = options.shopKey === undefined ? shopKey : options.shopKey;
  const welcomes: Welcome[] = [];
  const opened = await openPeerServer({
    credentials: who.credentials,
    host: '127.0.0.1',
    port: options.port ?? 0,
    timers: systemTimers,
    log: silentLog,
    onConnection: (connection) =>
      appliance ? appliance.accept(wire.watch(connection)) : connection.close('not there yet'),
    onRequest: (_request, response) => void response.end(),
  });
  if (!opened.ok) throw new Error(opened.detail);
  const edge = createTransport(who.credentials, systemTimers);
  const transport: Transport = {
    dial: (address, done) => {
      if (options.reaches?.has(address) === false)
        return void systemTimers.after(1, () => done({ ok: false, reason: 'no way there' }));
      edge.dial(address, (outcome) =>
        done(outcome.ok ? { ok: true, connection: wire.watch(outcome.connection) } : outcome),
      );
    },
  };
  const databasePath = join(folder, 'books.db');
  const created = createAppliance(
    {
      clock,
      timers,
      random: systemRandom,
      crypto: createSystemCrypto(),
      signer: signerOf(who),
      log: recorder(log),
      transport,
      openDatabase: options.openDatabase ?? createOpenDatabase(),
      ...(options.bulk !== null && { bulk: options.bulk ?? systemBulk }),
    },
    {
      databasePath,
      shop: options.shop ?? shopId,
      shopKey: key && { shop: options.keyShop ?? shopId, key },
      name,
      version: '0.0.0-test',
      staticPeers: options.peers ?? [],
      isFirstStart: options.isFirstStart ?? true,
      formerId: options.formerId ?? null,
      starts: null,
      home: null,
      wroteUpTo: null,
      epoch: options.epoch ?? 0,
      migrations: assets.migrations,
      port: 0,
      meshPort: opened.server.port,
      origins: () => options.origins ?? [],
    },
    { welcomed: (welcome) => welcomes.push(welcome) },
  );
  if ('detail' in created) throw new Error(created.detail);
  appliance = created;
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    created.stop();
    edge.close();
    await opened.server.close();
  };
  onTestFinished(stop);
  const run = <Result>(command: Command<Result>): Promise<Outcome<Result>> =>
    new Promise((resolve) => created.execute(command, resolve));
  return {
    appliance: created,
    name,
    id: created.replicaId,
    who,
    address: `127.0.0.1:${opened.server.port}`,
    databasePath,
    welcomes,
    log,
    wire,
    run,
    sell: async (ticketId, more) => accepted(await run(sale(ticketId, more))),
    put: async (id, document) => accepted(await run(putProduct(id, document))),
    stop,
  };
}

export const sale = (id: string, more: Partial<TicketBody> = {}) =>
  createTicket({ id, by: 'admin', body: { ...saleBody, ...more } as TicketBody });

export const saleBody = {
  kind: 'sale',
  currency: 'EUR',
  lines: [{ productId: 'coffee', name: 'Coffee', quantity: 1, unitPrice: 250, total: 250 }],
  payments: [{ method: 'cash', amount: 250 }],
  total: 250,
} as const;

export const putProduct = (id: string, document: JsonObject) =>
  putRecord({ entity: 'product', id, document, by: 'admin', mode: 'put' });

function accepted(outcome: Outcome<unknown>): void {
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.detail}`);
}

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-mesh-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function signerOf(who: Someone): Signer {
  const key = { key: createPrivateKey(who.credentials.privateKeyPem), dsaEncoding: 'ieee-p1363' } as const;
  return { publicKey: who.publicKey, sign: (message) => crypto.sign('sha256', message, key) };
}

const hastyClock = (haste: number, changes: Partial<Clock> = {}): Clock => ({
  now: systemClock.now,
  monotonic: () => systemClock.monotonic() * haste,
  ...changes,
});

const hastyTimers = (haste: number): Timers => ({
  after: (delayMs, run) => systemTimers.after(delayMs / haste, run),
  soon: systemTimers.soon,
});

const recorder = (lines: Logged[]): Log => {
  const at =
    (level: keyof Log): Log[typeof level] =>
    (message, facts = {}) =>
      void lines.push({ level, message, facts });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};

// What tests look for

export const statusOf = (one: TestAppliance) => one.appliance.mesh.status();

export const peerOf = (one: TestAppliance, other: { id: string }) =>
  statusOf(one).peers.find((peer) => peer.id === other.id);

export const isLinked = (one: TestAppliance, other: { id: string }): boolean =>
  ['connected', 'syncing'].includes(peerOf(one, other)?.state ?? '');

export const alarmsOf = (one: TestAppliance, code?: string) =>
  statusOf(one).alarms.filter((alarm) => code === undefined || alarm.code === code);

export const digestsOf = (one: TestAppliance) => ({
  ...one.appliance.books.digests(),
  heads: one.appliance.books.heads(),
});

export const hasTicket = (one: TestAppliance, id: string): boolean => one.appliance.books.ticket(id) !== undefined;

export const linked = (one: TestAppliance, other: TestAppliance, msMax?: number): Promise<void> =>
  until(`${one.name} and ${other.name} linked`, () => isLinked(one, other) && isLinked(other, one), msMax);

/** Waits until all of them hold equal books and the same ops. */
export const equal = (...all: TestAppliance[]): Promise<void> =>
  until(`equal books at ${all.map((one) => one.name).join(', ')}`, () => {
    const texts = all.map((one) => JSON.stringify(Object.entries(digestsOf(one)).map(([, value]) => sorted(value))));
    return new Set(texts).size === 1;
  });

const sorted = (value: unknown): unknown =>
  typeof value === 'object' && value !== null ? Object.entries(value).sort() : value;
