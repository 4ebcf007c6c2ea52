// What a guest of the Wi-Fi or a dishonest member of staff can try with tokens, passwords and sessions. On the built file,
// on both runtimes.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runToEnd } from '../built-file.ts';
import {
  admin,
  adminToken,
  ask,
  logIn,
  makeTill,
  password,
  runtimes,
  sale,
  startTarget,
  type Target,
} from './target.ts';

describe.each(runtimes)('on $name', (runtime) => {
  let target: Target;
  beforeAll(async () => {
    target = await startTarget(runtime);
    await ask(target, '/api/v1/users', admin({ name: 'ada', password, role: 'admin' }));
  });
  afterAll(async () => target?.stop());

  test('B1 without a token everything but the public ground is a 401, whatever the method and the spelling', async () => {
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
  });

  test('B3 a good token in another scheme is a 401', async () => {
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

  test('B4 a revoked token is out at once, also where it waits', async () => {
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

  test('B4 whoever logs out or is shut out is out at once, also where he waits', async () => {
    await ask(target, '/api/v1/users', admin({ name: 'eve', password }));
    for (const leave of ['out', 'shut'] as const) {
      const { cookie, withCsrf } = await logIn(target, {}, 'eve');
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
    expect((await logIn(target, {}, 'eve')).status).toBe(401);
  });

  test('B7 wrong passwords shut their address out, and nobody else', async () => {
    const guesser = { from: '127.0.0.7' };
    const guesses = Array.from({ length: 20 }, (_, index) => logIn(target, guesser, 'ada', `wrong password ${index}`));
    const statuses = (await Promise.all(guesses)).map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array(10).fill(401), ...Array(10).fill(429)]);
    const right = await logIn(target, {
      ...guesser,
      headers: { 'x-forwarded-for': '127.0.0.9', forwarded: 'for=127.0.0.9' },
    });
    expect([right.status, right.json.code, right.headers['set-cookie']]).toEqual([429, 'rate_limited', undefined]);
    expect(Number(right.headers['retry-after'])).toBeGreaterThan(0);
    const claim = { method: 'POST', json: { code: 'ABCD-EFGH-JKMN-PQRS', password }, ...guesser };
    expect([409, 429]).toContain((await ask(target, '/api/v1/claim', claim)).status);
    expect((await logIn(target, { from: '127.0.0.8' })).status).toBe(200);
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

  test('B7 a name that nobody has is answered as a wrong password is', async () => {
    const from = '127.0.0.10';
    const [wrong, nobody] = [
      await logIn(target, { from }, 'ada', 'wrong password'),
      await logIn(target, { from }, 'nobody', 'wrong password'),
    ];
    expect([wrong.status, nobody.status]).toEqual([401, 401]);
    expect(wrong.text).toBe(nobody.text);
  });

  test('B9 no secret is in the log, in errors, in the description or in what the console shows', async () => {
    const till = await makeTill(target, { name: 'Secret till' });
    const made = (await ask(target, '/api/v1/admin-token', admin({}))).json.token;
    const from = '127.0.0.11';
    const { cookie, withCsrf } = await logIn(target, { from });
    const wrong = await logIn(target, { from }, 'ada', 'a wrong secret password');
    const told = [wrong.text];
    for (const token of [till.token, made, `${adminToken}x`, `${till.token}x`]) {
      for (const path of ['/api/v1/terminals', '/api/v1/users', '/api/v1/nothing', '/nothing']) {
        told.push((await ask(target, path, { token })).text);
      }
      told.push((await ask(target, '/api/v1/tickets', { method: 'POST', body: `{"token": "${token}", `, token })).text);
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
  });

  test('B9 the console’s token goes to no proxy that the environment names', async () => {
    let heard = 0;
    const proxy = createServer((_request, response) => {
      heard++;
      response.end('{}');
    });
    onTestFinished(() => void proxy.close());
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const there = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const env = { HTTP_PROXY: there, http_proxy: there, NODE_USE_ENV_PROXY: '1' };
    const status = await runToEnd([runtime.path, target.file, 'status'], { folder: target.folder, env });
    expect([status.code, heard]).toEqual([0, 0]);
  });

  test('B10 a log-in gives a new session each time, never the one that was brought', async () => {
    const first = await logIn(target);
    const again = await logIn(target, { headers: { cookie: first.cookie } });
    expect(again.cookie).not.toBe(first.cookie);
    expect((await ask(target, '/api/v1/session', { headers: { cookie: first.cookie } })).status).toBe(401);
    const [name] = first.cookie.split('=');
    const fixed = `${name}=${'A'.repeat(43)}`;
    const after = await logIn(target, { headers: { cookie: fixed } });
    expect(after.cookie).not.toBe(fixed);
    expect((await ask(target, '/api/v1/session', { headers: { cookie: fixed } })).status).toBe(401);
    const [plain, secure] = [
      first.headers['set-cookie']?.[0],
      (await logIn(target, { isTls: true })).headers['set-cookie']?.[0],
    ];
    expect(plain).toMatch(/^tillmesh_\w+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800$/);
    expect(secure).toMatch(
      /^__Host-tillmesh_\w+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800; Secure$/,
    );
    expect(secure?.slice(7)).not.toContain(plain?.split(';')[0]);
    const carried = { cookie: `__Host-${again.cookie}` };
    expect((await ask(target, '/api/v1/session', { headers: carried, isTls: true })).status).toBe(200);
  });
});
