// The feed and the digests over HTTP.

import { describe, expect, test } from 'vitest';
import { feedWaitersMax } from '../../src/core/limits.ts';
import type { Timers } from '../../src/ports.ts';
import { openShop } from './appliance.ts';

type Told = { cursor: string; entity: string; id: string; kind: string; record: Record<string, unknown> | null };
const names = (data: Told[]) => data.map(({ entity, id, kind }) => `${entity} ${id} ${kind}`);

/** Timers that run when they are told to: the others stay real. */
function heldTimers(): Timers & { fire(): void; waiting(): number } {
  const waiting = new Set<() => void>();
  return {
    after: (_ms, run) => {
      waiting.add(run);
      return { cancel: () => waiting.delete(run) };
    },
    soon: (run) => void setImmediate(run),
    fire: () => {
      for (const run of [...waiting]) run();
    },
    waiting: () => waiting.size,
  };
}

test('what changed is told in order, as it is now, and once more from any cursor', async () => {
  const shop = openShop();
  await shop.ask('PUT', '/api/v1/products/p-1', { name: 'Coffee' });
  await shop.ask('PUT', '/api/v1/customers/c-1', { name: 'Ada' });
  await shop.ask('POST', '/api/v1/tickets', { id: 't-1', lines: [{ productId: 'p-1', quantity: 2 }] });
  await shop.ask('DELETE', '/api/v1/customers/c-1');
  const all = (await shop.ask('GET', '/api/v1/changes')).json;
  expect(names(all.data)).toEqual([
    'product p-1 updated',
    'ticket t-1 updated',
    'movement t-1/1 updated',
    'stock p-1 updated',
    'customer c-1 deleted',
  ]);
  expect(all.data[0].record).toEqual((await shop.ask('GET', '/api/v1/products/p-1')).json);
  expect(all.data[4].record).toBeNull();
  expect(all.data[3].record).toMatchObject({ productId: 'p-1', onHand: -2 });
  const rest = (await shop.ask('GET', `/api/v1/changes?after=${all.data[1].cursor}`)).json;
  expect(names(rest.data).slice(0, 2)).toEqual(['movement t-1/1 updated', 'stock p-1 updated']);
  const none = (await shop.ask('GET', `/api/v1/changes?after=${all.next}`)).json;
  expect(none).toEqual({ data: [], next: all.next });
});

test('pages and entities', async () => {
  const shop = openShop();
  for (let i = 0; i < 5; i++) {
    await shop.ask('PUT', `/api/v1/products/p-${i}`, { name: 'x' });
    await shop.ask('PUT', `/api/v1/customers/c-${i}`, { name: 'x' });
  }
  const first = (await shop.ask('GET', '/api/v1/changes?limit=3&entities=customer,stock')).json;
  const second = (await shop.ask('GET', `/api/v1/changes?limit=3&entities=customer&after=${first.next}`)).json;
  expect([...first.data, ...second.data].map((change: Told) => change.id)).toEqual(['c-0', 'c-1', 'c-2', 'c-3', 'c-4']);
});

test('tokens of tills never show in the feed', async () => {
  const shop = openShop();
  const { token } = await shop.makeTill();
  const { text } = await shop.ask('GET', '/api/v1/changes');
  expect(text).not.toContain('terminal');
  expect(text).not.toContain(token);
});

describe('waiting', () => {
  test('ends with the change that comes', async () => {
    const timers = heldTimers();
    const shop = openShop({ http: { timers } });
    const { next } = (await shop.ask('GET', '/api/v1/changes')).json;
    const waiting = shop.ask('GET', `/api/v1/changes?after=${next}&wait=30`);
    await shop.ask('PUT', '/api/v1/products/p-1', { name: 'Coffee' });
    expect(names((await waiting).json.data)).toEqual(['product p-1 updated']);
    expect(timers.waiting()).toBe(0);
  });

  test('goes on over changes of other entities, and skips none of its own', async () => {
    const shop = openShop({ http: { timers: heldTimers() } });
    const waiting = shop.ask('GET', '/api/v1/changes?entities=customer&wait=30');
    await shop.ask('PUT', '/api/v1/products/p-1', { name: 'Coffee' });
    await shop.ask('PUT', '/api/v1/products/p-2', { name: 'Tea' });
    await shop.ask('PUT', '/api/v1/customers/c-1', { name: 'Ada' });
    expect(names((await waiting).json.data)).toEqual(['customer c-1 updated']);
  });

  test('ends empty when time is up, with a cursor to go on from', async () => {
    const timers = heldTimers();
    const shop = openShop({ http: { timers } });
    const waiting = shop.ask('GET', '/api/v1/changes?wait=5');
    await expect.poll(timers.waiting).toBe(1);
    timers.fire();
    const { status, json } = await waiting;
    expect([status, json.data]).toEqual([200, []]);
    expect((await shop.ask('GET', `/api/v1/changes?after=${json.next}`)).status).toBe(200);
  });

  test('ends when the client is gone and when we stop', async () => {
    const timers = heldTimers();
    const stopping = new AbortController();
    const shop = openShop({ http: { timers, stopping: stopping.signal } });
    const gone = new AbortController();
    const first = shop.ask('GET', '/api/v1/changes?wait=5', undefined, { signal: gone.signal });
    const second = shop.ask('GET', '/api/v1/changes?wait=5');
    await expect.poll(timers.waiting).toBe(2);
    gone.abort();
    await first;
    expect(timers.waiting()).toBe(1);
    stopping.abort();
    expect((await second).json.data).toEqual([]);
    expect(timers.waiting()).toBe(0);
  });

  test('B8 only so many may wait; the next is told to come again', async () => {
    const timers = heldTimers();
    const shop = openShop({ http: { timers } });
    const waiting = Array.from({ length: feedWaitersMax }, () => shop.ask('GET', '/api/v1/changes?wait=5'));
    await expect.poll(timers.waiting).toBe(feedWaitersMax);
    const refused = await shop.ask('GET', '/api/v1/changes?wait=5');
    expect(refused).toMatchObject({ status: 503, json: { code: 'too_many_waiting' } });
    expect(refused.headers.get('retry-after')).toBe('2');
    timers.fire();
    await Promise.all(waiting);
    expect(timers.waiting()).toBe(0);
  });
});

describe('cursors', () => {
  test('of the feed: malformed, of another shop, of another appliance', async () => {
    const shop = openShop();
    const otherShop = openShop({ shop: 'bbcdefghijklmnopqrstuvwxyz' });
    const otherAppliance = openShop();
    const codeAt = async (cursor: string) => {
      const { status, json } = await shop.ask('GET', `/api/v1/changes?after=${cursor}`);
      return [status, json.code];
    };
    const cursorOf = async (from: typeof shop) => (await from.ask('GET', '/api/v1/changes')).json.next;
    expect(await codeAt('garbage')).toEqual([400, 'cursor_malformed']);
    expect(await codeAt(await cursorOf(otherShop))).toEqual([400, 'cursor_of_another_shop']);
    expect(await codeAt(await cursorOf(otherAppliance))).toEqual([410, 'resync']);
  });

  test('of lists: malformed, of another list, another shop, another appliance', async () => {
    const shop = openShop();
    const otherShop = openShop({ shop: 'bbcdefghijklmnopqrstuvwxyz' });
    const otherAppliance = openShop();
    for (const each of [shop, otherShop, otherAppliance]) {
      for (const id of ['a', 'b']) {
        await each.ask('PUT', `/api/v1/products/${id}`, {});
        await each.ask('PUT', `/api/v1/tickets/${id}`, {});
      }
    }
    const cursorOf = async (from: typeof shop, list: string) =>
      (await from.ask('GET', `/api/v1/${list}?limit=1`)).json.next;
    const codeAt = async (list: string, cursor: string) => {
      const { status, json } = await shop.ask('GET', `/api/v1/${list}?after=${cursor}`);
      return [status, json.code];
    };
    expect(await codeAt('products', await cursorOf(shop, 'products'))).toEqual([200, undefined]);
    expect(await codeAt('products', 'garbage')).toEqual([400, 'cursor_malformed']);
    expect(await codeAt('tickets', Buffer.from('tickets.x').toString('base64url'))).toEqual([400, 'cursor_malformed']);
    expect(await codeAt('products', await cursorOf(shop, 'tickets'))).toEqual([400, 'cursor_of_another_list']);
    expect(await codeAt('products', await cursorOf(otherShop, 'products'))).toEqual([400, 'cursor_of_another_shop']);
    expect(await codeAt('tickets', await cursorOf(otherAppliance, 'tickets'))).toEqual([
      400,
      'cursor_of_another_appliance',
    ]);
  });
});

test('B3 the digest changes with the books and is that of the empty books again', async () => {
  const shop = openShop();
  const other = openShop();
  const digest = async (of: typeof shop) => (await of.ask('GET', '/api/v1/digest')).json;
  const empty = await digest(shop);
  expect(Object.keys(empty).sort()).toEqual(['customers', 'heads', 'movements', 'products', 'stock', 'tickets']);
  expect((await digest(other)).products).toBe(empty.products);
  await shop.ask('PUT', '/api/v1/products/p-1', { name: 'Coffee' });
  expect((await digest(shop)).products).not.toBe(empty.products);
  await shop.ask('DELETE', '/api/v1/products/p-1');
  expect((await digest(shop)).products).toBe(empty.products);
});
