// F11: with --https-only nothing that is secret goes over the plain port, and nothing leads there.

import https from 'node:https';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { node, runToEnd } from '../built-file.ts';
import { adminToken, ask, password, startTarget, type Target, upgrade } from './target.ts';

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

  test('F11 who has imported its certificate is sure of it, under the names and addresses that are its own', async () => {
    const ca = (await ask(target, '/certificate.pem')).text;
    const get = (host: string, servername = host): Promise<number | string | undefined> =>
      new Promise((resolve) => {
        const asked = { host, port: target.meshPort, path: '/healthz', ca, servername, agent: false };
        https
          .get(asked, (response) => resolve(response.resume().statusCode))
          .on('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
      });
    expect([await get('localhost'), await get('127.0.0.1', ''), await get('127.0.0.1', hostname())]).toEqual([
      200, 200, 200,
    ]);
    expect(await get('127.0.0.1', 'other.example')).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('F11 the console still reaches it: its own token never leaves the machine', async () => {
    const { code, stdout } = await runToEnd([node.path, target.file, 'status'], { folder: target.folder });
    expect([code, stdout]).toEqual([0, expect.stringContaining('takes sales')]);
  });
});
