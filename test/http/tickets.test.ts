// Tickets over HTTP: taken in once, for ever, whatever they say.

import { describe, expect, test } from 'vitest';
import { openShop, type TestShop } from './appliance.ts';

const now = () => new Date().toISOString();
const sale = (more: object = {}) => ({
  id: 't-1',
  terminalId: 'till-1',
  number: 'T1-1',
  lines: [{ productId: 'p-1', name: 'Coffee', quantity: 2, unitPrice: 250, total: 500 }],
  payments: [{ method: 'card', amount: 500 }],
  total: 500,
  soldAt: now(),
  ...more,
});

async function shopWithCoffee(): Promise<TestShop> {
  const shop = openShop();
  await shop.ask('PUT', '/api/v1/products/p-1', { name: 'Coffee', sku: 'COF', barcodes: ['5449000000996'] });
  await shop.ask('POST', '/api/v1/stock/movements', { id: 'm-1', productId: 'p-1', quantity: 100 });
  return shop;
}

const flagsOf = async (shop: TestShop, ticket: object): Promise<string[]> => {
  const reply = await shop.ask('POST', '/api/v1/tickets', ticket);
  expect([reply.status, reply.json.detail]).toEqual([201, undefined]);
  return reply.json.flags;
};

describe('a sale', () => {
  test('is stored with its movements in one commit, and shown as it was sent', async () => {
    const shop = await shopWithCoffee();
    const ticket = sale({ loyalty: { points: 5 } });
    const { status, json, headers } = await shop.ask('POST', '/api/v1/tickets', ticket);
    expect(status).toBe(201);
    expect(headers.get('location')).toBe('/api/v1/tickets/t-1');
    expect(json).toMatchObject({ ...ticket, kind: 'sale', origin: shop.appliance.replicaId, flags: [] });
    expect(Math.abs(Date.parse(json.receivedAt) - Date.parse(ticket.soldAt))).toBeLessThan(5000);
    expect((await shop.ask('GET', '/api/v1/tickets/t-1')).json).toEqual(json);
    expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(98);
    const moved = await shop.ask('GET', '/api/v1/stock/movements?ticketId=t-1');
    expect(moved.json.data).toMatchObject([
      { id: 't-1/1', productId: 'p-1', kind: 'sale', quantity: -2, ticketId: 't-1' },
    ]);
  });

  test('B2 again by POST, by PUT and in a batch, it is the same ticket and counts once', async () => {
    const shop = await shopWithCoffee();
    const ticket = sale();
    const { id, ...withoutId } = ticket;
    const first = await shop.ask('POST', '/api/v1/tickets', ticket);
    const again = await shop.ask('POST', '/api/v1/tickets', ticket);
    const put = await shop.ask('PUT', `/api/v1/tickets/${id}`, withoutId);
    const batch = await shop.ask('POST', '/api/v1/tickets/batch', { items: [ticket] });
    expect([first.status, again.status, put.status, batch.json.data[0].status]).toEqual([201, 200, 200, 200]);
    expect(put.json).toEqual(first.json);
    expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(98);
    expect(shop.appliance.books.counts().tickets).toBe(1);
  });

  test('B2 the same moment, null members and read-only members written otherwise are the same ticket', async () => {
    const shop = await shopWithCoffee();
    await shop.ask('POST', '/api/v1/tickets', sale({ soldAt: '2026-11-20T10:00:00+01:00' }));
    const other = sale({
      soldAt: '2026-11-20T09:00:00Z',
      kind: 'sale',
      customerId: null,
      flags: ['x'],
      receivedAt: 'y',
    });
    expect((await shop.ask('POST', '/api/v1/tickets', other)).status).toBe(200);
  });

  test('B2 without soldAt it comes again as the same ticket, and was sold when it was received', async () => {
    const shop = await shopWithCoffee();
    const { soldAt: _, ...ticket } = sale();
    const first = await shop.ask('POST', '/api/v1/tickets', ticket);
    expect(first.json.soldAt).toBe(first.json.receivedAt);
    expect((await shop.ask('POST', '/api/v1/tickets', ticket)).status).toBe(200);
  });

  test('B2 a till that does not name itself is known by its token, also when an admin sends the ticket again', async () => {
    const shop = await shopWithCoffee();
    const till = await shop.makeTill();
    const { terminalId: _, ...ticket } = sale();
    const first = await shop.ask('POST', '/api/v1/tickets', ticket, { token: till.token });
    expect(first.json.terminalId).toBe(till.id);
    expect((await shop.ask('POST', '/api/v1/tickets', ticket)).status).toBe(200);
    expect((await shop.ask('GET', `/api/v1/tickets?terminalId=${till.id}`)).json.data).toHaveLength(1);
  });

  test('B2 another ticket under the same id is a 409 with both digests, and changes nothing', async () => {
    const shop = await shopWithCoffee();
    await shop.ask('POST', '/api/v1/tickets', sale());
    const other = await shop.ask('PUT', '/api/v1/tickets/t-1', sale({ total: 400 }));
    expect(other).toMatchObject({ status: 409, json: { code: 'ticket_differs' } });
    expect(other.json.storedDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(other.json.sentDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(other.json.sentDigest).not.toBe(other.json.storedDigest);
    expect((await shop.ask('GET', '/api/v1/tickets/t-1')).json.total).toBe(500);
  });

  test('an Idempotency-Key makes a ticket without id one for ever', async () => {
    const shop = await shopWithCoffee();
    const { id: _, ...ticket } = sale();
    const headers = { 'Idempotency-Key': 'sale-1' };
    const first = await shop.ask('POST', '/api/v1/tickets', ticket, { headers });
    const again = await shop.ask('POST', '/api/v1/tickets', ticket, { headers });
    const other = await shop.ask('POST', '/api/v1/tickets', { ...ticket, total: 1 }, { headers });
    const batch = { items: [ticket, ticket] };
    const batched = await shop.ask('POST', '/api/v1/tickets/batch', batch, { headers });
    const batchedAgain = await shop.ask('POST', '/api/v1/tickets/batch', batch, { headers });
    expect([first.status, again.status, other.status]).toEqual([201, 200, 409]);
    expect(again.json.id).toBe(first.json.id);
    expect(batched.json.data.map((item: { status: number }) => item.status)).toEqual([201, 201]);
    expect(batchedAgain.json.data.map((item: { status: number }) => item.status)).toEqual([200, 200]);
    expect(shop.appliance.books.counts().tickets).toBe(3);
  });

  test('a ticket is never patched nor deleted', async () => {
    const shop = await shopWithCoffee();
    await shop.ask('POST', '/api/v1/tickets', sale());
    for (const method of ['PATCH', 'DELETE']) {
      const reply = await shop.ask(method, '/api/v1/tickets/t-1', method === 'PATCH' ? { total: 1 } : undefined);
      expect(reply.status).toBe(405);
      expect(reply.headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'HEAD', 'OPTIONS', 'PUT']);
    }
  });
});

describe('B7 a sale is taken in', () => {
  test.each<[string, object]>([
    ['with nothing but an id', { id: 't-9' }],
    ['with nothing at all', {}],
    ['with lines that say next to nothing', { lines: [{}, { name: 'Bread' }, { quantity: 0.333 }] }],
    ['with a line that is a discount', { lines: [{ name: 'Discount', total: -100 }], total: -100 }],
    ['without payments', { lines: [], total: 0 }],
    ['with a number that is a number', { number: 17 }],
    ['with ids that are no ids', { customerId: 'Ana & Bob', terminalId: 'Till 1/2', lines: [{ productId: 'a b' }] }],
    ['with the default time of C#', { soldAt: '0001-01-01T00:00:00Z' }],
    ['sold at a leap second', { soldAt: '2016-12-31T23:59:60Z' }],
    ['with every member null', { number: null, lines: null, payments: null, total: null, soldAt: null, kind: null }],
  ])('%s', async (_name, ticket) => {
    const shop = openShop();
    const reply = await shop.ask('POST', '/api/v1/tickets', ticket);
    expect([reply.status, reply.json.detail]).toEqual([201, undefined]);
    expect(await shop.ask('GET', `/api/v1/tickets/${reply.json.id}`)).toMatchObject({ status: 200 });
  });

  test('of a product that nobody here knows yet: flagged, and its stock moves all the same', async () => {
    const shop = openShop();
    expect(await flagsOf(shop, sale())).toEqual(['negative_stock', 'unknown_product']);
    expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(-2);
  });

  test('by sku and by barcode; what is not found is flagged and moves nothing', async () => {
    const shop = await shopWithCoffee();
    const lines = [{ sku: 'COF' }, { barcode: '05449000000996', quantity: 3 }];
    expect(await flagsOf(shop, { id: 't-2', lines })).toEqual([]);
    expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(96);
    expect(await flagsOf(shop, { id: 't-3', lines: [{ barcode: '4006381333931' }] })).toEqual(['unknown_product']);
    expect(await flagsOf(shop, { id: 't-4', lines: [{ name: 'Repair' }] })).toEqual([]);
  });

  test('of a deleted product and for an unknown customer', async () => {
    const shop = await shopWithCoffee();
    await shop.ask('DELETE', '/api/v1/products/p-1');
    expect(await flagsOf(shop, sale({ customerId: 'c-1' }))).toEqual(['unknown_customer', 'unknown_product']);
    await shop.ask('PUT', '/api/v1/customers/c-1', { name: 'Ada' });
    await shop.ask('PUT', '/api/v1/products/p-1', { name: 'Coffee' });
    expect(await flagsOf(shop, sale({ id: 't-2', number: 'T1-2', customerId: 'c-1' }))).toEqual([]);
  });

  test('below zero', async () => {
    const shop = await shopWithCoffee();
    const line = { productId: 'p-1', quantity: 60 };
    expect(await flagsOf(shop, { id: 't-1', lines: [line] })).toEqual([]);
    expect(await flagsOf(shop, { id: 't-2', lines: [line] })).toEqual(['negative_stock']);
    expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(-20);
  });

  test('with a number that the till has used: both say so', async () => {
    const shop = await shopWithCoffee();
    await flagsOf(shop, sale());
    expect(await flagsOf(shop, sale({ id: 't-2' }))).toEqual(['duplicate_number']);
    expect((await shop.ask('GET', '/api/v1/tickets/t-1')).json.flags).toEqual(['duplicate_number']);
    expect(await flagsOf(shop, sale({ id: 't-3', terminalId: 'till-2' }))).toEqual([]);
  });

  test('with a clock that is off', async () => {
    const shop = await shopWithCoffee();
    expect(await flagsOf(shop, sale({ id: 'a', number: 1, soldAt: '2010-12-01T09:00:00Z' }))).toEqual([
      'clock_suspect',
    ]);
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    expect(await flagsOf(shop, sale({ id: 'b', number: 2, soldAt: inAnHour }))).toEqual(['clock_suspect']);
  });

  test('with totals that do not add up', async () => {
    const shop = await shopWithCoffee();
    expect(await flagsOf(shop, sale({ id: 'a', number: 1, total: 501 }))).toEqual([
      'payment_mismatch',
      'total_mismatch',
    ]);
    expect(await flagsOf(shop, sale({ id: 'b', number: 2, payments: [] }))).toEqual(['payment_mismatch']);
  });

  test('a refund and a void bring their goods back, whatever the sign; without a known ref they are flagged', async () => {
    const shop = await shopWithCoffee();
    await flagsOf(shop, sale());
    const lines = (quantity: number, total: number) => [{ productId: 'p-1', quantity, unitPrice: 250, total }];
    const refund = { id: 'r-1', kind: 'refund', ref: 't-1', lines: lines(-1, -250), total: -250 };
    expect(await flagsOf(shop, refund)).toEqual([]);
    expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(99);
    expect(await flagsOf(shop, { id: 'v-1', kind: 'void', ref: 't-1', lines: lines(1, 250), total: 250 })).toEqual([]);
    expect((await shop.ask('GET', '/api/v1/stock/p-1')).json.onHand).toBe(100);
    expect(await flagsOf(shop, { ...refund, id: 'r-2', ref: 'nowhere' })).toEqual(['unknown_ref']);
    expect(await flagsOf(shop, { ...refund, id: 'r-3', ref: undefined })).toEqual(['unknown_ref']);
  });

  test('one bad ticket of a batch does not stop those behind it', async () => {
    const shop = await shopWithCoffee();
    const items = [
      sale(),
      { id: 't-2', total: 1.5 },
      sale({ total: 3 }),
      { id: 't 4' },
      null,
      sale({ id: 't-5', number: 5 }),
    ];
    const { status, json } = await shop.ask('POST', '/api/v1/tickets/batch', { items });
    expect(status).toBe(200);
    expect(json.data.map((item: { status: number }) => item.status)).toEqual([201, 400, 409, 400, 400, 201]);
    expect(json.data[1]).toMatchObject({ id: 't-2', code: 'malformed', errors: [{ pointer: '/total' }] });
    expect(json.data[2]).toMatchObject({ id: 't-1', code: 'ticket_differs' });
    expect(shop.appliance.books.counts().tickets).toBe(2);
  });

  test('a batch of 5000 is taken in whole', async () => {
    const shop = openShop();
    const items = Array.from({ length: 5000 }, (_, i) => ({ id: `t-${i}`, lines: [{ name: 'Bread' }] }));
    const { json } = await shop.ask('POST', '/api/v1/tickets/batch', { items });
    expect(
      json.data.every(
        (item: { status: number }, index: number) => item.status === 201 && json.data[index].index === index,
      ),
    ).toBe(true);
    expect(shop.appliance.books.counts().tickets).toBe(5000);
    const tooMany = await shop.ask('POST', '/api/v1/tickets/batch', { items: [...items, {}] });
    expect(tooMany).toMatchObject({ status: 400, json: { errors: [{ pointer: '/items' }] } });
  });
});

describe('lists of tickets', () => {
  test('by till, customer and time, in pages', async () => {
    const shop = openShop();
    const day = (hour: number) => `2026-11-20T${String(hour).padStart(2, '0')}:00:00Z`;
    for (let i = 0; i < 20; i++) {
      const ticket = { id: `t-${i}`, terminalId: `till-${i % 2}`, customerId: `c-${i % 5}`, soldAt: day(i) };
      await shop.ask('POST', '/api/v1/tickets', ticket);
    }
    const ids = async (query: string) =>
      (await shop.ask('GET', `/api/v1/tickets?${query}`)).json.data.map((ticket: { id: string }) => ticket.id);
    expect(await ids('terminalId=till-1&customerId=c-3')).toEqual(['t-3', 't-13']);
    expect(await ids(`from=${day(5)}&to=${day(8)}`)).toEqual(['t-5', 't-6', 't-7']);
    expect(await ids('from=2026-11-20T20:00:00+02:00')).toEqual(['t-18', 't-19']);
    expect(await ids('to=2026-11-20')).toEqual([]);
    const first = await shop.ask('GET', '/api/v1/tickets?limit=15');
    const second = await shop.ask('GET', `/api/v1/tickets?limit=15&after=${first.json.next}`);
    expect([first.json.data.length, second.json.data.length, second.json.next]).toEqual([15, 5, null]);
  });

  test('B8 a page of the largest tickets ends early, and the next goes on from there', async () => {
    const shop = openShop();
    for (let i = 0; i < 12; i++) {
      await shop.ask('POST', '/api/v1/tickets', { id: `t-${i}`, number: i, note: 'x'.repeat(1_000_000) });
    }
    for (const path of ['/api/v1/tickets?limit=1000', '/api/v1/changes?limit=1000']) {
      const seen: string[] = [];
      let after = '';
      for (let page = 0; page < 5; page++) {
        const { json, text } = await shop.ask('GET', `${path}&after=${after}`);
        expect(text.length).toBeLessThan(6e6);
        seen.push(...json.data.map(({ id }: { id: string }) => id));
        after = json.next ?? '';
        if (json.next === null || json.data.length === 0) break;
      }
      expect(seen).toEqual(Array.from({ length: 12 }, (_, i) => `t-${i}`));
    }
  });
});
