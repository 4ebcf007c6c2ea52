// What can be sent to break the appliance or to have it say too much: messages, sizes, slowness, names, errors. On the
// built file, on both runtimes.

import net from 'node:net';
import tls from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpPortLimits, tlsPortLimits } from '../../src/core/limits.ts';
import {
  admin,
  adminToken,
  ask,
  logIn,
  makeTill,
  password,
  product,
  runtimes,
  sale,
  startTarget,
  type Target,
  talk,
} from './target.ts';

const both = [false, true];

describe.each(runtimes)('on $name', (runtime) => {
  let target: Target;
  beforeAll(async () => {
    target = await startTarget(runtime);
    await ask(target, '/api/v1/users', admin({ name: 'ada', password, role: 'admin' }));
  });
  afterAll(async () => target?.stop());

  test('B1 only what is known by name is served as a file', async () => {
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

  test('D1 doors to prototypes and members said twice are a 400', async () => {
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

  test('D3 members that only the appliance writes are ignored; unknown ones are kept', async () => {
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
  });

  test('D4 quantities that are no exact number are a 400', async () => {
    for (const quantity of ['NaN', '1e309', '-0', '9007199254740992', 'Infinity', '"1"', '1.2345', '0x10', '1e-7']) {
      const body = `{"id":"d4","lines":[{"name":"x","quantity":${quantity}}]}`;
      const headers = { 'content-type': 'application/json' };
      const reply = await ask(target, '/api/v1/tickets', { method: 'POST', token: adminToken, body, headers });
      expect([quantity, reply.status]).toEqual([quantity, 400]);
    }
    expect((await ask(target, '/api/v1/tickets/d4', admin())).status).toBe(404);
  });

  test('E1 a body of 100 MB is a 413 before it is sent, and costs no memory', async () => {
    for (const isTls of both) {
      const head = `POST /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${adminToken}\r\nContent-Type: application/json\r\n`;
      expect(await talk(target, `${head}Content-Length: 104857600\r\n\r\n{`, isTls)).toContain('HTTP/1.1 413');
      const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
      const endless = await talk(target, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`, isTls);
      expect(endless).toContain('HTTP/1.1 413');
    }
    expect((await ask(target, '/api/v1/tickets', admin(sale('e1')))).status).toBe(201);
  });

  test('E3 a compressed body is a 415, unread', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'x']) {
      const headers = { 'content-encoding': encoding, 'content-type': 'application/json' };
      const reply = await ask(target, '/api/v1/tickets', { method: 'POST', token: adminToken, body: bomb, headers });
      expect([encoding, reply.status]).toEqual([encoding, 415]);
    }
  });

  test('E4 five hundred sockets that dawdle do not keep a till from selling, and are ended', async () => {
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
    expect(slow.filter(({ closed }) => !closed).length).toBeLessThanOrEqual(httpPortLimits.silentMax);
    await Promise.all(ended);
  });

  test('E4 one machine that takes every place there is, and asks for nothing, makes room itself', async () => {
    const till = net.connect(target.port, '127.0.0.1');
    till.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise((go) => till.once('data', go));
    const idle: net.Socket[] = [];
    for (let index = 0; index < httpPortLimits.socketsMax + 50; index++) {
      const socket = net.connect({ port: target.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
      socket.on('error', () => {});
      socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await new Promise((go) => socket.once('data', go));
      idle.push(socket);
    }
    expect((await ask(target, '/api/v1/tickets', admin(sale('e4-idle')))).status).toBe(201);
    expect(idle.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(50);
    expect(till.closed).toBe(false);
    for (const socket of [till, ...idle]) socket.destroy();
  });

  test.each([
    ['plain', httpPortLimits],
    ['TLS', tlsPortLimits],
  ] as const)(
    'E4 B10 one machine that takes every place of the %s port with half a message makes room itself',
    async (port, limits) => {
      const isTls = port === 'TLS';
      const text = 'POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{';
      const half: net.Socket[] = [];
      for (let index = 0; index < limits.socketsMax + 50; index++) {
        const to = { port: isTls ? target.meshPort : target.port, host: '127.0.0.1', localAddress: '127.0.0.2' };
        const socket = isTls ? tls.connect({ ...to, rejectUnauthorized: false }) : net.connect(to);
        socket.on('error', () => {});
        half.push(socket.resume());
        await new Promise((go) => socket.once(isTls ? 'secureConnect' : 'connect', go).once('close', go));
        socket.write(text);
      }
      expect((await ask(target, '/api/v1/tickets', { ...admin(sale(`e4-half-${port}`)), isTls })).status).toBe(201);
      expect(half.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(50);
      for (const socket of half) socket.destroy();
    },
  );

  test('E9 searches that would drive a pattern mad are looked for as they are', async () => {
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

  test('F2 names that are HTML leave as JSON that no browser takes for a page', async () => {
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

  test('F5 nothing from outside forges a line of the log', async () => {
    const forged = 'x\r\n{"level":60,"msg":"forged"}\u001b[2J';
    const from = '127.0.0.12';
    await ask(target, '/api/v1/products/f5', {
      method: 'PUT',
      token: adminToken,
      json: product('f5', { name: forged }),
    });
    await ask(target, '/api/v1/peers', admin({ address: `${forged}:3031` }));
    await ask(target, '/api/v1/terminals', admin({ name: forged }));
    await logIn(target, { from }, forged, forged);
    await logIn(target, { from }, 'ada', forged);
    await ask(target, `/${encodeURIComponent(forged)}`, admin());
    for (let index = 0; index < 100; index++) await ask(target, '/', { headers: { host: `evil${index}.example` } });
    const lines = target.log().trimEnd().split('\n');
    expect(lines.some((line) => line.includes('a password or a claim code was wrong'))).toBe(true);
    for (const line of lines) expect(JSON.parse(line)).not.toMatchObject({ msg: 'forged' });
    expect(lines.filter((line) => line.includes('--allow-host')).length).toBeLessThanOrEqual(20);
    expect(target.log()).not.toContain('\u001b');
  });

  test('F12 errors tell nothing of the inside', async () => {
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
