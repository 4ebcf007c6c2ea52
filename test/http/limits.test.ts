// How much one caller may ask: by address without a credential, by credential with one, sales apart from all else.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  callerRequestsMax,
  limitedKeysMax,
  loginFailuresMax,
  loginWindowSeconds,
  saleRequestsMax,
  strangerRequestsMax,
} from '../../src/core/limits.ts';
import { createLimiter, hostOf, isSale } from '../../src/edges/http/limiter.ts';
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

  test('B7 failed log-ins are counted also where limits are off, and forgotten after a minute', async () => {
    const limiter = createLimiter(false);
    for (let count = 0; count < loginFailuresMax; count++) expect(await limiter.attempt('a')).toBe(undefined);
    expect(await limiter.attempt('a')).toMatchObject({
      code: 'rate_limited',
      facts: { retryAfter: loginWindowSeconds },
    });
    expect(await limiter.attempt('b')).toBe(undefined);
    vi.advanceTimersByTime(loginWindowSeconds * 1000);
    expect(await limiter.attempt('a')).toBe(undefined);
  });

  test('B7 addresses of IPv6 count as one where one host may have them all', async () => {
    const limiter = createLimiter(true);
    for (let count = 1; count <= loginFailuresMax; count++) await limiter.attempt(`fe80::${count.toString(16)}%eth0`);
    expect(await limiter.attempt('fe80::aa:1')).toMatchObject({ code: 'rate_limited' });
    expect(await limiter.attempt('2001:db8::1')).toBe(undefined);
    for (let count = 0; count < strangerRequestsMax; count++)
      await limiter.take(undefined, `2001:db8::${count}`, false);
    expect(await limiter.take(undefined, '2001:db8::ffff', false)).toMatchObject({ code: 'rate_limited' });
    expect(await limiter.take(undefined, '2001:db8:0:1::1', false)).toBe(undefined);
  });

  test('B7 right passwords do not count', async () => {
    const limiter = createLimiter(true);
    for (let count = 0; count < 5 * loginFailuresMax; count++) {
      expect(await limiter.attempt('a')).toBe(undefined);
      await limiter.forgive('a');
    }
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
