// Stock over HTTP: levels are sums of movements.

import { expect, test } from 'vitest';
import { openShop } from './appliance.ts';

test('B4 the level is the sum of movements and sales', async () => {
  const shop = openShop();
  await shop.ask('PUT', '/api/v1/products/p-1', { name: 'Coffee' });
  expect((await shop.ask('GET', '/api/v1/stock/p-1')).json).toEqual({ productId: 'p-1', onHand: 0, updatedAt: null });
  await shop.ask('POST', '/api/v1/stock/movements', { productId: 'p-1', kind: 'receipt', quantity: 1.25 });
  await shop.ask('POST', '/api/v1/stock/movements', { productId: 'p-1', kind: 'waste', quantity: -0.125 });
  await shop.ask('POST', '/api/v1/tickets', { lines: [{ productId: 'p-1', quantity: 0.1 }] });
  const { json } = await shop.ask('GET', '/api/v1/stock/p-1');
  expect(json.onHand).toBe(1.025);
  const movements = (await shop.ask('GET', '/api/v1/stock/movements?productId=p-1')).json.data;
  expect(movements.map((movement: { quantity: number }) => movement.quantity)).toEqual([1.25, -0.125, -0.1]);
  expect((await shop.ask('GET', '/api/v1/stock')).json.data).toEqual([json]);
});

test('a count is the difference to what was there, and comes again as the same', async () => {
  const shop = openShop();
  await shop.ask('POST', '/api/v1/stock/movements', { id: 'm-1', productId: 'p-1', quantity: 10 });
  const counted = { id: 'm-2', productId: 'p-1', counted: 12, reason: 'inventory', at: '2026-11-20T09:00:00Z' };
  const first = await shop.ask('POST', '/api/v1/stock/movements', counted);
  expect(first).toMatchObject({ status: 201, json: { kind: 'count', quantity: 2, counted: 12, reason: 'inventory' } });
  await shop.ask('POST', '/api/v1/stock/movements', { id: 'm-3', productId: 'p-1', quantity: -1 });
  const again = await shop.ask('POST', '/api/v1/stock/movements', counted);
  expect([again.status, again.json]).toEqual([200, first.json]);
  expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(11);
});

test('B2 a movement again counts once; another under its id is a 409 with both digests', async () => {
  const shop = openShop();
  const movement = { id: 'm-1', productId: 'p-1', kind: 'receipt', quantity: 5 };
  expect((await shop.ask('POST', '/api/v1/stock/movements', movement)).status).toBe(201);
  expect((await shop.ask('POST', '/api/v1/stock/movements', movement)).status).toBe(200);
  const other = await shop.ask('POST', '/api/v1/stock/movements', { ...movement, quantity: 6 });
  expect(other).toMatchObject({ status: 409, json: { code: 'movement_differs' } });
  expect(other.json.storedDigest).not.toBe(other.json.sentDigest);
  expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(5);
});

test.each<[string, object, string]>([
  ['no product', { quantity: 1 }, 'malformed'],
  ['no quantity', { productId: 'p-1' }, 'quantity_missing'],
  ['a count without what was counted', { productId: 'p-1', kind: 'count', quantity: 1 }, 'quantity_missing'],
  ['an unknown kind', { productId: 'p-1', kind: 'gift', quantity: 1 }, 'malformed'],
  ['four decimals', { productId: 'p-1', quantity: 1.2345 }, 'malformed'],
])('a movement with %s is refused', async (_name, movement, code) => {
  const shop = openShop();
  expect(await shop.ask('POST', '/api/v1/stock/movements', movement)).toMatchObject({ status: 400, json: { code } });
});

test('the stock of what is unknown is a 404', async () => {
  expect(await openShop().ask('GET', '/api/v1/stock/nothing')).toMatchObject({
    status: 404,
    json: { code: 'not_found' },
  });
});
