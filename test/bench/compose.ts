// An appliance composed here from the sources, on a data folder as the built file makes one: for what cannot be asked of
// the built file, such as other ports or 200,000 tickets within seconds.

import { type Appliance, createAppliance } from '../../src/appliance.ts';
import { applianceConfig, openHouse } from '../../src/cli/house.ts';
import type { Settings } from '../../src/config.ts';
import { httpPortLimits } from '../../src/core/limits.ts';
import { createRequestListener, openHttpServer } from '../../src/edges/http/server.ts';
import { createDoor } from '../../src/edges/peer/door.ts';
import { systemClock, systemRandom, systemTimers } from '../../src/edges/system.ts';
import type { Log, Timers } from '../../src/ports.ts';

export const quietLog: Log = { debug() {}, info() {}, warn: console.error, error: console.error };

export type Composed = { readonly appliance: Appliance; close(): void };

export function compose(folder: string, shopKey: string, timers: Timers = systemTimers): Composed {
  const settings: Settings = {
    data: folder,
    port: 0,
    meshPort: 0,
    host: '127.0.0.1',
    name: 'bench',
    peers: [],
    mdns: false,
    mdnsInterfaces: null,
    mdnsPort: 5353,
    shopKey,
    adminToken: null,
    rateLimit: false,
    hosts: [],
    corsOrigins: [],
    httpsOnly: false,
    logLevel: 'warn',
  };
  const opened = openHouse(settings);
  if (!opened.ok) throw new Error(opened.detail);
  const { house } = opened;
  const appliance = createAppliance(
    {
      clock: systemClock,
      timers,
      random: systemRandom,
      crypto: house.crypto,
      signer: house.identity.signer,
      log: quietLog,
      transport: { dial: (_address, done) => systemTimers.soon(() => done({ ok: false, reason: 'no network' })) },
      openDatabase: house.openDatabase,
    },
    applianceConfig(settings, house, { port: 0, meshPort: 0 }),
  );
  if ('detail' in appliance) throw new Error(appliance.detail);
  return {
    appliance,
    close() {
      appliance.stop();
      house.lock.release();
    },
  };
}

/** On the appliance's own kind of HTTP server, on loopback; tells the port. */
export async function serve(fetch: (request: Request) => Response | Promise<Response>): Promise<number> {
  const listener = createRequestListener(fetch, quietLog, () => true);
  const visitors = createDoor(systemTimers, httpPortLimits);
  const opened = await openHttpServer({
    listener,
    visitors,
    host: '127.0.0.1',
    port: 0,
    timers: systemTimers,
    log: quietLog,
  });
  if (!opened.ok) throw new Error(opened.detail);
  return opened.server.port;
}
