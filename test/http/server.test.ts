// The HTTP port with real sockets: what a connection may cost, and how it ends.

import http from 'node:http';
import net from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Appliance } from '../../src/appliance.ts';
import { httpPortLimits } from '../../src/core/limits.ts';
import { createHostRule } from '../../src/edges/http/hosts.ts';
import { createRequestListener, type HttpServer, openHttpServer } from '../../src/edges/http/server.ts';
import { createDoor } from '../../src/edges/peer/door.ts';
import { systemTimers } from '../../src/edges/system.ts';
import type { Ports } from '../../src/ports.ts';
import { adminToken, openShop, type ShopOptions } from './appliance.ts';

/** "x" is what the requests below call us. */
const isHostAllowed = createHostRule(['x']);

async function servedShop(options: ShopOptions = {}) {
  const shop = openShop(options);
  const server = await listening(shop);
  return { ...shop, server, url: `http://127.0.0.1:${server.port}` };
}

const outside = ({ log }: Pick<Ports, 'log'>) => ({
  visitors: createDoor(systemTimers, httpPortLimits),
  host: '127.0.0.1',
  timers: systemTimers,
  log,
});

async function listening({ app, ports }: ReturnType<typeof openShop>, port = 0): Promise<HttpServer> {
  const listener = createRequestListener(app.fetch, ports.log, isHostAllowed);
  const opened = await openHttpServer({ ...outside(ports), listener, port });
  if (!opened.ok) throw new Error(opened.detail);
  onTestFinished(() => opened.server.close());
  return opened.server;
}

const headers = { Authorization: `Bearer ${adminToken}`, 'Content-Type': 'application/json' };
const post = (url: string, body: string) => fetch(`${url}/api/v1/tickets`, { method: 'POST', headers, body });

/** Sends bytes as they are; resolves with all that comes back until the other end closes. */
function talk(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    let heard = '';
    socket.on('data', (data) => {
      heard += data.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(heard));
  });
}

test('a sale over the wire, with the headers that it must have', async () => {
  const { url } = await servedShop();
  const reply = await post(url, JSON.stringify({ id: 't-1', lines: [{ name: 'Café', quantity: 1.5 }] }));
  expect(reply.status).toBe(201);
  expect(reply.headers.get('content-type')).toBe('application/json');
  expect(reply.headers.get('cache-control')).toBe('no-store');
  expect(reply.headers.get('x-content-type-options')).toBe('nosniff');
  expect(await reply.json()).toMatchObject({ id: 't-1', lines: [{ name: 'Café', quantity: 1.5 }] });
  const read = await fetch(`${url}/api/v1/tickets/t-1`, { headers, method: 'HEAD' });
  expect([read.status, await read.text()]).toEqual([200, '']);
  expect(Number(read.headers.get('content-length'))).toBeGreaterThan(50);
  expect((await fetch(`${url}/`)).headers.get('content-type')).toContain('text/html');
});

test('a sale in pieces, without a declared length', async () => {
  const { server } = await servedShop();
  const pieces = ['{"id":"t-', '1"', '}'].map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
  const head = `POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminToken}\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
  expect(await talk(server.port, `${head}${pieces}0\r\n\r\n`)).toContain('HTTP/1.1 201');
});

test('a request that needs no message may have none, said in any way', async () => {
  const { server } = await servedShop();
  const ask = (more: string) =>
    talk(
      server.port,
      `POST /api/v1/p2p/reconnect HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminToken}\r\nConnection: close\r\n${more}`,
    );
  expect(await ask('\r\n')).toContain('HTTP/1.1 202');
  expect(await ask('Content-Length: 0\r\n\r\n')).toContain('HTTP/1.1 202');
  expect(await ask('Content-Type: application/json\r\nContent-Length: 0\r\n\r\n')).toContain('HTTP/1.1 202');
  expect(await ask('Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n')).toContain('HTTP/1.1 202');
  expect(await ask('Content-Length: 2\r\n\r\n{}')).toContain('HTTP/1.1 415');
});

describe('too much', () => {
  test('E1 100 MB are refused before they are sent, and cost nothing', async () => {
    const { server, url } = await servedShop();
    const before = process.memoryUsage().rss;
    const head = `POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminToken}\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n`;
    const heard = await talk(server.port, head + 'x'.repeat(1e6));
    expect(heard).toContain('HTTP/1.1 413');
    expect(heard).toContain('body_too_large');
    expect(process.memoryUsage().rss - before).toBeLessThan(64e6);
    expect((await post(url, '{}')).status).toBe(201);
  });

  test('E1 a client that asks first is told no at once', async () => {
    const { server } = await servedShop();
    const request = http.request({
      port: server.port,
      method: 'POST',
      path: '/api/v1/tickets/batch',
      headers: { ...headers, 'Content-Length': 104_857_600, Expect: '100-continue' },
    });
    const status = await new Promise((resolve, reject) => {
      request.on('continue', () => reject(new Error('told to go on')));
      request.on('response', (response) => resolve(response.statusCode));
      request.on('error', reject);
      request.flushHeaders();
    });
    request.destroy();
    expect(status).toBe(413);
  });

  test('a head too large is a 431, a request that is none a 400', async () => {
    const { server, url } = await servedShop();
    const large = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
    expect(await talk(server.port, large)).toContain('HTTP/1.1 431');
    for (const garbage of ['\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 'HELLO\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n']) {
      const heard = await talk(server.port, garbage);
      expect(heard).toContain('HTTP/1.1 400');
      expect(heard).toContain('"code":"request_malformed"');
    }
    const evil = 'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n';
    expect(await talk(server.port, evil)).toContain('HTTP/1.1 421');
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe('long polls', () => {
  test('B8 a client that goes away no longer waits', async () => {
    const { url, appliance } = await servedShop();
    const waiting = waitersOf(appliance);
    const gone = new AbortController();
    const asked = fetch(`${url}/api/v1/changes?wait=50`, { headers, signal: gone.signal });
    await expect.poll(waiting).toBe(1);
    gone.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(waiting).toBe(0);
  });

  test('a waiting client is answered when we stop, and the port is free at once', async () => {
    const stopping = new AbortController();
    const shop = await servedShop({ http: { stopping: stopping.signal } });
    const waiting = waitersOf(shop.appliance);
    const asked = fetch(`${shop.url}/api/v1/changes?wait=50`, { headers });
    await expect.poll(waiting).toBe(1);
    const started = performance.now();
    stopping.abort();
    const closed = shop.server.close();
    expect(await (await asked).json()).toMatchObject({ data: [] });
    await closed;
    expect(performance.now() - started).toBeLessThan(2000);
    await listening(shop, shop.server.port);
  });
});

/** How many are subscribed to the feed from here on. */
function waitersOf({ feed }: Appliance): () => number {
  let waiting = 0;
  const { subscribe } = feed;
  Object.assign(feed, {
    subscribe(wake: () => void) {
      waiting++;
      const unsubscribe = subscribe(wake);
      return () => {
        waiting--;
        unsubscribe();
      };
    },
  });
  return () => waiting;
}

const connectionsOf = ({ server }: HttpServer): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

test('a socket that never asks does not hold up the stop', async () => {
  const { server } = await servedShop();
  const socket = net.connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET / HT');
  await expect.poll(() => connectionsOf(server)).toBe(1);
  const started = performance.now();
  await server.close();
  expect(performance.now() - started).toBeLessThan(4000);
});

test('a port in use is a clear value that names the remedy', async () => {
  const shop = await servedShop();
  const listener = createRequestListener(shop.app.fetch, shop.ports.log, isHostAllowed);
  const second = await openHttpServer({
    ...outside(shop.ports),
    listener,
    port: shop.server.port,
  });
  expect(second).toMatchObject({ ok: false, code: 'port_in_use', detail: expect.stringContaining('--port') });
  const nowhere = await openHttpServer({
    ...outside(shop.ports),
    listener,
    host: '192.0.2.1',
    port: 0,
  });
  expect(nowhere).toMatchObject({ ok: false, code: 'host_unknown' });
});

test('a request that breaks leaves nothing on the wire but its problem', async () => {
  const shop = openShop();
  const listener = createRequestListener(
    () => {
      throw new Error('secret of ours');
    },
    shop.ports.log,
    isHostAllowed,
  );
  const opened = await openHttpServer({
    ...outside(shop.ports),
    listener,
    port: 0,
  });
  if (!opened.ok) throw new Error(opened.detail);
  onTestFinished(() => opened.server.close());
  const reply = await fetch(`http://127.0.0.1:${opened.server.port}/`);
  expect(reply.status).toBe(500);
  expect(await reply.json()).toMatchObject({ code: 'internal' });
  expect(JSON.stringify(shop.log)).toContain('secret of ours');
});
