// What both ways to hear an appliance promise: the same messages, in the same order, with the same cursor; to whom they are
// said and to nobody else; nothing missing and nothing twice across a change from one to the other.

import { describe, expect, test } from 'vitest';
import { livePageMax, liveQueueMessagesMax } from '../../src/core/limits.ts';
import { adminToken } from './appliance.ts';
import { byPolling, byWebSocket, type LiveShop, openLiveShop, type Told } from './live-readers.ts';

const readers = [byWebSocket, byPolling];
const others = { [byWebSocket.name]: byPolling, [byPolling.name]: byWebSocket };

const put = (shop: LiveShop, id: string, price = 100) =>
  shop.ask('PUT', `/api/v1/products/${id}`, { name: id, price, currency: 'EUR' });
const sell = (shop: LiveShop, id: string, productId = 'coffee') =>
  shop.ask('POST', '/api/v1/tickets', { id, lines: [{ productId, name: 'x', quantity: 1 }] });
const broadcast = (shop: LiveShop, n: number, more: object = {}) =>
  shop.ask('POST', '/api/sync/broadcast', { type: 'note', payload: { n }, ...more });

const short = ({ type, payload }: Told): string =>
  type === 'data.updated'
    ? `${payload.section}/${payload.id ?? ''} ${payload.kind ?? ''}`.trim()
    : `${type} ${payload?.n ?? ''}`;

/** Changes of the books and messages, in turns. */
async function saySome(shop: LiveShop, from: number, count: number): Promise<string[]> {
  const said: string[] = [];
  for (let n = from; n < from + count; n++) {
    if (n % 3 === 0) {
      await broadcast(shop, n);
      said.push(`note ${n}`);
    } else if (n % 3 === 1) {
      await put(shop, `p-${n}`);
      said.push(`products/p-${n} updated`);
    } else {
      await sell(shop, `t-${n}`, `sold-${n}`);
      said.push(`tickets/t-${n} updated`, `movements/t-${n}/1 updated`, `stock/sold-${n} updated`);
    }
  }
  return said;
}

describe.each(readers)('by $name', (reader) => {
  test('what changes in the books is told in order, as it is read at its own address', async () => {
    const shop = await openLiveShop();
    await put(shop, 'before');
    const reading = await reader.open(shop);
    await put(shop, 'coffee');
    await sell(shop, 't-1');
    await shop.ask('DELETE', '/api/v1/products/before');
    await reading.has(5);
    expect(reading.messages.map(short)).toEqual([
      'products/coffee updated',
      'tickets/t-1 updated',
      'movements/t-1/1 updated',
      'stock/coffee updated',
      'products/before deleted',
    ]);
    const [product, ticket, , stock, gone] = reading.messages;
    expect(product?.payload.data).toEqual((await shop.ask('GET', '/api/v1/products/coffee')).json);
    expect(ticket?.payload.data).toEqual((await shop.ask('GET', '/api/v1/tickets/t-1')).json);
    expect(stock?.payload.data).toMatchObject({ productId: 'coffee', onHand: -1 });
    expect(gone?.payload.data).toEqual({ id: 'before', deleted: true });
    for (const message of reading.messages) {
      expect(message).toMatchObject({ type: 'data.updated', userId: null, timestamp: expect.any(Number) });
      expect(Math.abs(message.timestamp - Date.now())).toBeLessThan(60_000);
    }
    expect(new Set(reading.messages.map(({ id }) => id)).size).toBe(5);
  });

  test('messages and changes stand in one order, whichever way and whenever they are read', async () => {
    const shop = await openLiveShop();
    const live = await reader.open(shop);
    const start = live.cursor();
    const said = await saySome(shop, 0, 30);
    await live.has(said.length);
    expect(live.messages.map(short)).toEqual(said);
    const later = await (others[reader.name] ?? reader).open(shop, { after: start });
    await later.has(said.length);
    expect(later.messages).toEqual(live.messages);
    expect(later.lost).toEqual([]);
  });

  test('nothing is missing and nothing comes twice across a change in mid-stream, there and back', async () => {
    const shop = await openLiveShop();
    const other = others[reader.name] ?? reader;
    const heard: Told[] = [];
    let said: string[] = [];
    let reading = await reader.open(shop);
    for (let round = 0; round < 6; round++) {
      said = said.concat(await saySome(shop, round * 10, 5));
      // In the middle of what is told: some of it was heard, the rest was not.
      await reading.close();
      const after = reading.cursor();
      heard.push(...reading.messages);
      said = said.concat(await saySome(shop, round * 10 + 5, 5));
      reading = await (round % 2 === 0 ? other : reader).open(shop, { after });
    }
    await reading.has(said.length - heard.length);
    heard.push(...reading.messages);
    expect(heard.map(short)).toEqual(said);
    expect(new Set(heard.map(({ id }) => id)).size).toBe(heard.length);
  });

  test('from every single cursor the rest follows', async () => {
    const shop = await openLiveShop();
    const live = await reader.open(shop);
    const said = await saySome(shop, 0, 9);
    await live.has(said.length);
    const all = live.messages;
    for (let index = 0; index < all.length - 1; index++) {
      const rest = await reader.open(shop, { after: all[index]?.cursor ?? '' });
      await rest.has(all.length - index - 1);
      expect(rest.messages.map(({ id }) => id)).toEqual(all.slice(index + 1).map(({ id }) => id));
      await rest.close();
    }
  });

  test('B10 a message is told to its user, to its topics or to all, and to nobody else', async () => {
    const shop = await openLiveShop();
    const marie = (await shop.ask('POST', '/api/v1/terminals', { name: 'Till 1', user: 'marie' })).json;
    const second = (await shop.ask('POST', '/api/v1/terminals', { name: 'Till 2', user: 'marie' })).json;
    const alone = await shop.makeTill('Till 3');
    const atFirst = await reader.open(shop, { token: marie.token });
    const atSecond = await reader.open(shop, { token: second.token, topics: ['kitchen', 'bar'] });
    const elsewhere = await reader.open(shop, { token: alone.token, topics: ['bar'] });
    const post = (path: string, body: object, token = adminToken) => shop.ask('POST', path, body, { token });
    await post('/api/sync/send', { type: 'basket', payload: { n: 1 }, correlationId: 'c-1' }, marie.token);
    await post('/api/sync/send', { type: 'basket', payload: { n: 2 } }, alone.token);
    await post('/api/sync/broadcast', { type: 'note', payload: { n: 3 }, topics: ['kitchen'] });
    await post('/api/sync/broadcast', { type: 'note', payload: { n: 4 }, topics: ['bar', 'kitchen'] });
    await post('/api/sync/broadcast', { type: 'note', payload: { n: 5 }, userId: 'user:marie' });
    await post('/api/sync/broadcast', { type: 'note', payload: { n: 6 }, userId: alone.id });
    await post('/api/sync/broadcast', { type: 'note', payload: { n: 7 } });
    await Promise.all([atFirst.has(3), atSecond.has(5), elsewhere.has(4)]);
    expect(atFirst.messages.map(short)).toEqual(['basket 1', 'note 5', 'note 7']);
    expect(atSecond.messages.map(short)).toEqual(['basket 1', 'note 3', 'note 4', 'note 5', 'note 7']);
    expect(elsewhere.messages.map(short)).toEqual(['basket 2', 'note 4', 'note 6', 'note 7']);
    expect(atFirst.messages[0]).toMatchObject({ userId: 'user:marie', correlationId: 'c-1' });
    expect(atSecond.messages[2]).toMatchObject({ userId: null, topics: ['bar', 'kitchen'] });
    expect(elsewhere.messages[0]?.userId).toBe(alone.id);
  });

  test('who names sections of the books hears of these; other topics change nothing of that', async () => {
    const shop = await openLiveShop();
    const stock = await reader.open(shop, { topics: ['stock', 'kitchen'] });
    const all = await reader.open(shop, { topics: ['kitchen'] });
    await put(shop, 'coffee');
    await sell(shop, 't-1');
    await broadcast(shop, 1, { topics: ['kitchen'] });
    await Promise.all([stock.has(2), all.has(5)]);
    expect(stock.messages.map(short)).toEqual(['stock/coffee updated', 'note 1']);
    expect(all.messages).toHaveLength(5);
  });

  test('B8 who missed messages of his is told so; what changed in the books is told all the same', async () => {
    const shop = await openLiveShop();
    const till = await shop.makeTill();
    const away = await reader.open(shop, { token: till.token });
    const after = away.cursor();
    await away.close();
    await put(shop, 'coffee');
    await Promise.all(Array.from({ length: liveQueueMessagesMax + 1 }, (_, n) => broadcast(shop, n)));
    const back = await reader.open(shop, { token: till.token, after });
    await back.has(1 + liveQueueMessagesMax);
    expect(back.lost).toEqual(['messages']);
    expect(back.messages.map(short)[0]).toBe('products/coffee updated');
    expect(back.messages.slice(1).every(({ type }) => type === 'note')).toBe(true);
    // What went to somebody else is no loss of his.
    const fresh = await reader.open(shop, { token: till.token });
    const place = fresh.cursor();
    await fresh.close();
    const to = { userId: 'user:somebody' };
    await Promise.all(Array.from({ length: liveQueueMessagesMax + 1 }, (_, n) => broadcast(shop, n, to)));
    await put(shop, 'tea');
    const again = await reader.open(shop, { token: till.token, after: place });
    await again.has(1);
    expect([again.lost, again.messages.map(short)]).toEqual([[], ['products/tea updated']]);
  });

  test('a cursor of another appliance, or from beyond, is answered with resync, and it goes on from now', async () => {
    const [shop, elsewhere] = [await openLiveShop(), await openLiveShop()];
    const there = await reader.open(elsewhere);
    await put(elsewhere, 'x');
    await there.has(1);
    await put(shop, 'before');
    for (const after of [there.cursor(), there.cursor().replace(/^[a-z2-7]+/, 'zzzzzzzz')]) {
      const reading = await reader.open(shop, { after });
      await put(shop, 'coffee', (Math.random() * 1000) | 0);
      await reading.has(1);
      expect([reading.lost, reading.messages.map(short)]).toEqual([['data'], ['products/coffee updated']]);
      await reading.close();
    }
  });

  test('who comes from another appliance hears what was said to him meanwhile', async () => {
    const [shop, elsewhere] = [await openLiveShop(), await openLiveShop()];
    const there = await reader.open(elsewhere);
    await broadcast(shop, 1, { userId: 'admin' });
    const here = await reader.open(shop, { after: there.cursor() });
    await here.has(1);
    expect([here.lost, here.messages.map(short)]).toEqual([['data'], ['note 1']]);
  });

  test('a cursor of the feed is good here, too', async () => {
    const shop = await openLiveShop();
    await put(shop, 'p-1');
    const { next } = (await shop.ask('GET', '/api/v1/changes')).json;
    await put(shop, 'p-2');
    await broadcast(shop, 1);
    const reading = await reader.open(shop, { after: next });
    await reading.has(2);
    expect(reading.messages.map(short)).toEqual(['products/p-2 updated', 'note 1']);
    expect(reading.lost).toEqual([]);
  });

  test('more than a page comes whole and in order', async () => {
    const shop = await openLiveShop();
    const reading = await reader.open(shop);
    const start = reading.cursor();
    await reading.close();
    const items = Array.from({ length: livePageMax + 300 }, (_, n) => ({ id: `p-${n}`, name: 'x' }));
    await shop.ask('POST', '/api/v1/products/batch', { items });
    const late = await reader.open(shop, { after: start });
    await late.has(items.length);
    expect(late.messages.map(({ payload }) => payload.id)).toEqual(items.map(({ id }) => id));
  });
});
