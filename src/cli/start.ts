// The command `start`: puts the real edges around the appliance, serves, and takes it all down again in order. Decides
// nothing but who is handed to whom.

import { type Appliance, createAppliance } from '../appliance.ts';
import { assets } from '../assets.ts';
import type { Settings } from '../config.ts';
import { hex } from '../core/op.ts';
import { systemBulk } from '../edges/bulk.ts';
import { createHttpApp } from '../edges/http/app.ts';
import { createLog } from '../edges/log.ts';
import { createTransport } from '../edges/peer/transport.ts';
import { makeRoomForShortLived, releaseAtRest } from '../edges/rest.ts';
import { systemClock, systemRandom, systemTimers } from '../edges/system.ts';
import type { Discovery, Log } from '../ports.ts';
import { certificateOf } from './certificate.ts';
import { type Change, createChange } from './change.ts';
import { openClaim } from './claim-code.ts';
import { closeConsoleDoor, openConsoleDoor } from './console.ts';
import { type Doors, openDoors } from './doors.ts';
import {
  applianceConfig,
  type House,
  isHouse,
  noteClosing,
  noteOpened,
  openHouse,
  type Refused,
  reopenHouse,
} from './house.ts';
import { portTrouble } from './ports-free.ts';

export type Running = {
  readonly ok: true;
  readonly url: string;
  /** To make the first admin with; null where there is one already. */
  readonly claimCode: string | null;
  readonly log: Log;
  stop(): Promise<void>;
};

const refused = (detail: string): Refused => ({ ok: false, detail });

export async function start(settings: Settings): Promise<Running | Refused> {
  // What is written from here on is for this user alone.
  process.umask(0o077);
  // On a new folder nothing may be written before the ports are known to be free; on one in use, that is the news.
  const isNew = !isHouse(settings.data);
  const early = isNew ? await portTrouble(settings) : undefined;
  if (early) return refused(early);
  const opened = openHouse(settings);
  if (!opened.ok) return opened;
  const { house } = opened;
  const late = isNew ? undefined : await portTrouble(settings);
  const running = late ? refused(late) : await keepServing(settings, house);
  if (!running.ok) {
    house.traces.remove();
    house.lock.release();
  }
  return running;
}

/** Serves, and serves again as another when the appliance has joined another shop or taken a new identity. */
async function keepServing(settings: Settings, house: House): Promise<Running | Refused> {
  let serving: Promise<Serving | Refused>;
  let isStopping = false;
  const again: Again = (before, last) => {
    serving = (async () => {
      await before.stop(last);
      if (isStopping) return refused('stopping');
      const reopened = reopenHouse(settings, house);
      const { port, meshPort } = before;
      const next = reopened.ok ? await serve({ ...settings, port, meshPort }, reopened.house, again) : reopened;
      // Whoever supervises us starts us again.
      if (!next.ok && !isStopping) before.log.error('stopping: it cannot serve again', { detail: next.detail });
      if (!next.ok && !isStopping) process.exit(1);
      return next;
    })();
  };
  serving = serve(settings, house, again);
  const first = await serving;
  if (!first.ok) return first;
  const stop = async (): Promise<void> => {
    isStopping = true;
    const last = await serving;
    if (last.ok) await last.stop();
    house.lock.release();
    first.log.info('stopped');
  };
  return { ok: true, url: first.url, claimCode: first.claimCode, log: first.log, stop };
}

type Serving = Omit<Running, 'stop'> & {
  readonly port: number;
  readonly meshPort: number;
  /** `last` runs when nobody is served any more, before the books are closed. */
  stop(last?: () => void): Promise<void>;
};
type Again = (before: Serving, last: () => void) => void;

async function serve(settings: Settings, house: House, again: Again): Promise<Serving | Refused> {
  const log = createLog(settings.logLevel, process.stderr.isTTY === true);
  const credentials = await certificateOf(settings, house);
  if ('detail' in credentials) return refused(credentials.detail);
  const opened = await openDoors(settings, credentials, { log, timers: systemTimers });
  if (!opened.ok) return opened;
  const { doors } = opened;
  const transport = createTransport(credentials, systemTimers);
  const { crypto, openDatabase, identity } = house;
  const discovery = await discoveryOf(settings, log);
  const ports = {
    ...(discovery && { discovery }),
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    crypto,
    log,
    transport,
    openDatabase,
    bulk: systemBulk,
  };
  const change = createChange(house, log, (last) => again(serving, last));
  const appliance = createAppliance({ ...ports, signer: identity.signer }, applianceConfig(settings, house, doors), {
    welcomed: (welcome) => change.join(appliance, welcome),
  });
  if ('detail' in appliance) {
    await doors.close();
    return refused(appliance.detail);
  }
  noteOpened(house, appliance);
  const shown = openHttp(settings, house, appliance, doors, credentials.certificatePem, log, change);
  makeRoomForShortLived();
  const rest = releaseAtRest({ timers: systemTimers });
  const stop = async (last?: () => void): Promise<void> => {
    rest.stop();
    closeConsoleDoor(house.folder);
    shown.stopping.abort();
    await doors.close();
    last?.();
    noteClosing(house, appliance);
    appliance.stop();
    await discovery?.stop();
    transport.close();
  };
  const { url, claimCode } = shown;
  const { replicaId, shop } = appliance;
  log.info('serving', { version: assets.version, url, meshPort: doors.meshPort, replicaId, shop, data: house.folder });
  const serving: Serving = { ok: true, url, claimCode, log, port: doors.port, meshPort: doors.meshPort, stop };
  return serving;
}

/** An appliance that listens on loopback alone has nothing to say to a network, unless it is told on which. */
async function discoveryOf(settings: Settings, log: Log): Promise<Discovery | undefined> {
  const { mdns, mdnsInterfaces, mdnsPort, host } = settings;
  const isAlone = host !== null && (host === 'localhost' || host === '::1' || host.startsWith('127.'));
  if (!mdns || (isAlone && !mdnsInterfaces)) return undefined;
  // Only now: its library costs a start some milliseconds.
  const { createDiscovery } = await import('../edges/discovery/discovery.ts');
  const system = { timers: systemTimers, clock: systemClock, random: systemRandom };
  return createDiscovery({ ...system, log, port: mdnsPort, interfaces: mdnsInterfaces });
}

/** From here on requests are answered. */
function openHttp(
  settings: Settings,
  house: House,
  appliance: Appliance,
  doors: Doors,
  certificatePem: string,
  log: Log,
  change: Change,
) {
  const { adminToken, rateLimit, corsOrigins, httpsOnly } = settings;
  const consoleToken = Buffer.from(systemRandom.bytes(32)).toString('base64url');
  const hashOf = (token: string): string => hex(house.crypto.sha256(token));
  const adminTokenHashes = adminToken === null ? [] : [hashOf(adminToken)];
  // In a shop that it has joined, whoever minds that shop is the owner, though no word of them has come yet.
  const isOwned = adminToken !== null || house.identity.joinedShop !== null;
  const opened = openClaim(house.folder, appliance.books, { isOwned, log });
  const stopping = new AbortController();
  const app = createHttpApp(appliance, {
    version: assets.version,
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    log,
    adminTokenHashes: () => adminTokenHashes,
    consoleTokenHash: hashOf(consoleToken),
    publicFiles: assets.publicFiles,
    rateLimit,
    claim: opened?.claim ?? null,
    corsOrigins,
    httpsOnly,
    httpsPort: doors.meshPort,
    certificatePem,
    stopping: stopping.signal,
    renewIdentity: (by) => change.renew(appliance, by),
  });
  doors.open(appliance, (request, visit) => app.fetch(request, visit));
  const url = urlOf(settings.host, doors.port);
  openConsoleDoor(house.folder, { url, token: consoleToken, pid: process.pid, replicaId: appliance.replicaId });
  return { url, claimCode: opened?.shown ?? null, stopping };
}

/** As this machine reaches it: an address that stands for all of them is none to ask. */
function urlOf(host: string | null, port: number): string {
  const isAll = host === null || host === '0.0.0.0' || host === '::';
  const name = isAll ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}
