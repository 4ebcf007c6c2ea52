// The one file, alone in an empty folder, on both runtimes: it starts, sells, stops; and two of them, one of each
// runtime, form a shop.

import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { type ApplianceProcess, createApi, startAppliance, until } from '../src/demo/appliance-process.ts';
import { bun, emptyFolderWithFile, node, type Runtime, runToEnd } from './built-file.ts';

const adminToken = randomBytes(24).toString('base64url');
const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

type Start = { runtime: Runtime; args?: string[]; env?: Record<string, string> };

async function start({ runtime, args = [], env = {} }: Start): Promise<ApplianceProcess & { folder: string }> {
  const { folder, file, remove } = emptyFolderWithFile();
  cleanUp.push(remove);
  const ports = ['--port', '0', '--mesh-port', '0', '--no-mdns', '--log-level', 'warn'];
  const variables = { TILLMESH_ADMIN_TOKEN: adminToken, ...env };
  const appliance = await startAppliance([runtime.path, file], runtime.name, [...ports, ...args], variables, folder);
  cleanUp.push(() => appliance.stop());
  return { ...appliance, folder };
}

const sale = (id: string) => ({
  id,
  kind: 'sale',
  currency: 'EUR',
  lines: [{ productId: 'coffee', name: 'Coffee', quantity: 2, unitPrice: 250, taxRate: 1000, total: 500 }],
  payments: [{ method: 'cash', amount: 500 }],
  total: 500,
  soldAt: '2026-03-14T09:00:00Z',
});

const coffee = { id: 'coffee', name: 'Coffee', price: 250, currency: 'EUR', taxRate: 1000 };

type Digest = Record<string, unknown> & { heads: Record<string, number> };

describe.each([node, bun])('on $name', (runtime) => {
  test.skipIf(!runtime.isHere)('starts in an empty folder, makes a first sale, stops with exit 0', async () => {
    const appliance = await start({ runtime });

    expect((await fetch(`${appliance.url}/healthz`)).status).toBe(200);
    const version = (await (await fetch(`${appliance.url}/version`)).json()) as { version: string };
    expect(version.version).toMatch(/^\d+\.\d+\.\d+$/);
    const unauthorised = await fetch(`${appliance.url}/api/v1/tickets`);
    expect(unauthorised.status).toBe(401);

    const admin = createApi(appliance.url, adminToken);
    await admin.post('/api/v1/products', coffee);
    await admin.post('/api/v1/tickets', sale('first-1'));
    expect(await admin.get('/api/v1/tickets/first-1')).toMatchObject({
      id: 'first-1',
      total: 500,
      flags: expect.anything(),
    });
    expect(await admin.get('/api/v1/stock/coffee')).toMatchObject({ productId: 'coffee', onHand: -2 });

    expect(await appliance.stop()).toBe(0);
    expect(readdirSync(appliance.folder).sort()).toEqual(['tillmesh-data', 'tillmesh.mjs']);
    expect(existsSync(join(appliance.folder, 'tillmesh-data', 'config.json'))).toBe(true);
  });

  test.skipIf(!runtime.isHere)('B1 what was sold is there after SIGKILL and a new start', async () => {
    const first = await start({ runtime });
    await createApi(first.url, adminToken).post('/api/v1/tickets', sale('kept-1'));
    first.kill();
    expect(await first.stop()).toBe(null);

    const file = join(first.folder, 'tillmesh.mjs');
    const args = ['--port', '0', '--mesh-port', '0', '--log-level', 'warn'];
    const env = { TILLMESH_ADMIN_TOKEN: adminToken };
    const second = await startAppliance([runtime.path, file], runtime.name, args, env, first.folder);
    cleanUp.push(() => second.stop());
    expect(await createApi(second.url, adminToken).get('/api/v1/tickets/kept-1')).toMatchObject({ id: 'kept-1' });
  });

  test.skipIf(!runtime.isHere)('says its version and what it can do without starting anything', async () => {
    const { folder, file, remove } = emptyFolderWithFile();
    cleanUp.push(remove);
    const version = await runToEnd([runtime.path, file, '--version'], { folder });
    expect(version).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    const help = await runToEnd([runtime.path, file, '--help'], { folder });
    expect(help).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('token terminal NAME') });
    expect(readdirSync(folder)).toEqual(['tillmesh.mjs']);
  });
});

test.skipIf(!bun.isHere)(
  'B3 a shop of one on Node and one on Bun: sold on either, readable on both, books equal',
  async () => {
    const env = { TILLMESH_SHOP_KEY: randomBytes(32).toString('base64url') };
    const onNode = await start({ runtime: node, env });
    const nodeAdmin = createApi(onNode.url, adminToken);
    const { meshPort } = await nodeAdmin.get<{ meshPort: number }>('/api/v1/p2p/status');
    const onBun = await start({ runtime: bun, env, args: ['--peer', `127.0.0.1:${meshPort}`] });
    const bunAdmin = createApi(onBun.url, adminToken);

    await nodeAdmin.post('/api/v1/products', coffee);
    await nodeAdmin.post('/api/v1/tickets', sale('node-1'));
    await bunAdmin.post('/api/v1/tickets', sale('bun-1'));

    const digests = () => Promise.all([nodeAdmin, bunAdmin].map((admin) => admin.get<Digest>('/api/v1/digest')));
    await until('both hold both tickets', 30_000, async () => {
      const [a, b] = await digests();
      return Object.keys(a?.heads ?? {}).length === 2 && isDeepStrictEqual(a, b);
    });
    for (const admin of [nodeAdmin, bunAdmin]) {
      expect(await admin.get('/api/v1/tickets/node-1')).toMatchObject({ total: 500 });
      expect(await admin.get('/api/v1/tickets/bun-1')).toMatchObject({ total: 500 });
      expect(await admin.get('/api/v1/stock/coffee')).toMatchObject({ onHand: -4 });
      expect(await admin.get('/api/v1/p2p/status')).toMatchObject({ connected: 1 });
    }
  },
);
