// Attacks from a page that somebody of the shop opens, from a guest of its Wi-Fi and from its own staff, tried from
// outside on the built file, on both runtimes. What each title begins with is the attack's id.

import { readFileSync } from 'node:fs';
import net from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bun, node, runToEnd } from '../built-file.ts';
import {
  type Ask,
  admin,
  adminToken,
  ask,
  makeTill,
  password,
  startTarget,
  type Target,
  talk,
  upgrade,
} from './target.ts';

const listed = 'https://till.example:8443';
const evil = 'http://evil.example';

describe.each([node, bun])('on $name', (runtime) => {
  let target: Target;
  beforeAll(async () => {
    if (!runtime.isHere) return;
    target = await startTarget(runtime, ['--allow-host', 'tills.example.lan', '--cors-origin', listed]);
    await ask(target, '/api/v1/users', admin({ name: 'ada', password, role: 'admin' }));
  });
  afterAll(async () => target?.stop());

  const sale = (id: string) => ({
    id,
    lines: [{ name: 'Coffee', quantity: 1, unitPrice: 250, total: 250 }],
    total: 250,
  });
  const product = (id: string, more: object = {}) => ({ id, name: 'Coffee', price: 250, currency: 'EUR', ...more });
  const both = [false, true];

  async function logIn(more: Ask = {}, user = 'ada', word = password) {
    const reply = await ask(target, '/api/v1/session', { method: 'POST', json: { user, password: word }, ...more });
    const cookie = reply.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    return { ...reply, cookie, withCsrf: { cookie, 'x-csrf-token': reply.json?.csrfToken ?? '' } };
  }

  test.skipIf(!runtime.isHere)(
    'A1 a foreign Host gets 421 and nothing else, on every route, on both ports',
    async () => {
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
    },
  );

  test.skipIf(!runtime.isHere)('A2 an address, the names of the machine and a configured one are good', async () => {
    const [first] = hostname().split('.');
    const machine = [hostname(), hostname().toUpperCase(), `${first}.local`, `${first}.local.:3030`];
    const addresses = ['127.0.0.1', '192.168.1.20:3030', '[::1]', '[fe80::1]:3030', 'localhost:3030'];
    for (const host of [...machine, ...addresses, 'tills.example.lan', 'TILLS.example.lan:80']) {
      for (const isTls of both) {
        expect([host, (await ask(target, '/healthz', { headers: { host }, isTls })).status]).toEqual([host, 200]);
      }
    }
  });

  test.skipIf(!runtime.isHere)('A4 A5 JSON that does not say so, and forms, are a 415', async () => {
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

  test.skipIf(!runtime.isHere)('A7 an upgrade from a foreign page is a 403 before anything is upgraded', async () => {
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
      // Nothing is served behind the checks yet: whoever passes them finds nothing.
      for (const headers of [{ Origin: own }, { Origin: listed }, {}] as Record<string, string>[]) {
        expect((await upgrade(target, '/ws', { ...headers, ...token }, isTls)).status).toBe(404);
      }
    }
  });

  test.skipIf(!runtime.isHere)(
    'A8 a preflight of a foreign page gets no leave; one of a configured page does, without cookies',
    async () => {
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
      const { cookie } = await logIn();
      expect((await ask(target, '/api/v1/session', { headers: { cookie, origin: listed } })).status).toBe(403);
    },
  );

  test.skipIf(!runtime.isHere)(
    'A10 what is served to people can be framed nowhere and loads nothing from elsewhere',
    async () => {
      for (const path of ['/', '/index.html', '/style.css']) {
        const { status, headers } = await ask(target, path);
        expect(status).toBe(200);
        expect(headers['x-frame-options']).toBe('DENY');
        expect(headers['x-content-type-options']).toBe('nosniff');
        const policy = String(headers['content-security-policy']);
        expect(policy).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
        expect(policy).not.toMatch(/unsafe|\*|http:/);
      }
    },
  );

  test.skipIf(!runtime.isHere)(
    'B1 without a token everything but the public ground is a 401, whatever the method and the spelling',
    async () => {
      const paths = ['/api/v1/products', '/api/v1/tickets/x', '/metrics', '/ws', '/api/v2/x', '/nothing'];
      const spellings = [
        '//healthz',
        '/healthz/',
        '/HEALTHZ',
        '/%2e%2e/healthz/../api/v1/tickets',
        '/%5Chealthz',
        '/healthz%00',
      ];
      for (const path of [...paths, ...spellings]) {
        expect([path, (await ask(target, path)).status]).toEqual([path, 401]);
      }
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
        expect([method, (await ask(target, '/api/v1/tickets', { method })).status]).toEqual([method, 401]);
      }
    },
  );

  test.skipIf(!runtime.isHere)('B1 only what is known by name is served as a file', async () => {
    const paths = [
      '/../package.json',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/..%2f..%2fetc%2fpasswd',
      '/..%5c..%5cetc',
      '//etc/passwd',
    ];
    for (const path of [...paths, '/index.html/', '/index.html%00.css', '/.env', '/identity.json']) {
      const heard = await talk(target, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      expect([path, heard.split(' ')[1]]).toEqual([path, '401']);
    }
  });

  test.skipIf(!runtime.isHere)('B3 a good token in another scheme is a 401', async () => {
    const basic = Buffer.from(`admin:${adminToken}`).toString('base64');
    const schemes = [
      `Basic ${basic}`,
      `Basic ${adminToken}`,
      `bearer ${adminToken}`,
      `BEARER ${adminToken}`,
      adminToken,
    ];
    for (const authorization of [
      ...schemes,
      `Token ${adminToken}`,
      `Bearer  ${adminToken}`,
      `Bearer ${adminToken}, x`,
    ]) {
      const reply = await ask(target, '/api/v1/products', { headers: { authorization } });
      expect([authorization, reply.status]).toEqual([authorization, 401]);
    }
    const inAddress = await ask(target, `/api/v1/products?access_token=${adminToken}&token=${adminToken}`);
    expect(inAddress.status).toBe(401);
  });

  test.skipIf(!runtime.isHere)('B4 a revoked token is out at once, also where it waits', async () => {
    const till = await makeTill(target);
    const other = await makeTill(target, { name: 'Till 2' });
    const start = (await ask(target, '/api/v1/changes?limit=1000', { token: till.token })).json.next;
    const wait = (token: string) =>
      ask(target, `/api/v1/changes?wait=50&after=${encodeURIComponent(start)}&entities=stock`, { token });
    const waiting = wait(till.token);
    const otherWaits = wait(other.token);
    // Both have been taken in once this, which came later, is answered.
    await ask(target, '/api/v1/digest', admin());
    expect((await ask(target, `/api/v1/terminals/${till.id}`, { method: 'DELETE', token: adminToken })).status).toBe(
      204,
    );
    expect((await ask(target, '/api/v1/products', { token: till.token })).status).toBe(401);
    expect((await waiting).status).toBe(401);
    const movement = { productId: 'b4', quantity: 1 };
    await ask(target, '/api/v1/stock/movements', { method: 'POST', token: other.token, json: movement });
    expect((await otherWaits).status).toBe(200);
  });

  test.skipIf(!runtime.isHere)('B4 whoever logs out or is shut out is out at once, also where he waits', async () => {
    await ask(target, '/api/v1/users', admin({ name: 'eve', password }));
    for (const leave of ['out', 'shut'] as const) {
      const { cookie, withCsrf } = await logIn({}, 'eve');
      const start = (await ask(target, '/api/v1/changes?limit=1000', { headers: { cookie } })).json.next;
      const path = `/api/v1/changes?wait=50&after=${encodeURIComponent(start)}&entities=stock`;
      const waiting = ask(target, path, { headers: { cookie } });
      await ask(target, '/api/v1/digest', admin());
      const left =
        leave === 'out'
          ? await ask(target, '/api/v1/session', { method: 'DELETE', headers: withCsrf })
          : await ask(target, '/api/v1/users/eve', { method: 'DELETE', token: adminToken });
      expect(left.status).toBe(204);
      expect((await waiting).status).toBe(401);
      expect((await ask(target, '/api/v1/session', { headers: { cookie } })).status).toBe(401);
    }
    expect((await logIn({}, 'eve')).status).toBe(401);
  });

  test.skipIf(!runtime.isHere)('B7 wrong passwords shut their address out, and nobody else', async () => {
    const guesser = { from: '127.0.0.7' };
    const guesses = Array.from({ length: 20 }, (_, index) => logIn(guesser, 'ada', `wrong password ${index}`));
    const statuses = (await Promise.all(guesses)).map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array(10).fill(401), ...Array(10).fill(429)]);
    const right = await logIn({ ...guesser, headers: { 'x-forwarded-for': '127.0.0.9', forwarded: 'for=127.0.0.9' } });
    expect([right.status, right.json.code, right.headers['set-cookie']]).toEqual([429, 'rate_limited', undefined]);
    expect(Number(right.headers['retry-after'])).toBeGreaterThan(0);
    const claim = { method: 'POST', json: { code: 'ABCD-EFGH-JKMN-PQRS', password }, ...guesser };
    expect([409, 429]).toContain((await ask(target, '/api/v1/claim', claim)).status);
    expect((await logIn({ from: '127.0.0.8' })).status).toBe(200);
    // And the till at the guesser's address sells on.
    const till = await makeTill(target);
    const sold = await ask(target, '/api/v1/tickets', {
      method: 'POST',
      json: sale('b7'),
      token: till.token,
      ...guesser,
    });
    expect(sold.status).toBe(201);
  });

  test.skipIf(!runtime.isHere)('B7 a name that nobody has is answered as a wrong password is', async () => {
    const from = '127.0.0.10';
    const [wrong, nobody] = [
      await logIn({ from }, 'ada', 'wrong password'),
      await logIn({ from }, 'nobody', 'wrong password'),
    ];
    expect([wrong.status, nobody.status]).toEqual([401, 401]);
    expect(wrong.text).toBe(nobody.text);
  });

  test.skipIf(!runtime.isHere)(
    'B9 no secret is in the log, in errors, in the description or in what the console shows',
    async () => {
      const till = await makeTill(target, { name: 'Secret till' });
      const made = (await ask(target, '/api/v1/admin-token', admin({}))).json.token;
      const from = '127.0.0.11';
      const { cookie, withCsrf } = await logIn({ from });
      const wrong = await logIn({ from }, 'ada', 'a wrong secret password');
      const told = [wrong.text];
      for (const token of [till.token, made, `${adminToken}x`, `${till.token}x`]) {
        for (const path of ['/api/v1/terminals', '/api/v1/users', '/api/v1/nothing', '/nothing']) {
          told.push((await ask(target, path, { token })).text);
        }
        told.push(
          (await ask(target, '/api/v1/tickets', { method: 'POST', body: `{"token": "${token}", `, token })).text,
        );
      }
      told.push((await ask(target, '/api/v1/users', { headers: { cookie } })).text);
      told.push((await ask(target, '/openapi.json')).text, target.log());
      const env = { TILLMESH_ADMIN_TOKEN: adminToken, TILLMESH_SHOP_KEY: 'a-shop-key-that-nobody-should-ever-see' };
      for (const words of [['config'], ['status']]) {
        const { stdout, stderr } = await runToEnd([runtime.path, target.file, ...words], {
          folder: target.folder,
          env,
        });
        told.push(stdout, stderr);
      }
      const hashes = readFileSync(join(target.data, 'books.db'), 'latin1').match(/\$argon2id\$[^"]+/g) ?? [];
      const secrets = [adminToken, till.token, made, password, 'a wrong secret password', cookie.split('=')[1] ?? ''];
      const all = told.join('\n');
      for (const secret of [...secrets, withCsrf['x-csrf-token'], env.TILLMESH_SHOP_KEY, ...hashes, '$argon2id']) {
        expect(secret.length).toBeGreaterThan(5);
        expect(all.includes(secret) ? secret : 'not told').toBe('not told');
      }
    },
  );

  test.skipIf(!runtime.isHere)(
    'B10 a log-in gives a new session each time, never the one that was brought',
    async () => {
      const first = await logIn();
      const again = await logIn({ headers: { cookie: first.cookie } });
      expect(again.cookie).not.toBe(first.cookie);
      expect((await ask(target, '/api/v1/session', { headers: { cookie: first.cookie } })).status).toBe(401);
      const [name] = first.cookie.split('=');
      const fixed = `${name}=${'A'.repeat(43)}`;
      const after = await logIn({ headers: { cookie: fixed } });
      expect(after.cookie).not.toBe(fixed);
      expect((await ask(target, '/api/v1/session', { headers: { cookie: fixed } })).status).toBe(401);
      const [plain, secure] = [
        first.headers['set-cookie']?.[0],
        (await logIn({ isTls: true })).headers['set-cookie']?.[0],
      ];
      expect(plain).toMatch(/^tillmesh_\w+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800$/);
      expect(secure).toMatch(
        /^__Host-tillmesh_\w+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800; Secure$/,
      );
      expect(secure?.slice(7)).not.toContain(plain?.split(';')[0]);
      const carried = { cookie: `__Host-${again.cookie}` };
      expect((await ask(target, '/api/v1/session', { headers: carried, isTls: true })).status).toBe(200);
    },
  );

  test.skipIf(!runtime.isHere)(
    'B10 a cookie alone changes nothing, and reads nothing for a page of elsewhere',
    async () => {
      const { cookie, withCsrf } = await logIn();
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
        expect((await ask(target, '/api/v1/products', { headers: { cookie, 'sec-fetch-site': site } })).status).toBe(
          200,
        );
      }
      expect((await put({ ...withCsrf, origin: own, 'sec-fetch-site': 'same-origin' })).status).toBe(201);
      const login = await logIn({ headers: { origin: evil } });
      expect([login.status, login.headers['set-cookie']]).toEqual([403, undefined]);
    },
  );

  test.skipIf(!runtime.isHere)('D1 doors to prototypes and members said twice are a 400', async () => {
    const send = async (body: string) =>
      (
        await ask(target, '/api/v1/products/d1', {
          method: 'PATCH',
          token: adminToken,
          body,
          headers: { 'content-type': 'application/json' },
        })
      ).status;
    await ask(target, '/api/v1/products/d1', { method: 'PUT', token: adminToken, json: product('d1') });
    const doors = [
      '{"__proto__":{"admin":true}}',
      '{"constructor":{"prototype":{"admin":true}}}',
      '{"a":{"__proto__":1}}',
    ];
    const escaped = '{"\\u005f_proto__":{"admin":true}}';
    for (const body of [...doors, escaped, '{"name":"a","name":"b"}', '{"name":"a","n\\u0061me":"b"}']) {
      expect([body, await send(body)]).toEqual([body, 400]);
    }
    expect((await ask(target, '/api/v1/terminals', { token: 'anything' })).status).toBe(401);
    expect((await ask(target, '/api/v1/products/d1', admin())).json.name).toBe('Coffee');
  });

  test.skipIf(!runtime.isHere)(
    'D3 members that only the appliance writes are ignored; unknown ones are kept',
    async () => {
      const forged = {
        origin: 'forged',
        version: 'forged',
        createdAt: '1999-01-01T00:00:00Z',
        updatedAt: '1999-01-01T00:00:00Z',
      };
      const json = product('d3', { ...forged, shelf: { row: 7 } });
      const stored = (await ask(target, '/api/v1/products/d3', { method: 'PUT', token: adminToken, json })).json;
      for (const [name, value] of Object.entries(forged)) expect(stored[name]).not.toBe(value);
      expect(stored.shelf).toEqual({ row: 7 });
      const ticket = { ...sale('d3'), receivedAt: forged.createdAt, flags: ['forged'], origin: 'forged', note: 'kept' };
      const sold = (await ask(target, '/api/v1/tickets', admin(ticket))).json;
      expect(sold).toMatchObject({ note: 'kept', flags: expect.not.arrayContaining(['forged']) });
      expect([sold.origin, sold.receivedAt]).not.toContain('forged');
      const till = await makeTill(target, { name: 'D3', tokenHash: 'x', revoked: true, lastUsedAt: forged.createdAt });
      expect((await ask(target, '/api/v1/products', { token: till.token })).status).toBe(200);
    },
  );

  test.skipIf(!runtime.isHere)('D4 quantities that are no exact number are a 400', async () => {
    for (const quantity of ['NaN', '1e309', '-0', '9007199254740992', 'Infinity', '"1"', '1.2345', '0x10', '1e-7']) {
      const body = `{"id":"d4","lines":[{"name":"x","quantity":${quantity}}]}`;
      const headers = { 'content-type': 'application/json' };
      const reply = await ask(target, '/api/v1/tickets', { method: 'POST', token: adminToken, body, headers });
      expect([quantity, reply.status]).toEqual([quantity, 400]);
    }
    expect((await ask(target, '/api/v1/tickets/d4', admin())).status).toBe(404);
  });

  test.skipIf(!runtime.isHere)('E1 a body of 100 MB is a 413 before it is sent, and costs no memory', async () => {
    for (const isTls of both) {
      const head = `POST /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${adminToken}\r\nContent-Type: application/json\r\n`;
      expect(await talk(target, `${head}Content-Length: 104857600\r\n\r\n{`, isTls)).toContain('HTTP/1.1 413');
      const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
      const endless = await talk(target, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`, isTls);
      expect(endless).toContain('HTTP/1.1 413');
    }
    expect((await ask(target, '/api/v1/tickets', admin(sale('e1')))).status).toBe(201);
  });

  test.skipIf(!runtime.isHere)('E3 a compressed body is a 415, unread', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'x']) {
      const headers = { 'content-encoding': encoding, 'content-type': 'application/json' };
      const reply = await ask(target, '/api/v1/tickets', { method: 'POST', token: adminToken, body: bomb, headers });
      expect([encoding, reply.status]).toEqual([encoding, 415]);
    }
  });

  test.skipIf(!runtime.isHere)(
    'E4 five hundred sockets that dawdle do not keep a till from selling, and are ended',
    async () => {
      const slow = Array.from({ length: 500 }, () => net.connect(target.port, '127.0.0.1'));
      const ended = slow.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
      for (const socket of slow) {
        socket.on('error', () => {});
        socket.resume();
        socket.write('POST /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nX-Slow');
      }
      await Promise.all(
        slow.map((socket) => socket.readyState === 'open' || new Promise((go) => socket.once('connect', go))),
      );
      for (let index = 0; index < 50; index++) {
        expect((await ask(target, '/api/v1/tickets', admin(sale(`e4-${index}`)))).status).toBe(201);
      }
      expect(slow.filter(({ closed }) => !closed).length).toBeGreaterThan(400);
      // Bun keeps no time for heads.
      if (runtime === node) await Promise.all(ended);
      for (const socket of slow) socket.destroy();
    },
  );

  test.skipIf(!runtime.isHere)('E9 searches that would drive a pattern mad are looked for as they are', async () => {
    for (const text of [
      '(a+)+$',
      `${'a'.repeat(190)}!`,
      '%_%_%_%',
      '\\',
      "' OR 1=1 --",
      'a'.repeat(10_000),
      '(a+)+$'.repeat(400),
    ]) {
      const reply = await ask(target, `/api/v1/products?q=${encodeURIComponent(text)}`, admin());
      expect([text.slice(0, 20), reply.status, reply.json?.data]).toEqual([text.slice(0, 20), 200, []]);
    }
    expect((await ask(target, `/api/v1/products?q=${'a'.repeat(50_000)}`, admin())).status).toBe(431);
  });

  test.skipIf(!runtime.isHere)('F2 names that are HTML leave as JSON that no browser takes for a page', async () => {
    const name = '<img src=x onerror=alert(1)><script>alert(1)</script>';
    await ask(target, '/api/v1/products/f2', { method: 'PUT', token: adminToken, json: product('f2', { name }) });
    const replies = [
      await ask(target, '/api/v1/products/f2', admin()),
      await ask(target, '/api/v1/products', admin()),
      await ask(target, `/api/v1/${encodeURIComponent(name)}`, admin()),
      await ask(target, `/api/v1/products/${encodeURIComponent(name)}`, admin()),
      await ask(target, `/${encodeURIComponent(name)}`),
    ];
    for (const { headers } of replies) {
      expect(headers['content-type']).toMatch(/^application\/(problem\+)?json$/);
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
    expect(replies[0]?.json.name).toBe(name);
  });

  test.skipIf(!runtime.isHere)('F5 nothing from outside forges a line of the log', async () => {
    const forged = 'x\r\n{"level":60,"msg":"forged"}\u001b[2J';
    const from = '127.0.0.12';
    await ask(target, '/api/v1/products/f5', {
      method: 'PUT',
      token: adminToken,
      json: product('f5', { name: forged }),
    });
    await ask(target, '/api/v1/peers', admin({ address: `${forged}:3031` }));
    await ask(target, '/api/v1/terminals', admin({ name: forged }));
    await logIn({ from }, forged, forged);
    await logIn({ from }, 'ada', forged);
    await ask(target, `/${encodeURIComponent(forged)}`, admin());
    const lines = target.log().trimEnd().split('\n');
    expect(lines.some((line) => line.includes('a password or a claim code was wrong'))).toBe(true);
    for (const line of lines) expect(JSON.parse(line)).not.toMatchObject({ msg: 'forged' });
    expect(target.log()).not.toContain('\u001b');
  });

  test.skipIf(!runtime.isHere)('F12 errors tell nothing of the inside', async () => {
    const replies = [
      await ask(target, '/api/v1/products?limit=x&after=%00', admin()),
      await ask(target, '/api/v1/products?after=AAAA', admin()),
      await ask(target, '/api/v1/conflicts/x', admin()),
      await ask(target, "/api/v1/products/'%3B DROP TABLE ops --".replaceAll(' ', '%20'), admin()),
      await ask(target, '/api/v1/tickets', admin('x')),
      await ask(target, '/api/v1/tickets', {
        ...admin({}),
        body: '{"id": ',
        json: undefined,
        headers: { 'content-type': 'application/json' },
      }),
      await ask(
        target,
        '/api/v1/gossip/items/batch',
        admin({ commits: [{ origin: 'x', publicKey: 'x', commit: 'x' }] }),
      ),
      await ask(target, '/api/v1/gossip/items/changes?since=garbage', admin()),
      await ask(target, '/api/v1/changes?after=garbage', admin()),
      await ask(target, '/nothing', admin()),
      await ask(target, '/api/v1/users', admin({ name: 'ada', password })),
      await ask(target, '/healthz', { method: 'POST', token: adminToken }),
    ];
    for (const { status, text, json } of replies) {
      expect(status).toBeLessThan(500);
      if (status >= 400)
        expect(Object.keys(json)).toEqual(expect.arrayContaining(['type', 'title', 'status', 'code', 'detail']));
      expect(text).not.toMatch(/\n\s+at |\.ts:|\.mjs|node_modules|SELECT|INSERT|sqlite|\/tmp\//i);
      expect(text).not.toContain(target.folder);
    }
  });
});

describe('F11 with --https-only', () => {
  let target: Target;
  beforeAll(async () => {
    target = await startTarget(node, ['--https-only']);
  });
  afterAll(async () => target?.stop());

  test('F11 a credential in the clear is a 403 that says where to go, and no redirection carries it', async () => {
    const bearer = { token: adminToken };
    for (const path of ['/', '/api/v1/products', '/healthz', '/style.css', '/nothing']) {
      for (const asked of [bearer, { token: 'garbage' }, { headers: { authorization: 'Basic x' } }]) {
        const reply = await ask(target, path, asked);
        expect([path, reply.status, reply.json.code]).toEqual([path, 403, 'https_only']);
        expect(reply.headers.location).toBe(undefined);
        expect(reply.json.detail).toContain(`https://127.0.0.1:${target.meshPort}`);
      }
    }
    const json = { user: 'ada', password };
    for (const path of ['/api/v1/session', '/api/v1/claim', '/api/v1/tickets']) {
      expect((await ask(target, path, { method: 'POST', json })).status).toBe(403);
    }
    expect((await upgrade(target, '/ws', {})).status).toBe(403);
  });

  test('F11 over HTTPS everything is as ever; in the clear only pages lead there, and what is no secret is told', async () => {
    for (const path of ['/', '/style.css']) {
      const reply = await ask(target, path);
      expect([reply.status, reply.headers.location]).toEqual([308, `https://127.0.0.1:${target.meshPort}${path}`]);
    }
    for (const path of ['/healthz', '/readyz', '/version', '/certificate.pem']) {
      expect([path, (await ask(target, path)).status]).toEqual([path, 200]);
    }
    expect((await ask(target, '/api/v1/products', { token: adminToken, isTls: true })).status).toBe(200);
    const user = { method: 'POST', json: { name: 'ada', password, role: 'admin' }, token: adminToken, isTls: true };
    expect((await ask(target, '/api/v1/users', user)).status).toBe(201);
    const json = { user: 'ada', password };
    const login = await ask(target, '/api/v1/session', { method: 'POST', json, isTls: true });
    const cookie = login.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    expect((await ask(target, '/api/v1/session', { headers: { cookie }, isTls: true })).status).toBe(200);
    // The name that the plain port would read.
    const clear = await ask(target, '/', { headers: { cookie: cookie.replace('__Host-', '') } });
    expect([clear.status, clear.headers.location]).toEqual([403, undefined]);
    const [ofPlain, ofTls] = [
      await ask(target, '/certificate.pem'),
      await ask(target, '/certificate.pem', { isTls: true }),
    ];
    expect(ofPlain.text).toMatch(/^-----BEGIN CERTIFICATE-----/);
    expect(ofTls.text).toBe(ofPlain.text);
  });

  test('F11 the console still reaches it: its own token never leaves the machine', async () => {
    const { code, stdout } = await runToEnd([node.path, target.file, 'status'], { folder: target.folder });
    expect([code, stdout]).toEqual([0, expect.stringContaining('takes sales')]);
  });
});
