// How much one caller may ask: by address without a credential, by credential with one, sales apart from all else.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { hostOf } from '../../src/core/dial.ts';
import {
  callerRequestsMax,
  limitedKeysMax,
  loginFailuresMax,
  loginsWaitingMax,
  loginWindowSeconds,
  saleRequestsMax,
  strangerRequestsMax,
} from '../../src/core/limits.ts';
import { hashOf } from '../../src/edges/http/credentials.ts';
import { createLimiter, isSale, type Looked } from '../../src/edges/http/limiter.ts';
import { adminToken, openShop } from './appliance.ts';

const authorized = (token: string) => ({ Authorization: `Bearer ${token}` });

describe('B8 requests', () => {
  test('of an address without a credential are bounded; others there, and elsewhere, are served', async () => {
    const { app, makeTill } = openShop({ http: { rateLimit: true } });
    const { token } = await makeTill();
    const ask = async (address: string, headers: Record<string, string> = {}, path = '/healthz') =>
      app.request(path, { headers }, { address });
    for (let count = 0; count < strangerRequestsMax; count++) {
      const path = ['/healthz', '/', '/api/v1/products', '/nothing'][count % 4];
      expect((await ask('10.0.0.1', {}, path)).status).not.toBe(429);
    }
    const refused = await ask('10.0.0.1');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60);
    expect(await refused.json()).toMatchObject({
      code: 'rate_limited',
      detail: expect.stringContaining('Try again in'),
    });
    expect((await ask('10.0.0.1', authorized('garbage'), '/api/v1/products')).status).toBe(429);
    expect((await ask('10.0.0.1', { 'X-Forwarded-For': '10.0.0.9' })).status).toBe(429);
    expect((await ask('10.0.0.2')).status).toBe(200);
    expect((await ask('10.0.0.1', authorized(token))).status).toBe(200);
    expect((await ask('10.0.0.1', authorized(token), '/api/v1/products')).status).toBe(200);
    expect((await ask('10.0.0.1', authorized(adminToken), '/api/v1/products')).status).toBe(200);
  });

  test('B7 of a till that asks without end cost it no sale, and no other till anything', async () => {
    const { app, makeTill } = openShop({ http: { rateLimit: true } });
    const [busy, calm] = [await makeTill('Busy'), await makeTill('Calm')];
    const ask = (token: string, path: string, init: RequestInit = {}) =>
      app.request(path, { ...init, headers: { ...authorized(token), 'Content-Type': 'application/json' } }, {});
    for (let count = 0; count < callerRequestsMax; count++) {
      expect((await ask(busy.token, '/api/v1/stock/x')).status).toBe(404);
    }
    expect((await ask(busy.token, '/api/v1/stock/x')).status).toBe(429);
    const sold = (id: string) => ask(busy.token, `/api/v1/tickets/${id}`, { method: 'PUT', body: '{"lines":[]}' });
    expect((await sold('t-1')).status).toBe(201);
    expect((await ask(busy.token, '/api/v1/tickets/batch', { method: 'POST', body: '{"items":[]}' })).status).toBe(200);
    expect((await ask(busy.token, '/api/v1/tickets/t-1')).status).toBe(429);
    expect((await ask(calm.token, '/api/v1/stock/x')).status).toBe(404);
  });

  test('B8 with one admin token without end cost another nothing, nor the console', async () => {
    const consoleToken = 'the token of the console';
    const { ask } = openShop({ http: { rateLimit: true, consoleTokenHash: hashOf(consoleToken) } });
    const askAs = async (token: string, method = 'GET', path = '/api/v1/session') =>
      (await ask(method, path, undefined, { token })).status;
    const stolen = (await ask('POST', '/api/v1/admin-token')).json.token;
    for (let count = 0; count < callerRequestsMax; count++) expect(await askAs(stolen)).toBe(200);
    expect([await askAs(stolen), await askAs(adminToken)]).toEqual([429, 200]);
    for (let count = 0; count < callerRequestsMax; count++) await askAs(adminToken);
    expect([await askAs(adminToken), await askAs(consoleToken, 'POST', '/api/v1/admin-token')]).toEqual([429, 201]);
  });

  test('are not counted where limits are off', async () => {
    const { app } = openShop();
    for (let count = 0; count <= strangerRequestsMax; count++) {
      expect((await app.request('/healthz', {}, { address: '10.0.0.1' })).status).toBe(200);
    }
  });
});

describe('windows', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const looking = (isRight: boolean) => async () => ({ ok: true, isRight }) as const;
  const [right, wrong] = [looking(true), looking(false)];

  test('B7 failed log-ins are counted also where limits are off, and forgotten after a minute', async () => {
    const limiter = createLimiter(false);
    for (let count = 0; count < loginFailuresMax; count++)
      expect(await limiter.guess('a', wrong)).toEqual(await wrong());
    expect(await limiter.guess('a', right)).toMatchObject({
      code: 'rate_limited',
      facts: { retryAfter: loginWindowSeconds },
    });
    expect(await limiter.guess('b', right)).toEqual(await right());
    vi.advanceTimersByTime(loginWindowSeconds * 1000);
    expect(await limiter.guess('a', right)).toEqual(await right());
  });

  test('B7 addresses of IPv6 count as one where one host may have them all', async () => {
    const limiter = createLimiter(true);
    for (let count = 0; count < loginFailuresMax; count++)
      await limiter.guess(`fe80::${count.toString(16)}%eth0`, wrong);
    expect(await limiter.guess('fe80::aa:1', right)).toMatchObject({ code: 'rate_limited' });
    expect(await limiter.guess('2001:db8::1', right)).toEqual(await right());
    // Of what needs no password a neighbour must not shut out the whole LAN.
    for (let count = 0; count <= strangerRequestsMax; count++) await limiter.take(undefined, '2001:db8::1', false);
    expect(await limiter.take(undefined, '2001:db8::1', false)).toMatchObject({ code: 'rate_limited' });
    expect(await limiter.take(undefined, '2001:db8::2', false)).toBe(undefined);
  });

  test('B7 right passwords that come at once are all let in; of wrong ones no more than the limit is looked at', async () => {
    const limiter = createLimiter(true);
    const atOnce = (look: () => Promise<Looked>) =>
      Promise.all(Array.from({ length: 3 * loginFailuresMax }, () => limiter.guess('a', look)));
    expect((await atOnce(right)).every(({ ok }) => ok)).toBe(true);
    const look = vi.fn(wrong);
    const refused = (await atOnce(look)).filter(({ ok }) => !ok);
    expect([look.mock.calls.length, refused.length]).toEqual([loginFailuresMax, 2 * loginFailuresMax]);
    vi.advanceTimersByTime(loginWindowSeconds * 1000);
    expect(await limiter.guess('a', right)).toEqual(await right());
  });

  test('B7 a password that was right is no room for more guesses, though it was looked at over the end of the minute', async () => {
    const limiter = createLimiter(true);
    await limiter.guess('a', wrong);
    await limiter.guess('a', async () => {
      vi.advanceTimersByTime(loginWindowSeconds * 1000);
      return right();
    });
    for (let count = 0; count < loginFailuresMax; count++)
      expect(await limiter.guess('a', wrong)).toEqual(await wrong());
    expect(await limiter.guess('a', wrong)).toMatchObject({ code: 'rate_limited' });
  });

  test('B8 of one address a bounded number waits; the rest is told to come again in a second', async () => {
    const limiter = createLimiter(true);
    const count = 1 + loginsWaitingMax;
    const looks = await Promise.all(Array.from({ length: count + 1 }, () => limiter.guess('a', right)));
    expect(looks.filter(({ ok }) => ok)).toHaveLength(count);
    expect(looks.at(-1)).toMatchObject({ code: 'busy', facts: { retryAfter: 1 } });
    expect(await limiter.guess('a', right)).toEqual(await right());
  });

  test('sales have ten times as much, for themselves', async () => {
    const limiter = createLimiter(true);
    for (let count = 0; count < saleRequestsMax; count++) expect(await limiter.take('till', 'a', true)).toBe(undefined);
    expect(await limiter.take('till', 'a', true)).toMatchObject({ code: 'rate_limited' });
    expect(await limiter.take('till', 'a', false)).toBe(undefined);
    vi.advanceTimersByTime(10_000);
    expect(await limiter.take('till', 'a', true)).toBe(undefined);
  });

  test('B8 whoever makes up addresses gains no memory: the one counted longest makes room', async () => {
    const limiter = createLimiter(true);
    for (let count = 0; count < limitedKeysMax + 1000; count++) await limiter.take(undefined, `10.${count}`, false);
    expect(vi.getTimerCount()).toBeLessThanOrEqual(limitedKeysMax);
  });
});

test.each([
  ['192.168.1.20', '192.168.1.20'],
  ['unknown', 'unknown'],
  ['fe80::1:2%eth0', 'fe80:0:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::2:3:4:5:6', '2001:db8:0:2::/64'],
  ['2001:db8:1::', '2001:db8:1:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('B7 %s counts as %s', (address, counted) => expect(hostOf(address)).toBe(counted));

test('writing tickets is a sale, reading them is none', () => {
  expect(isSale('POST', '/api/v1/tickets')).toBe(true);
  expect(isSale('PUT', '/api/v1/tickets/t-1')).toBe(true);
  expect(isSale('POST', '/api/v1/tickets/batch')).toBe(true);
  for (const [method, path] of [
    ['GET', '/api/v1/tickets'],
    ['POST', '/api/v1/ticketsx'],
    ['POST', '/api/v1/products'],
  ] as const)
    expect(isSale(method, path)).toBe(false);
});
