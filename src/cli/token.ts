// The commands `token admin` and `token terminal NAME`: make a token and show it this once. With an appliance running on
// the folder they go through it; without one they open the books themselves, under the same lock, and close them again.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createAppliance } from '../appliance.ts';
import { assets } from '../assets.ts';
import type { Settings } from '../config.ts';
import { createHttpApp } from '../edges/http/app.ts';
import { createLog } from '../edges/log.ts';
import { systemClock, systemRandom, systemTimers } from '../edges/system.ts';
import type { Transport } from '../ports.ts';
import { askRunning } from './console.ts';
import { applianceConfig, type House, noteClosing, noteOpened, openHouse } from './house.ts';

type Told = { ok: true; text: string } | { ok: false; detail: string };

type TokenRequest = { readonly path: string; readonly body: object };

const refused = (detail: string): Told => ({ ok: false, detail });

/** The shop's admin token, which takes the place of the one before; or, with a name, that of a new till. */
export async function makeToken(settings: Settings, terminalName: string | null): Promise<Told> {
  if (isNeverStarted(settings.data)) return refused(notStarted(settings.data));
  const request =
    terminalName === null
      ? { path: '/api/v1/admin-token', body: {} }
      : { path: '/api/v1/terminals', body: { name: terminalName } };
  const asked = await askRunning(settings.data, 'POST', request.path, request.body);
  if (asked.ok) return toldFrom(asked.status, asked.answer);
  if (asked.isRunning) return refused(asked.detail);
  const opened = openHouse(settings);
  if (!opened.ok) return opened;
  try {
    return await askClosed(settings, opened.house, request);
  } finally {
    opened.house.lock.release();
  }
}

const isNeverStarted = (folder: string): boolean => !existsSync(join(folder, 'identity.json'));
const notStarted = (folder: string): string =>
  `no appliance was ever started on the data folder ${folder}; run "tillmesh start", or name another with --data`;

/** The same request as to a running one, without a socket. */
async function askClosed(settings: Settings, house: House, { path, body }: TokenRequest): Promise<Told> {
  const { identity, crypto, openDatabase } = house;
  const log = createLog('error', process.stderr.isTTY === true);
  const system = { clock: systemClock, timers: systemTimers, random: systemRandom, crypto, log, openDatabase };
  const ports = { ...system, signer: identity.signer, transport: noTransport };
  const appliance = createAppliance(
    ports,
    applianceConfig({ ...settings, peers: [] }, house, { port: 0, meshPort: 0 }),
  );
  if ('detail' in appliance) return refused(appliance.detail);
  noteOpened(house, appliance);
  const token = Buffer.from(systemRandom.bytes(32)).toString('base64url');
  const adminTokenHash = Buffer.from(crypto.sha256(token)).toString('hex');
  const { version, publicFiles } = assets;
  const app = createHttpApp(appliance, {
    ...system,
    version,
    publicFiles,
    adminTokenHashes: () => [adminTokenHash],
    rateLimit: false,
  });
  const response = await app.request(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const told = toldFrom(response.status, await response.json());
  noteClosing(house, appliance);
  appliance.stop();
  return told;
}

const noTransport: Transport = {
  dial: (_address, done) => systemTimers.soon(() => done({ ok: false, reason: 'only the books are open' })),
};

function toldFrom(status: number, answer: unknown): Told {
  const { token, detail, errors } = answer as { token?: string; detail?: string; errors?: { detail: string }[] };
  if (status === 201 && token) return { ok: true, text: token };
  return refused([detail ?? `answered with ${status}`, ...(errors ?? []).map((error) => error.detail)].join(' '));
}
