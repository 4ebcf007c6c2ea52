// What a web page can try that somebody of the shop opens in a browser: other names for us, requests that need no leave,
// WebSockets, frames, a cookie that rides along. On the built file, on both runtimes.

import { once } from 'node:events';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  admin,
  adminToken,
  ask,
  logIn,
  password,
  product,
  runtimes,
  sale,
  startTarget,
  type Target,
  talk,
  upgrade,
} from './target.ts';

const listed = 'https://till.example:8443';
const evil = 'http://evil.example';
const both = [false, true];

describe.each(runtimes)('on $name', (runtime) => {
  let target: Target;
  beforeAll(async () => {
    target = await startTarget(runtime, ['--allow-host', 'tills.example.lan', '--cors-origin', listed]);
    await ask(target, '/api/v1/users', admin({ name: 'ada', password, role: 'admin' }));
  });
  afterAll(async () => target?.stop());

  test('A1 a foreign Host gets 421 and nothing else, on every route, on both ports', async () => {
    const names = ['evil.example', `evil.example:${target.port}`, 'localhost.evil.example', '127.0.0.1.evil.example'];
    const odd = ['0x7f.1', '2130706433', 'a b', 'x@127.0.0.1', '127.0.0.1:99999999', '[::1', '[evil]', 'evil.local'];
    for (const isTls of both) {
      for (const host of [...names, ...odd]) {
        const reply = await ask(target, '/healthz', { headers: { host }, isTls });
        expect([host, reply.status, reply.text]).toEqual([host, 421, '']);
      }
      for (const path of ['/', '/style.css', '/openapi.json', '/certificate.pem', '/nothing', '/api/v1/products']) {
        const reply = await ask(target, path, { headers: { host: 'evil.example' }, isTls, token: adminToken });
        expect([path, reply.status, reply.text]).toEqual([path, 421, '']);
      }
      expect(await talk(target, 'GET / HTTP/1.1\r\nHost:\r\n\r\n', isTls)).toContain('HTTP/1.1 421');
      const json = { user: 'ada', password };
      const login = await ask(target, '/api/v1/session', {
        method: 'POST',
        json,
        headers: { host: 'evil.example' },
        isTls,
      });
      expect([login.status, login.text, login.headers['set-cookie']]).toEqual([421, '', undefined]);
      expect((await upgrade(target, '/ws', { Host: 'evil.example' }, isTls)).status).toBe(421);
    }
  });

  test('A2 an address, the names of the machine and a configured one are good', async () => {
    const [first] = hostname().split('.');
    const machine = [hostname(), hostname().toUpperCase(), `${first}.local`, `${first}.local.:3030`];
    const addresses = ['127.0.0.1', '192.168.1.20:3030', '[::1]', '[fe80::1]:3030', 'localhost:3030'];
    for (const host of [...machine, ...addresses, 'tills.example.lan', 'TILLS.example.lan:80']) {
      for (const isTls of both) {
        expect([host, (await ask(target, '/healthz', { headers: { host }, isTls })).status]).toEqual([host, 200]);
      }
    }
  });

  test('A4 A5 JSON that does not say so, and forms, are a 415', async () => {
    const body = JSON.stringify(sale('a4'));
    const types = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/json'];
    for (const type of [...types, 'application/jsonp', 'application/json; charset=utf-16', '']) {
      for (const path of ['/api/v1/tickets', '/api/v1/session', '/api/v1/claim']) {
        const reply = await ask(target, path, {
          ...admin({}),
          body,
          json: undefined,
          headers: { 'content-type': type },
        });
        expect([type, path, reply.status]).toEqual([type, path, 415]);
      }
    }
    expect((await ask(target, '/api/v1/tickets/a4', admin())).status).toBe(404);
  });

  test('A7 an upgrade from a foreign page is a 403 before anything is upgraded', async () => {
    for (const isTls of both) {
      const scheme = isTls ? 'https' : 'http';
      const port = isTls ? target.meshPort : target.port;
      const token = { Authorization: `Bearer ${adminToken}` };
      const own = `${scheme}://127.0.0.1:${port}`;
      const foreign = [evil, 'null', `${scheme}://127.0.0.1:${port + 1}`, `${own}.evil.example`, `${own}/`, `x${own}`];
      const wrongScheme = `${isTls ? 'http' : 'https'}://127.0.0.1:${port}`;
      for (const Origin of [...foreign, wrongScheme, `http://localhost:${port}`]) {
        const { status, text } = await upgrade(target, '/ws', { Origin, ...token }, isTls);
        expect([Origin, status]).toEqual([Origin, 403]);
        expect(text).not.toMatch(/sec-websocket-accept/i);
      }
      for (const headers of [{ Origin: own }, { Origin: listed }, {}] as Record<string, string>[]) {
        expect((await upgrade(target, '/ws', headers, isTls)).status).toBe(401);
        expect((await upgrade(target, '/elsewhere', { ...headers, ...token }, isTls)).status).toBe(404);
        const url = `${isTls ? 'wss' : 'ws'}://127.0.0.1:${port}/ws`;
        const socket = new WebSocket(url, { headers: { ...headers, ...token }, rejectUnauthorized: false });
        const [first] = await once(socket, 'message');
        expect(JSON.parse(String(first))).toMatchObject({ type: 'connected', userId: 'admin' });
        socket.terminate();
      }
    }
  });

  test('A8 a preflight of a foreign page gets no leave; one of a configured page does, without cookies', async () => {
    const headers = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization' };
    for (const origin of [evil, 'null', `${listed}.evil.example`, listed.toUpperCase(), 'https://till.example']) {
      const preflight = await ask(target, '/api/v1/tickets/x', {
        method: 'OPTIONS',
        headers: { ...headers, origin },
      });
      expect([origin, preflight.headers['access-control-allow-origin']]).toEqual([origin, undefined]);
      expect(preflight.status).toBe(401);
      const read = await ask(target, '/api/v1/products', { headers: { origin }, token: adminToken });
      expect([read.status, read.headers['access-control-allow-origin']]).toEqual([200, undefined]);
      expect(read.headers.vary).toBe('Origin');
    }
    const preflight = await ask(target, '/api/v1/tickets/x', {
      method: 'OPTIONS',
      headers: { ...headers, origin: listed },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': listed,
      'access-control-allow-methods': 'GET, PUT, HEAD',
      'access-control-allow-headers': expect.stringContaining('Authorization'),
      vary: 'Origin',
    });
    const read = await ask(target, '/api/v1/products', { headers: { origin: listed }, token: adminToken });
    expect(read.headers['access-control-allow-origin']).toBe(listed);
    const refused = await ask(target, '/api/v1/products', { headers: { origin: listed } });
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([401, listed]);
    for (const reply of [preflight, read, refused])
      expect(reply.headers['access-control-allow-credentials']).toBe(undefined);
    const { cookie } = await logIn(target);
    expect((await ask(target, '/api/v1/session', { headers: { cookie, origin: listed } })).status).toBe(403);
  });

  test('A10 what is served to people can be framed nowhere and loads nothing from elsewhere', async () => {
    for (const path of ['/', '/index.html', '/style.css']) {
      const { status, headers } = await ask(target, path);
      expect(status).toBe(200);
      expect(headers['x-frame-options']).toBe('DENY');
      expect(headers['x-content-type-options']).toBe('nosniff');
      const policy = String(headers['content-security-policy']);
      expect(policy).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(policy).not.toMatch(/unsafe|\*|http:/);
    }
  });

  test('B10 a cookie alone changes nothing, and reads nothing for a page of elsewhere', async () => {
    const { cookie, withCsrf } = await logIn(target);
    const put = (headers: Record<string, string>) =>
      ask(target, '/api/v1/products/csrf', { method: 'PUT', json: product('csrf'), headers });
    const own = `http://127.0.0.1:${target.port}`;
    expect((await put({ cookie })).json.code).toBe('csrf_token_wrong');
    expect((await put({ cookie, 'x-csrf-token': 'x' })).json.code).toBe('csrf_token_wrong');
    for (const origin of [evil, 'null', listed, `http://127.0.0.1:${target.port + 1}`]) {
      expect([origin, (await put({ ...withCsrf, origin })).json.code]).toEqual([origin, 'origin_foreign']);
    }
    for (const site of ['cross-site', 'same-site', 'anything']) {
      expect((await put({ ...withCsrf, 'sec-fetch-site': site })).status).toBe(403);
      const read = await ask(target, '/api/v1/products', { headers: { cookie, 'sec-fetch-site': site } });
      expect([site, read.status]).toEqual([site, 403]);
    }
    expect((await ask(target, '/api/v1/products/csrf', admin())).status).toBe(404);
    for (const site of ['same-origin', 'none']) {
      expect((await ask(target, '/api/v1/products', { headers: { cookie, 'sec-fetch-site': site } })).status).toBe(200);
    }
    expect((await put({ ...withCsrf, origin: own, 'sec-fetch-site': 'same-origin' })).status).toBe(201);
    const login = await logIn(target, { headers: { origin: evil } });
    expect([login.status, login.headers['set-cookie']]).toEqual([403, undefined]);
  });
});
