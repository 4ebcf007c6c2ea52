// The Mesh part of the contract over HTTP. Two appliances of one shop exchange by plain HTTP here, as a tool would.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { problems } from '../../src/edges/http/problems.ts';
import { openShop, type TestShop } from './appliance.ts';
import { logIn } from './people.ts';

/** Brings everything that `from` holds to `to`, and tells the results. */
async function carry(from: TestShop, to: TestShop): Promise<{ ok: boolean; code?: string }[]> {
  const results = [];
  let since = '';
  for (;;) {
    const { json } = await from.ask('GET', `/api/v1/gossip/items/changes?limit=2&since=${since}`);
    if (json.commits.length === 0) return results;
    results.push(...(await to.ask('POST', '/api/v1/gossip/items/batch', { commits: json.commits })).json.results);
    since = json.next;
  }
}

const digests = async (shop: TestShop) => (await shop.ask('GET', '/api/v1/digest')).json;
const conflicts = async (shop: TestShop, query = '') => (await shop.ask('GET', `/api/v1/conflicts?${query}`)).json.data;

async function roleAt(shop: TestShop, user: string, word: string): Promise<string> {
  const { cookie } = await logIn(shop, user, word);
  return (await shop.ask('GET', '/api/v1/session', undefined, { token: null, headers: cookie })).json.role;
}

/** Both know the product, and each has changed its name and price without the other. */
async function partedShops() {
  const [a, b] = [openShop(), openShop()];
  await a.ask('PUT', '/api/v1/products/p-1', { name: 'Coffee', price: 250, sku: 'S' });
  await carry(a, b);
  await a.ask('PATCH', '/api/v1/products/p-1', { name: 'Coffee A', attributes: { roast: 'dark' } });
  await b.ask('PATCH', '/api/v1/products/p-1', { name: 'Coffee B', price: 300 });
  await carry(a, b);
  await carry(b, a);
  return { a, b };
}

test('who we are and how we stand', async () => {
  const shop = openShop();
  await shop.ask('PUT', '/api/v1/products/p-1', {});
  const status = await shop.ask('GET', '/api/v1/p2p/status');
  expect(status.json).toMatchObject({
    enabled: true,
    replicaId: shop.appliance.replicaId,
    shop: shop.appliance.shop,
    connected: 0,
    peers: [],
    verifiedEqualAt: null,
  });
  const stats = await shop.ask('GET', '/api/v1/p2p/stats');
  expect(stats.json).toMatchObject({ connections: [], totalMessagesSent: 0, totalBytesReceived: 0 });
  const info = await shop.ask('GET', '/api/v1/gossip/info');
  expect(info.json).toMatchObject({
    id: shop.appliance.replicaId,
    counts: { products: 1 },
    heads: shop.appliance.books.heads(),
  });
  expect(info.json.protocol.min).toBeLessThanOrEqual(info.json.protocol.max);
  expect((await shop.ask('GET', '/api/v1/sync/history?peer=x&limit=5')).json).toEqual({ data: [], next: null });
});

test('the mesh is turned off and on, and told to dial', async () => {
  const shop = openShop();
  expect((await shop.ask('POST', '/api/v1/p2p/toggle', { enabled: false })).json).toEqual({ enabled: false });
  expect((await shop.ask('GET', '/api/v1/p2p/status')).json.enabled).toBe(false);
  expect((await shop.ask('POST', '/api/v1/p2p/toggle', { enabled: true })).json).toEqual({ enabled: true });
  expect((await shop.ask('POST', '/api/v1/p2p/toggle', {})).json.errors[0].pointer).toBe('/enabled');
  expect((await shop.ask('POST', '/api/v1/p2p/reconnect')).status).toBe(202);
  expect((await shop.ask('POST', '/api/v1/gossip/sync')).json).toEqual({ asked: 0 });
});

test('peers are added, listed and forgotten; what is none is a clear error', async () => {
  const shop = openShop();
  const added = await shop.ask('POST', '/api/v1/peers', { address: '192.0.2.7:3031' });
  expect(added).toMatchObject({ status: 201, json: { id: null, address: '192.0.2.7:3031' } });
  expect((await shop.ask('GET', '/api/v1/peers')).json.data).toMatchObject([{ address: '192.0.2.7:3031' }]);
  expect((await shop.ask('DELETE', '/api/v1/peers/192.0.2.7:3031')).status).toBe(204);
  expect((await shop.ask('GET', '/api/v1/peers')).json.data).toEqual([]);
  for (const address of ['', 'x', 'http://x:1', 'x:99999', 'a b:1', 'x:1/y']) {
    expect(await shop.ask('POST', '/api/v1/peers', { address })).toMatchObject({
      status: 400,
      json: { code: 'address_malformed' },
    });
  }
  expect(await shop.ask('POST', '/api/v1/peers', { address: '169.254.1.1:80' })).toMatchObject({ status: 422 });
  const unknown = `/api/v1/peers/${'a'.repeat(26)}`;
  expect((await shop.ask('PATCH', unknown, { trust: 'trusted' })).json.code).toBe('not_found');
  expect((await shop.ask('PATCH', unknown, { trust: 'maybe' })).json.code).toBe('malformed');
  expect((await shop.ask('POST', `${unknown}/sync`)).json.code).toBe('not_found');
  expect((await shop.ask('DELETE', unknown)).status).toBe(404);
});

describe('by plain HTTP', () => {
  test('B3 what is carried over makes the books equal, and again changes nothing', async () => {
    const [a, b] = [openShop(), openShop()];
    await a.ask('PUT', '/api/v1/products/p-1', { name: 'Coffee' });
    await b.ask('POST', '/api/v1/tickets', { id: 't-1', lines: [{ productId: 'p-1', quantity: 2 }] });
    const { token } = await a.makeTill();
    await carry(a, b);
    await carry(b, a);
    expect(await digests(a)).toEqual(await digests(b));
    expect((await carry(a, b)).every(({ ok }) => ok)).toBe(true);
    expect(await digests(a)).toEqual(await digests(b));
    expect((await b.ask('GET', '/api/v1/products', undefined, { token })).status).toBe(200);
  });

  test('B4 a till revoked at one appliance is out at the other with the next exchange', async () => {
    const [a, b] = [openShop(), openShop()];
    const till = await a.makeTill();
    await carry(a, b);
    const ask = async () => (await b.ask('GET', '/api/v1/products', undefined, { token: till.token })).status;
    expect(await ask()).toBe(200);
    await a.ask('DELETE', `/api/v1/terminals/${till.id}`);
    await carry(a, b);
    expect(await ask()).toBe(401);
  });

  test('B10 somebody let in to look is no admin when the name was given at two places', async () => {
    const [a, b] = [openShop(), openShop()];
    const temp = { name: 'temp', password: 'of somebody before', role: 'read-only' };
    await a.ask('POST', '/api/v1/users', temp);
    await a.ask('DELETE', '/api/v1/users/temp');
    await carry(a, b);
    await a.ask('POST', '/api/v1/users', { ...temp, password: 'of the manager', role: 'admin' });
    await b.ask('POST', '/api/v1/users', { ...temp, password: 'of the helper' });
    await carry(a, b);
    await carry(b, a);
    for (const shop of [a, b]) {
      expect(await roleAt(shop, 'temp', 'of the helper')).toBe('read-only');
      await expect(logIn(shop, 'temp', 'of the manager')).rejects.toThrow('401');
    }
  });

  test('B10 somebody let in to look is no admin after a change of the password either', async () => {
    const [a, b] = [openShop(), openShop()];
    const temp = { name: 'temp', password: 'of the helper', role: 'read-only' };
    await b.ask('POST', '/api/v1/users', temp);
    await a.ask('POST', '/api/v1/users', { ...temp, password: 'of the manager', role: 'admin' });
    const { withCsrf } = await logIn(b, 'temp', 'of the helper');
    const change = { current: 'of the helper', password: 'of the helper now' };
    expect((await b.ask('PUT', '/api/v1/password', change, { token: null, headers: withCsrf })).status).toBe(200);
    await carry(a, b);
    await carry(b, a);
    for (const shop of [a, b]) expect(await roleAt(shop, 'temp', 'of the helper now')).toBe('read-only');
  });

  test('a till made at two places has the role and the token of one of them', async () => {
    const [a, b] = [openShop(), openShop()];
    await a.ask('POST', '/api/v1/terminals', { id: 'till-1', name: 'Door', role: 'read-only' });
    const till = (await b.ask('POST', '/api/v1/terminals', { id: 'till-1', name: 'Bar' })).json;
    await carry(a, b);
    await carry(b, a);
    for (const shop of [a, b]) {
      const sold = await shop.ask('POST', '/api/v1/tickets', { id: 't-1', lines: [] }, { token: till.token });
      expect(sold.status).toBe(201);
    }
  });

  test('B2 the same ticket sent to both counts once; its movements too', async () => {
    const [a, b] = [openShop(), openShop()];
    const ticket = { id: 't-1', soldAt: '2026-11-20T09:00:00Z', lines: [{ productId: 'p-1', quantity: 2 }] };
    await a.ask('POST', '/api/v1/tickets', ticket);
    await b.ask('PUT', '/api/v1/tickets/t-1', ticket);
    await carry(a, b);
    await carry(b, a);
    for (const shop of [a, b]) {
      expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(-2);
      expect((await shop.ask('GET', '/api/v1/tickets/t-1')).json.flags).not.toContain('id_conflict');
    }
    expect(await digests(a)).toEqual(await digests(b));
  });

  test('two different tickets under one id are an alarm, decided the same way on both', async () => {
    const [a, b] = [openShop(), openShop()];
    await a.ask('POST', '/api/v1/tickets', { id: 't-1', total: 1 });
    await b.ask('POST', '/api/v1/tickets', { id: 't-1', total: 2 });
    await carry(a, b);
    await carry(b, a);
    const [atA, atB] = [await a.ask('GET', '/api/v1/tickets/t-1'), await b.ask('GET', '/api/v1/tickets/t-1')];
    expect(atA.json).toEqual(atB.json);
    expect(atA.json.flags).toContain('id_conflict');
    const [conflict] = await conflicts(a, 'entity=ticket');
    expect(conflict).toMatchObject({ kind: 'rival', strategy: 'earliest_fact', final: { id: 't-1', total: 1 } });
    const settled = await a.ask('POST', `/api/v1/conflicts/${conflict.id}/resolve`, { choose: 'loser' });
    expect(settled).toMatchObject({ status: 422, json: { code: 'conflict_of_facts' } });
  });

  test('garbage is refused item by item', async () => {
    const shop = openShop();
    const commit = { origin: 'x', publicKey: 'AAAA', commit: 'AAAA' };
    const reply = await shop.ask('POST', '/api/v1/gossip/items/batch', { commits: [commit, commit] });
    expect(reply.json.results.map(({ ok, code }: { ok: boolean; code: string }) => [ok, code])).toEqual([
      [false, 'commit_malformed'],
      [false, 'commit_malformed'],
    ]);
    expect((await shop.ask('POST', '/api/v1/gossip/items/batch', { commits: [1] })).json.code).toBe('malformed');
    expect((await shop.ask('GET', '/api/v1/gossip/items/changes?since=garbage')).json.code).toBe('cursor_malformed');
  });
});

describe('B6 a conflict', () => {
  test('is told the same way on both, with both sides', async () => {
    const { a, b } = await partedShops();
    expect(await digests(a)).toEqual(await digests(b));
    const [[atA], [atB]] = [await conflicts(a), await conflicts(b)];
    expect({ ...atA, detectedAt: 0 }).toEqual({ ...atB, detectedAt: 0 });
    expect(atA).toMatchObject({
      entity: 'product',
      recordId: 'p-1',
      kind: 'field',
      fields: ['/name'],
      winner: { values: { '/name': 'Coffee B' } },
      loser: { values: { '/name': 'Coffee A' } },
      strategy: 'latest_edit',
      final: { name: 'Coffee B', price: 300, sku: 'S', attributes: { roast: 'dark' } },
      resolvedAt: null,
      resolvedBy: null,
    });
    expect((await a.ask('GET', `/api/v1/conflicts/${atA.id}`)).json).toEqual(atA);
  });

  test.each<[string, object, string]>([
    ['the loser', { choose: 'loser', notes: 'The supplier says so.' }, 'Coffee A'],
    ['the winner', { choose: 'winner' }, 'Coffee B'],
    ['a third value', { choose: 'fields', fields: { name: 'Coffee C' } }, 'Coffee C'],
    ['a third value by its field', { choose: 'fields', fields: { '/name': 'Coffee D' } }, 'Coffee D'],
  ])('is settled by choosing %s, once, on both', async (_name, choice, name) => {
    const { a, b } = await partedShops();
    const [{ id }] = await conflicts(a);
    const settled = await a.ask('POST', `/api/v1/conflicts/${id}/resolve`, choice);
    expect(settled).toMatchObject({ status: 200, json: { resolvedBy: 'admin', final: { name } } });
    expect(settled.json.resolvedAt).not.toBeNull();
    await carry(a, b);
    expect(await conflicts(b, 'resolved=false')).toEqual([]);
    expect(await conflicts(b, 'resolved=true')).toMatchObject([{ id, resolvedBy: 'admin', final: { name } }]);
    expect((await b.ask('GET', '/api/v1/products/p-1')).json.name).toBe(name);
    expect(await digests(a)).toEqual(await digests(b));
    const again = await b.ask('POST', `/api/v1/conflicts/${id}/resolve`, choice);
    expect(again).toMatchObject({ status: 409, json: { code: 'conflict_resolved' } });
  });

  test('is not settled by what was never in question, nor by what no product could be', async () => {
    const { a } = await partedShops();
    const [{ id }] = await conflicts(a);
    const resolve = async (body: object) => (await a.ask('POST', `/api/v1/conflicts/${id}/resolve`, body)).json.code;
    expect(await resolve({ choose: 'fields', fields: { price: 1 } })).toBe('field_not_contested');
    expect(await resolve({ choose: 'fields', fields: { name: 7 } })).toBe('malformed');
    expect(await resolve({ choose: 'me' })).toBe('malformed');
    expect(await resolve({})).toBe('malformed');
    expect((await a.ask('POST', '/api/v1/conflicts/none/resolve', { choose: 'winner' })).json.code).toBe('not_found');
    expect(await conflicts(a, 'resolved=false')).toHaveLength(1);
  });

  test('an edit that has seen both settles it too', async () => {
    const { a } = await partedShops();
    await a.ask('PATCH', '/api/v1/products/p-1', { name: 'Coffee E' });
    expect(await conflicts(a, 'resolved=false')).toEqual([]);
  });
});

test('every failure of an inner room has its line in the table of problems', () => {
  const root = join(import.meta.dirname, '../../src');
  const rooms = ['commands', 'feed', 'mesh', 'storage', 'observe', 'edges/http'];
  const texts = rooms.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true })
      .map(String)
      .filter((path) => path.endsWith('.ts') && path !== 'server.ts')
      .map((path) => readFileSync(join(root, room, path), 'utf8')),
  );
  const codes = texts.flatMap((text) =>
    [...text.matchAll(/\bfailure\(\s*'([a-z0-9_]+)'/g)].map(([, code = '']) => code),
  );
  expect(codes.length).toBeGreaterThan(30);
  // Told of each commit in a list, under the answer's own status.
  const inLists = ['commit_malformed'];
  expect(codes.filter((code) => !(code in problems) && !inLists.includes(code))).toEqual([]);
});
