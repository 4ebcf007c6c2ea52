// Where tills reach the shop's appliances: what an appliance tells of itself, what is of use to whoever asks, whose pages
// may use tokens, and with whom the till's page may speak.

import { describe, expect, test } from 'vitest';
import { servedOrigins } from '../../src/cli/served-origins.ts';
import type { Settings } from '../../src/config.ts';
import { servedOriginsMax } from '../../src/core/limits.ts';
import { fileAnswer } from '../../src/edges/http/actions/about.ts';
import { reachableUrls } from '../../src/edges/http/appliance-urls.ts';
import { openShop } from './appliance.ts';

const ports = { port: 3030, meshPort: 3031 };
const settings = (more: Partial<Settings>) =>
  ({ host: null, hosts: [], httpsOnly: false, ...more }) as unknown as Settings;

describe('what it tells of itself', () => {
  test('one address: that and the names, over both schemes', () => {
    const origins = servedOrigins(settings({ host: '10.0.0.1', hosts: ['till.lan'] }), ports);
    expect(origins.slice(0, 2)).toEqual(['http://10.0.0.1:3030', 'https://10.0.0.1:3031']);
    expect(origins).toContain('http://till.lan:3030');
    expect(origins).not.toContain('http://127.0.0.1:3030');
  });

  test('all interfaces: loopback comes last, and no address that is none', () => {
    for (const host of [null, '0.0.0.0', '::']) {
      const origins = servedOrigins(settings({ host }), ports);
      expect(origins.at(-1)).toBe('https://localhost:3031');
      expect(origins.filter((origin) => /0\.0\.0\.0|\[::\]|fe80|169\.254/.test(origin))).toEqual([]);
      expect(new Set(origins).size).toBe(origins.length);
    }
  });

  test('over HTTPS alone nothing else; a port that a scheme has anyway is not said; so many, and no more', () => {
    const host = '10.0.0.1';
    const secure = servedOrigins(settings({ host, httpsOnly: true }), { port: 80, meshPort: 443 });
    expect(secure[0]).toBe('https://10.0.0.1');
    expect(secure.every((origin) => origin.startsWith('https://'))).toBe(true);
    const hosts = Array.from({ length: 100 }, (_, n) => `till-${n}.lan`);
    expect(servedOrigins(settings({ host, hosts }), ports)).toHaveLength(servedOriginsMax);
    expect(servedOrigins(settings({ host: 'fd00::1' }), ports)[0]).toBe('http://[fd00::1]:3030');
  });
});

describe('what is of use to a till', () => {
  const origins = ['http://pi.local:3030', 'http://192.168.1.9:3030', 'http://10.0.0.2:3030', 'http://127.0.0.1:3030'];

  test('the address at which the appliance was reached comes first, then others, then names; loopback is of no use', () => {
    expect(reachableUrls(origins, '10.0.0.2', false)).toEqual([
      'http://10.0.0.2:3030',
      'http://192.168.1.9:3030',
      'http://pi.local:3030',
    ]);
  });

  test('on the same machine loopback is as good', () => {
    expect(reachableUrls(origins, '127.0.0.1', false)[0]).toBe('http://127.0.0.1:3030');
    expect(reachableUrls(origins, null, true)).toContain('http://127.0.0.1:3030');
    expect(reachableUrls(['http://127.0.0.1:3030'], null, false)).toEqual(['http://127.0.0.1:3030']);
  });
});

test('A10 the till’s page may speak to appliances wherever they are by then, and loads from here alone; no other page may', () => {
  const file = { contentType: 'text/html', bytes: new Uint8Array() };
  const policyOf = (path: string) => String(fileAnswer(path, file).headers?.['Content-Security-Policy']);
  expect(policyOf('/till.html')).toMatch(
    /default-src 'none'; script-src 'self';.*connect-src 'self' http: https: ws: wss:;/,
  );
  expect(policyOf('/till.html')).not.toMatch(/unsafe|\*/);
  for (const path of ['/', '/index.html', '/page.js', '/till.js'])
    expect(policyOf(path)).toContain("connect-src 'self';");
});

test('an appliance alone tells of itself, and takes tokens from no other page', async () => {
  const shop = openShop();
  const { json } = await shop.ask('GET', '/api/v1/appliances');
  expect(json).toEqual({
    data: [{ id: shop.appliance.replicaId, name: 'test', self: true, connected: true, urls: [] }],
  });
  const headers = { Origin: 'http://10.0.0.2:3030' };
  const reply = await shop.ask('GET', '/api/v1/appliances', undefined, { headers });
  expect([reply.status, reply.headers.get('access-control-allow-origin')]).toEqual([200, null]);
});
