// Who may do what: closed unless said otherwise.

import crypto from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hashOf } from '../../src/edges/http/credentials.ts';
import { isFromHere, type Visit } from '../../src/edges/http/origins.ts';
import { methodsAt, routes } from '../../src/edges/http/routes.ts';
import { adminToken, openShop } from './appliance.ts';

const example = (path: string) => path.replace(/\{\w+\}/g, 'x');

describe('B10 without a token', () => {
  test('addresses that are none ask for one too, and so do all methods', async () => {
    const shop = openShop();
    for (const path of [
      '/api/v2/x',
      '/nothing',
      '/metrics',
      '/ws',
      '//healthz',
      '/healthz/',
      '/HEALTHZ',
      '/%2e%2e/healthz/../api/v1/tickets',
    ]) {
      expect([path, (await shop.ask('GET', path, undefined, { token: null })).status]).toEqual([path, 401]);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      expect((await shop.ask(method, '/healthz', undefined, { token: null })).status).toBe(401);
    }
    const script = await shop.ask('GET', '/client.js', undefined, { token: null });
    expect([script.status, script.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
    expect(script.headers.get('x-typescript-types')).toBe('/client.d.ts');
    expect((await shop.ask('GET', '/client.d.ts', undefined, { token: null })).text).toContain('getConnectionManager');
  });

  test("A10 the page's files are open and can be framed nowhere", async () => {
    const shop = openShop();
    for (const path of ['/', '/index.html', '/style.css']) {
      const reply = await shop.ask('GET', path, undefined, { token: null });
      expect(reply.status).toBe(200);
      expect(reply.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
    }
    const { text } = await shop.ask('GET', '/', undefined, { token: null });
    expect(text).toContain('href="/openapi.json"');
  });

  test('A8 a preflight of a foreign page gets no leave', async () => {
    const shop = openShop();
    const headers = { Origin: 'http://evil.example', 'Access-Control-Request-Method': 'POST' };
    const reply = await shop.ask('OPTIONS', '/api/v1/tickets', undefined, { token: null, headers });
    expect(reply.headers.get('access-control-allow-origin')).toBeNull();
    const read = await shop.ask('GET', '/version', undefined, { headers });
    expect(read.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('B10 tokens', () => {
  test.each([
    `Basic ${adminToken}`,
    `bearer ${adminToken}`,
    `BEARER ${adminToken}`,
    `Bearer  ${adminToken}`,
    `Bearer ${adminToken}x`,
    `Bearer ${adminToken.slice(1)}`,
    `Bearer\t${adminToken}`,
    `Token ${adminToken}`,
    adminToken,
    'Bearer',
    'Bearer till_',
    'Bearer till_.',
    'Bearer till_dGlsbC0x.abc',
    `Bearer ${'x'.repeat(100_000)}`,
    `Bearer ${adminToken}, Bearer ${adminToken}`,
    '',
  ])('B3 "%s" is a 401', async (authorization) => {
    const reply = await openShop().ask('GET', '/api/v1/products', undefined, {
      token: null,
      headers: { Authorization: authorization },
    });
    expect(reply.status).toBe(401);
  });

  test.each([`bearer ${adminToken}`, adminToken, 'Basic x', 'Bearer'])(
    'B3 "%s" is told in which form a token is sent',
    async (authorization) => {
      const headers = { authorization };
      const reply = await openShop().ask('GET', '/api/v1/products', undefined, { token: null, headers });
      expect([reply.status, reply.json.detail]).toEqual([401, expect.stringContaining('Bearer TOKEN')]);
    },
  );

  test('a till may use the books, and nothing that is an admin’s', async () => {
    const shop = openShop();
    const { token } = await shop.makeTill();
    expect((await shop.ask('PUT', '/api/v1/products/p-1', {}, { token })).status).toBe(201);
    expect((await shop.ask('GET', '/api/v1/p2p/status', undefined, { token })).status).toBe(200);
    for (const { method, path, access } of routes) {
      if (access !== 'admin') continue;
      const body = method === 'get' || method === 'delete' ? undefined : {};
      const reply = await shop.ask(method.toUpperCase(), example(path), body, { token });
      expect([path, reply.status, reply.json.code]).toEqual([path, 403, 'admin_only']);
    }
  });

  test('B4 a revoked token is out at once', async () => {
    const shop = openShop();
    const till = await shop.makeTill();
    const other = await shop.makeTill('Till 2');
    const ask = async (token: string) => (await shop.ask('GET', '/api/v1/products', undefined, { token })).status;
    expect([await ask(till.token), await ask(other.token)]).toEqual([200, 200]);
    expect((await shop.ask('DELETE', `/api/v1/terminals/${till.id}`)).status).toBe(204);
    expect([await ask(till.token), await ask(other.token)]).toEqual([401, 200]);
    expect((await shop.ask('DELETE', `/api/v1/terminals/${till.id}`)).status).toBe(204);
    expect((await shop.ask('DELETE', '/api/v1/terminals/nobody')).status).toBe(404);
    const list = (await shop.ask('GET', '/api/v1/terminals')).json.data;
    expect(list.find(({ id }: { id: string }) => id === till.id)).toMatchObject({ name: 'Till 1', revoked: true });
  });

  test('B9 a token is shown once, and its hash never', async () => {
    const shop = openShop();
    const till = await shop.makeTill('Till é');
    expect(till).toEqual({
      id: expect.stringMatching(/^till-[0-9a-f]{20}$/),
      name: 'Till é',
      role: 'terminal',
      token: expect.stringMatching(/^till_/),
    });
    const list = await shop.ask('GET', '/api/v1/terminals');
    expect(list.json.data).toMatchObject([{ id: till.id, name: 'Till é', revoked: false }]);
    const hash = crypto.hash('sha256', till.token);
    for (const hidden of [till.token, hash, 'tokenHash']) {
      expect(list.text).not.toContain(hidden);
      expect(JSON.stringify(shop.log)).not.toContain(hidden);
    }
    expect(JSON.stringify(shop.appliance.books.record('terminal', till.id))).toContain(hash);
  });

  test('a till’s id can be given once, and is no name of ours', async () => {
    const shop = openShop();
    const make = async (body: object, headers = {}) =>
      (await shop.ask('POST', '/api/v1/terminals', body, { headers })).json;
    expect((await make({ id: 'till-1', name: 'A' })).token).toMatch(/^till_/);
    expect((await make({ id: 'till-1', name: 'A' })).code).toBe('terminal_exists');
    expect((await make({ id: 'admin', name: 'A' })).code).toBe('id_reserved');
    expect((await make({})).code).toBe('malformed');
    expect((await make({ name: 'B', tokenHash: 'x', revoked: true })).token).toMatch(/^till_/);
    const key = { 'Idempotency-Key': 'k' };
    expect((await make({ name: 'C' }, key)).token).toMatch(/^till_/);
    expect((await make({ name: 'C' }, key)).code).toBe('terminal_exists');
  });

  test('B9 the console’s counts from this machine alone', async () => {
    const { ask } = openShop({ http: { consoleTokenHash: hashOf('the console'), httpsOnly: true } });
    const asked = async (visit: Visit) =>
      (await ask('GET', '/api/v1/peers', undefined, { token: 'the console', visit })).status;
    expect(await asked({ address: '127.0.0.1', isFromHere: true })).toBe(200);
    expect(await asked({ address: '10.0.0.9', isFromHere: false, isTls: true })).toBe(401);
    expect(await asked({ address: '10.0.0.9', isFromHere: false })).toBe(403);
    expect(await asked({ isTls: true })).toBe(401);
  });

  test('a changed list of admins counts at once', async () => {
    const hashes = [crypto.hash('sha256', 'one')];
    const shop = openShop({ http: { adminTokenHashes: () => hashes } });
    const ask = async (token: string) => (await shop.ask('GET', '/api/v1/peers', undefined, { token })).status;
    expect([await ask('one'), await ask('two')]).toEqual([200, 401]);
    hashes.splice(0, 1, crypto.hash('sha256', 'two').toUpperCase());
    expect([await ask('one'), await ask('two')]).toEqual([401, 200]);
  });
});

test.each([
  ['127.0.0.7', '127.0.0.1', true],
  ['::1', '::1', true],
  ['192.168.1.5', '192.168.1.5', true],
  ['192.168.1.6', '192.168.1.5', false],
  ['fe80::1%eth0', 'fe80::2%eth0', false],
  [undefined, undefined, false],
])('from %s to %s: of this machine itself is %s', (remote, local, isHere) =>
  expect(isFromHere(remote, local)).toBe(isHere),
);

describe('HEAD and OPTIONS', () => {
  test('HEAD is GET without the body; OPTIONS names the methods', async () => {
    const shop = openShop();
    await shop.ask('PUT', '/api/v1/products/p-1', { name: 'x' });
    const head = await shop.ask('HEAD', '/api/v1/products/p-1');
    expect([head.status, head.text]).toEqual([200, '']);
    expect(head.headers.get('etag')).toMatch(/^"[0-9a-f]{32}"$/);
    expect((await shop.ask('HEAD', '/api/v1/products/p-2')).status).toBe(404);
    const options = await shop.ask('OPTIONS', '/api/v1/products/p-1');
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, PUT, PATCH, DELETE, HEAD, OPTIONS']);
    expect((await shop.ask('OPTIONS', '/nothing')).status).toBe(404);
    expect(methodsAt('/api/v1/stock/movements')).toContain('POST');
  });
});
