// Runs inside host 2 of a lab: starts the full appliance on host 1 and a fresh one here, links them, and prints what the
// fresh one tells of its progress each second, then one line of JSON: milliseconds from the word to link until the books
// are equal, and bytes. Argument: what newcomer-lab.ts hands over, as JSON.

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { createApi, startAppliance } from '../../src/demo/appliance-process.ts';
import type { PeerStatus } from '../../src/mesh/mesh.ts';

export type HostOrder = {
  readonly lanlab: string;
  readonly file: string;
  readonly fullFolder: string;
  readonly freshFolder: string;
  readonly shopKey: string;
  readonly adminToken: string;
  readonly net: string;
};
export type HostResult = { readonly ms: number; readonly bytes: number; readonly counts: Record<string, number> };

const order = JSON.parse(process.argv[2] ?? '{}') as HostOrder;
const waitMsMax = 300_000;
const env = { TILLMESH_SHOP_KEY: order.shopKey, TILLMESH_ADMIN_TOKEN: order.adminToken };
const argsFor = (folder: string): string[] => [
  '--host',
  '0.0.0.0',
  '--data',
  folder,
  '--port',
  '3030',
  '--mesh-port',
  '3031',
  '--no-mdns',
  '--rate-limit',
  'off',
  '--log-level',
  'warn',
];

const there = [order.lanlab, 'exec', '1', process.execPath, order.file] as const;
const full = await startAppliance(there, 'full', argsFor(order.fullFolder), env, process.cwd());
const fresh = await startAppliance(
  [process.execPath, order.file],
  'fresh',
  argsFor(order.freshFolder),
  env,
  process.cwd(),
);
const fullApi = createApi(`http://${order.net}.1:3030`, order.adminToken);
const freshApi = createApi(fresh.url, order.adminToken);
try {
  await freshApi.post('/api/v1/p2p/toggle', { enabled: false });
  await freshApi.post('/api/v1/peers', { address: `${order.net}.1:3031` });
  const wanted = (await fullApi.get<{ counts: Record<string, number> }>('/api/v1/gossip/info')).counts;
  const startedAt = performance.now();
  await freshApi.post('/api/v1/p2p/toggle', { enabled: true });
  for (let asked = 0; !(await hasAll(wanted)); asked++) {
    if (performance.now() - startedAt > waitMsMax) throw new Error('it did not get there');
    if (asked % 20 === 19) console.log(await progress());
    await sleep(50);
  }
  const ms = performance.now() - startedAt;
  const [a, b] = await Promise.all([fullApi, freshApi].map((api) => api.get('/api/v1/digest')));
  if (!isDeepStrictEqual(a, b)) throw new Error('as many rows, but other books');
  const { totalBytesReceived: bytes } = await freshApi.get<{ totalBytesReceived: number }>('/api/v1/p2p/stats');
  const result: HostResult = { ms, bytes, counts: wanted };
  console.log(JSON.stringify(result));
} finally {
  await Promise.all([full.stop(), fresh.stop()]);
}

async function hasAll(wanted: Record<string, number>): Promise<boolean> {
  const { counts } = await freshApi.get<{ counts: Record<string, number> }>('/api/v1/gossip/info');
  return isDeepStrictEqual(counts, wanted);
}

async function progress(): Promise<string> {
  const { peers } = await freshApi.get<{ peers: PeerStatus[] }>('/api/v1/p2p/status');
  const { state, behind, snapshot } = peers[0] ?? {};
  if (!snapshot) return `${state}, ${behind} behind`;
  return `${state}, ${snapshot.step}: ${snapshot.chunksDone} of ${snapshot.chunks} chunks, ${behind} ops behind`;
}
