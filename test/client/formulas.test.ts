// The client's pure parts: formulas, what is read at its door, and what people are told.

import { describe, expect, test } from 'vitest';
import { addressesInOrder } from '../../src/client/addresses.ts';
import { reconnectDelayMs, retryAfterMs, retryDelayMs } from '../../src/client/backoff.ts';
import { readFrame, readPollAnswer } from '../../src/client/messages.ts';
import type { Entry } from '../../src/client/outbox-medium.ts';
import { createRecentIds } from '../../src/client/recent-ids.ts';
import { type FaultsByKey, isSetAside, nextToSend } from '../../src/client/sending-order.ts';
import { readOptions } from '../../src/client/settings.ts';
import { levelOf } from '../../src/client/standing.ts';
import { terminalIdOf } from '../../src/client/ticket.ts';
import { uuidV7 } from '../../src/client/uuid.ts';

const bar = 'http://bar:3030';

describe('backoff', () => {
  test('1, 2, 4 … 60 s, ±20 %, never more than 60 s', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 1e9].map((failures) => retryDelayMs(failures, 0.5))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000,
    ]);
    expect([0, 0.999].map((fraction) => retryDelayMs(2, fraction))).toEqual([1_600, 2_399]);
    expect(retryDelayMs(9, 0.999)).toBe(60_000);
    expect(retryDelayMs(0, 0.5)).toBe(1_000);
  });

  test('from so many failures on the slowest pace', () => {
    expect([1, 2, 3, 4].map((failures) => reconnectDelayMs(failures, 3, 0.5))).toEqual([1_000, 2_000, 60_000, 60_000]);
  });

  test('Retry-After in seconds or as a date, bounded', () => {
    const now = Date.UTC(2026, 10, 20);
    expect(retryAfterMs('30', now)).toBe(30_000);
    expect(retryAfterMs('Fri, 20 Nov 2026 00:01:00 GMT', now)).toBe(60_000);
    expect(retryAfterMs('Fri, 20 Nov 2020 00:01:00 GMT', now)).toBe(0);
    expect(retryAfterMs('99999999', now)).toBe(900_000);
    for (const nothing of [null, '', 'soon']) expect(retryAfterMs(nothing, now)).toBeUndefined();
  });
});

test('UUIDv7: the time first, then version, variant and chance', () => {
  expect(uuidV7(0x0123456789ab, new Uint8Array(16).fill(255))).toBe('01234567-89ab-7fff-bfff-ffffffffffff');
  expect(uuidV7(1, new Uint8Array(16))).toBe('00000000-0001-7000-8000-000000000000');
});

test('B8 ids that were delivered: the latest of them are known', () => {
  const ids = createRecentIds(2);
  expect(['a', 'b', 'a', 'c', 'b', 'a'].map((id) => ids.add(id))).toEqual([true, true, false, true, false, true]);
});

describe('frames', () => {
  test('a message has an id and a type; its cursor is not of it, what we do not know is', () => {
    const frame = readFrame('{"id":"1","type":"t","timestamp":5,"userId":"u","payload":1,"cursor":"c","new":true}');
    expect(frame).toEqual({
      kind: 'message',
      cursor: 'c',
      message: { id: '1', type: 't', timestamp: 5, userId: 'u', payload: 1, new: true },
    });
  });

  test.each(['', '{', '[]', 'null', '7', '{"id":1}', '{"type":7}'])('%j is none', (text) => {
    expect(readFrame(text)).toBeUndefined();
  });

  test('binary frames are none', () => expect(readFrame(new ArrayBuffer(2))).toBeUndefined());

  test('answers of polling: what is no message is left out; a number is a cursor, too', () => {
    expect(
      readPollAnswer({ messages: [{ id: 'a', type: 't' }, 7, {}], cursor: 12, resync: true, lost: 'messages' }),
    ).toEqual({
      cursor: '12',
      resync: { type: 'resync', lost: 'messages', detail: expect.any(String) },
      messages: [{ id: 'a', type: 't', payload: undefined, timestamp: 0, userId: null }],
    });
    for (const odd of [null, [], {}, { messages: 1 }]) expect(readPollAnswer(odd)).toBeUndefined();
  });
});

describe('options', () => {
  test('left out, the appliance is where the script came from', () => {
    expect(readOptions({}, ['http://a:3030/client.js', 'http://page/']).appliances).toEqual(['http://a:3030']);
    expect(() => readOptions({}, [])).toThrow('Say where');
  });

  test('addresses are read, and what is none is refused', () => {
    const { appliances } = readOptions({ appliances: ['HTTP://A:80/', 'https://b:3031/shop/?x'] }, []);
    expect(appliances).toEqual(['http://a', 'https://b:3031/shop']);
    for (const odd of ['a:3030', 'ws://a', '']) expect(() => readOptions({ appliances: [odd] }, [])).toThrow('address');
  });

  test('places of the first appliance, absolute or as paths', () => {
    const own = { appliances: ['http://a:3030'] };
    const { websocketUrl, pollingUrl } = readOptions(
      { ...own, websocketUrl: '/live', pollingUrl: 'http://p/poll' },
      [],
    );
    expect([websocketUrl, pollingUrl]).toEqual(['ws://a:3030/live', 'http://p/poll']);
    const alone = readOptions({ websocketUrl: 'ws://a:3030/ws', pollingUrl: 'http://a:3030/api/sync/poll' }, []);
    expect(alone.appliances).toEqual(['http://a:3030']);
    expect(readOptions({ websocketUrl: 'wss://a:3031/ws' }, []).appliances).toEqual(['https://a:3031']);
  });

  test.each([[7], [{ token: 7 }], [{ appliances: bar }], [{ topics: 'stock' }], [{ pollingInterval: '5' }]])(
    'of a wrong type they are refused with a sentence: %j',
    (odd) => expect(() => readOptions(odd as never, [bar])).toThrow(TypeError),
  );

  test('numbers are kept within what makes sense', () => {
    const own = { appliances: ['http://a:3030'] };
    expect(readOptions(own, [])).toMatchObject({ pollingIntervalMs: 5_000, reconnectAttemptsMax: 10 });
    expect(readOptions({ ...own, pollingInterval: 0, maxReconnectAttempts: 0 }, [])).toMatchObject({
      pollingIntervalMs: 100,
      reconnectAttemptsMax: 1,
    });
    expect(readOptions({ ...own, pollingInterval: 1e9 }, []).pollingIntervalMs).toBe(55_000);
  });
});

describe('which ticket is next', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((key): Entry => ({ key, ticket: { id: key }, rejection: null })) as [
    Entry,
    Entry,
    Entry,
  ];
  const faults = (counts: Record<string, number>, othersPassed = false): FaultsByKey =>
    new Map(Object.entries(counts).map(([key, count]) => [key, { count, othersPassed }]));

  test('the oldest, also after one or two mistakes', () => {
    expect(nextToSend([], faults({}))).toBeUndefined();
    expect(nextToSend([a, b], faults({ a: 2 }))).toBe(a);
  });

  test('after three the next one, to see who is to blame; and it once more when that got through and none is left', () => {
    expect(nextToSend([a, b], faults({ a: 3 }))).toBe(b);
    expect(nextToSend([a, c], faults({ a: 3 }, true))).toBe(c);
    expect(nextToSend([a], faults({ a: 3 }, true))).toBe(a);
    expect(isSetAside(faults({ a: 3 }).get('a'))).toBe(false);
    expect(isSetAside(faults({ a: 2 }, true).get('a'))).toBe(false);
    expect(isSetAside(faults({ a: 3 }, true).get('a'))).toBe(true);
  });

  test('when all failed, each in turn', () => {
    expect(nextToSend([a, b, c], faults({ a: 4, b: 3, c: 3 }))).toBe(b);
    expect(nextToSend([a, b, c], faults({ a: 4, b: 4, c: 4 }))).toBe(a);
  });
});

test('of which till a token is', () => {
  const encoded = Buffer.from('Bär/1').toString('base64url');
  expect(terminalIdOf(`till_${encoded}.c2VjcmV0`)).toBe('Bär/1');
  for (const other of [undefined, 'till', 'till_', 'till_abc', 'user_YQ.c2VjcmV0', 'till__w.c2VjcmV0'])
    expect(terminalIdOf(other)).toBeUndefined();
});

test('B11 quality: good by WebSocket and quick, fair else, poor when slow, offline when nothing comes', () => {
  expect(levelOf('online', 'websocket', 10)).toBe('good');
  expect(levelOf('online', 'websocket', 500)).toBe('fair');
  expect(levelOf('online', 'polling', 10)).toBe('fair');
  expect(levelOf('online', 'websocket', 5_000)).toBe('poor');
  expect(levelOf('online', null, 10)).toBe('poor');
  expect(levelOf('offline', null, 10)).toBe('offline');
  expect(levelOf('connecting', null, null)).toBe('offline');
});

test('B10 who speaks HTTPS to his own appliance sends the token nowhere in the clear because somebody says so', () => {
  const told = [{ id: 'b', isConnected: true, urls: ['http://10.0.0.2:3030', 'https://10.0.0.2:3031'] }];
  const both = ['https://10.0.0.2:3031'];
  expect(addressesInOrder(['https://10.0.0.1:3031'], told, false)).toEqual(['https://10.0.0.1:3031', ...both]);
  expect(addressesInOrder(['https://10.0.0.1:3031', 'http://10.0.0.3:3030'], told, false)).toEqual([
    'https://10.0.0.1:3031',
    'http://10.0.0.3:3030',
    ...both,
  ]);
  expect(addressesInOrder(['http://10.0.0.1:3030'], told, false)).toHaveLength(3);
});
