// What is of polling alone, times in place of cursors first of all; what waits and is lost; and who may say what.

import { describe, expect, test } from 'vitest';
import { liveQueueMessagesMax } from '../../src/core/limits.ts';
import { until } from '../waiting.ts';
import { byPolling, byWebSocket, openLiveShop, type Told } from './live-readers.ts';

describe('polling', () => {
  test('a time stands for what came after it: as an answer told it, nothing is skipped and nothing repeated', async () => {
    const shop = await openLiveShop();
    const poll = async (query: string) => (await shop.ask('GET', `/api/sync/poll?${query}`)).json;
    let { timestamp } = await poll('');
    const heard: number[] = [];
    for (let n = 0; n < 40; n++) {
      // Sometimes several within one millisecond, sometimes asked again within one.
      const said = Array.from({ length: n % 4 }, (_, i) =>
        shop.ask('POST', '/api/sync/broadcast', { type: 'note', payload: n * 10 + i }),
      );
      await Promise.all(said);
      const answer = await poll(`since=${timestamp}`);
      heard.push(...answer.messages.map(({ payload }: Told) => payload));
      timestamp = answer.timestamp;
    }
    const all = Array.from({ length: 40 }, (_, n) => Array.from({ length: n % 4 }, (__, i) => n * 10 + i)).flat();
    expect(heard).toEqual(all);
    // Of before the start nothing is known, but for what still waits.
    const anew = await poll('since=0');
    expect(anew).toMatchObject({ success: true, resync: true, lost: 'data', count: all.length });
    expect(anew.messages.map(({ payload }: Told) => payload)).toEqual(all);
  });

  test('the time of the last message is as good', async () => {
    const shop = await openLiveShop();
    await shop.ask('POST', '/api/sync/broadcast', { type: 'note', payload: 1 });
    const start = (await shop.ask('GET', '/api/sync/poll')).json.timestamp;
    await shop.ask('PUT', '/api/v1/products/p', { name: 'x' });
    const first = (await shop.ask('GET', `/api/sync/poll?since=${start}`)).json;
    expect(first.messages.map(({ payload }: Told) => payload.id)).toEqual(['p']);
    await shop.ask('PUT', '/api/v1/products/q', { name: 'x' });
    const second = (await shop.ask('GET', `/api/sync/poll?since=${first.messages[0].timestamp}`)).json;
    expect(second.messages.map(({ payload }: Told) => payload.id)).toContain('q');
  });

  test('it waits until there is something for it, or its time is up', async () => {
    const shop = await openLiveShop();
    const till = await shop.makeTill();
    const waiting = shop.ask('GET', '/api/sync/poll?wait=20&topics=a', undefined, { token: till.token });
    await until('it waits', () => shop.appliance.realtime.listening() === 1);
    await shop.ask('POST', '/api/sync/broadcast', { type: 'note', payload: 1, topics: ['b'] });
    await shop.ask('POST', '/api/sync/broadcast', { type: 'note', payload: 2, topics: ['a'] });
    const { json } = await waiting;
    expect(json).toMatchObject({ success: true, count: 1, messages: [{ type: 'note', payload: 2, topics: ['a'] }] });
    const none = (await shop.ask('GET', `/api/sync/poll?wait=0.05&since=${json.cursor}`)).json;
    expect(none).toMatchObject({ success: true, count: 0, messages: [], cursor: json.cursor });
    for (const query of ['since=nonsense', 'wait=soon', 'topics=a%20b', `since=${'9'.repeat(300)}`]) {
      expect([query, (await shop.ask('GET', `/api/sync/poll?${query}`)).status]).toEqual([query, 400]);
    }
  });

  test('B8 more than a queue holds at once: who waits is told what he missed, and hears all that is left', async () => {
    const shop = await openLiveShop();
    const count = liveQueueMessagesMax + 300;
    for (const reader of [byPolling, byWebSocket]) {
      const reading = await reader.open(shop);
      await until('it listens', () => shop.appliance.realtime.listening() > 0);
      for (let n = 0; n < count; n++) shop.appliance.realtime.publish({ type: 'note', payload: n, to: 'all' });
      await reading.has(liveQueueMessagesMax);
      expect(reading.messages.map(({ payload }) => payload)).toEqual(
        Array.from({ length: liveQueueMessagesMax }, (_, n) => n + 300),
      );
      expect(new Set(reading.lost)).toEqual(new Set(['messages']));
      await reading.close();
    }
  });

  test('what is lost is told once, also to a cursor of the process before', async () => {
    const shop = await openLiveShop();
    const before = (await shop.ask('GET', '/api/sync/poll')).json.cursor.split('.');
    before[4] = 'aaaaaaaa';
    for (let n = 0; n <= liveQueueMessagesMax; n++)
      shop.appliance.realtime.publish({ type: 'note', payload: n, to: 'all' });
    const reading = await byWebSocket.open(shop, { after: before.join('.') });
    await reading.has(liveQueueMessagesMax);
    expect(reading.lost).toEqual(['messages']);
  });

  test('its status tells of queues and messages', async () => {
    const shop = await openLiveShop();
    await shop.ask('POST', '/api/sync/broadcast', { type: 'note', topics: ['a', 'b'] });
    await shop.ask('POST', '/api/sync/send', { type: 'note' });
    const { json } = await shop.ask('GET', '/api/sync/status');
    expect(json).toMatchObject({
      success: true,
      status: { polling: { enabled: true, endpoint: '/api/sync/poll', queues: 3, messages: 2 } },
    });
    expect(Date.parse(json.status.lastCheck)).toBeGreaterThan(0);
  });

  test('nobody but the books speaks for the books', async () => {
    const shop = await openLiveShop();
    const update = (payload: unknown) => shop.ask('POST', '/api/sync/broadcast', { type: 'data.updated', payload });
    for (const payload of [{ section: 'stock', data: 1 }, { section: 7 }, [], null, 'x']) {
      expect((await update(payload)).json.code).toBe('type_reserved');
    }
    expect((await update({ section: 'weather', data: 'rain' })).status).toBe(200);
    const both = { type: 'x', topics: ['a'], userId: 'till-1' };
    expect((await shop.ask('POST', '/api/sync/broadcast', both)).status).toBe(400);
  });
});

test('something that is in no books has changed: told to all, or to one user', async () => {
  const shop = await openLiveShop();
  const [all, till] = [await byWebSocket.open(shop), await shop.makeTill()];
  const his = await byWebSocket.open(shop, { token: till.token });
  const { realtime } = shop.appliance;
  expect(realtime.publishDataUpdate('weather', { sky: 'grey' })).toMatchObject({ ok: true });
  expect(realtime.publishDataUpdate('basket', [1, 2], till.id)).toMatchObject({ ok: true });
  expect(realtime.publishDataUpdate('stock', { onHand: 1 })).toMatchObject({ ok: false, code: 'type_reserved' });
  await Promise.all([all.has(1), his.has(2)]);
  expect(his.messages.map(({ payload }) => payload)).toEqual([
    { section: 'weather', data: { sky: 'grey' } },
    { section: 'basket', data: [1, 2] },
  ]);
  expect(all.messages.map(({ type, payload }) => [type, payload.section])).toEqual([['data.updated', 'weather']]);
});

test('an alarm of the mesh is told to whoever is connected, as an error', async () => {
  const shop = await openLiveShop();
  const reading = await byWebSocket.open(shop);
  shop.appliance.realtime.publishError('books_differ', 'Cellar holds other figures.');
  await reading.has(1);
  expect(reading.messages[0]).toMatchObject({
    type: 'sync.error',
    payload: { code: 'books_differ', detail: 'Cellar holds other figures.' },
    userId: null,
  });
});
