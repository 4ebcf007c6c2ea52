// Appliances in folders of their own, started from the built file and spoken to as an installer does: at the console, and
// over HTTP.

import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type ApplianceProcess, createApi, startAppliance } from '../src/demo/appliance-process.ts';
import { type Ended, emptyFolderWithFile, node, type Runtime, runToEnd } from './built-file.ts';
import { until } from './waiting.ts';

const token = 'a-token-for-the-tests-of-joining';
const env = { TILLMESH_ADMIN_TOKEN: token };

type Peer = {
  id: string | null;
  name: string | null;
  trust: string;
  state: string;
  words: string;
  address: string;
};
type Status = {
  replicaId: string;
  words: string;
  shop: string;
  meshPort: number;
  connected: number;
  peers: Peer[];
  alarms: { code: string; detail: string }[];
};
type Digest = { heads: Record<string, number>; tickets: string };

export type Place = {
  readonly data: string;
  start(name: string, ...args: string[]): Promise<Running>;
  run(...args: string[]): Promise<Ended>;
};
export type Running = ApplianceProcess & {
  readonly mesh: string;
  status(): Promise<Status>;
  digest(): Promise<Digest>;
  sell(id: string): Promise<void>;
  hasTicket(id: string): Promise<boolean>;
};

export function newPlace(runtime: Runtime = node, data?: string, more: Record<string, string> = {}): Place {
  const { folder, file, remove } = emptyFolderWithFile();
  onTestFinished(remove);
  const dataFolder = data ?? join(folder, 'tillmesh-data');
  return {
    data: dataFolder,
    run: (...args) =>
      runToEnd([runtime.path, file, ...args, '--data', dataFolder], { folder, env: { ...env }, msMax: 60_000 }),
    async start(name, ...args) {
      const ports = ['--port', '0', '--mesh-port', '0', '--no-mdns', '--log-level', 'error'];
      const words = [...ports, '--data', dataFolder, ...args];
      const process = await startAppliance([runtime.path, file], name, words, { ...env, ...more }, folder);
      onTestFinished(async () => void (await process.stop()));
      return running(process);
    },
  };
}

async function running(process: ApplianceProcess): Promise<Running> {
  const api = createApi(process.url, token);
  const status = () => api.get<Status>('/api/v1/p2p/status');
  const { meshPort } = await status();
  return {
    ...process,
    mesh: `127.0.0.1:${meshPort}`,
    status,
    digest: () => api.get<Digest>('/api/v1/digest'),
    sell: async (id) => void (await api.post('/api/v1/tickets', sale(id))),
    hasTicket: async (id) => (await fetch(`${process.url}/api/v1/tickets/${id}`, { headers: bearer })).status === 200,
  };
}

export const bearer = { authorization: `Bearer ${token}` };
export const post = (to: ApplianceProcess, path: string, body: object): Promise<Response> =>
  fetch(to.url + path, {
    method: 'POST',
    headers: { ...bearer, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const sale = (id: string) => ({
  id,
  currency: 'EUR',
  lines: [{ productId: 'coffee', name: 'Coffee', quantity: 1, unitPrice: 250, total: 250 }],
  payments: [{ method: 'cash', amount: 250 }],
  total: 250,
});

export const equal = (...all: Running[]): Promise<void> =>
  until(
    `equal books at ${all.map(({ name }) => name).join(', ')}`,
    async () => {
      const digests = await Promise.all(all.map((one) => one.digest()));
      const texts = digests.map(({ heads, ...parts }) => JSON.stringify([Object.entries(heads).sort(), parts]));
      return new Set(texts).size === 1;
    },
    60_000,
  );

export async function codeOf(place: Place): Promise<string> {
  const { stdout, code } = await place.run('join-code');
  expect(code).toBe(0);
  return stdout.split('\n')[0] ?? '';
}

/** Bar with a sale, and Cellar that joined it. */
export async function openShop(runtime?: Runtime) {
  const places = { bar: newPlace(), cellar: newPlace(runtime) };
  const bar = await places.bar.start('bar');
  await bar.sell('before');
  const cellar = await places.cellar.start('cellar');
  const joined = await places.cellar.run('join', await codeOf(places.bar), '--peer', bar.mesh);
  expect(joined).toMatchObject({ code: 0, stderr: '' });
  expect(joined.stdout).toMatch(/Let in by bar[\s\S]*holds the whole books: 0 products, 0 customers, 1 tickets/);
  return { places, bar, cellar };
}
