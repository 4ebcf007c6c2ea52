// What somebody with a till's token can do to an appliance by listening: take places, hold sockets open over its end, speak
// without hearing. On the built file, on both runtimes.

import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { liveSocketsMax, liveTlsSocketsMax } from '../../src/core/limits.ts';
import { until } from '../waiting.ts';
import { admin, adminToken, ask, makeTill, runtimes, sale, startTarget, type Target } from './target.ts';

/** Opens so many, ten at a time. */
async function openMany(count: number, url: string, token: string): Promise<void> {
  const sockets: WebSocket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.terminate();
  });
  const openOne = async (): Promise<void> => {
    const socket = new WebSocket(url, ['tillmesh', token], { rejectUnauthorized: false });
    socket.on('error', () => {});
    sockets.push(socket);
    await Promise.race([once(socket, 'message'), once(socket, 'close')]);
  };
  for (let open = 0; open < count; open += 10) await Promise.all(Array.from({ length: 10 }, openOne));
}

const upgradeHead = (port: number, token: string): string =>
  [
    'GET /ws HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Authorization: Bearer ${token}`,
  ].join('\r\n');

describe.each(runtimes)('on $name', (runtime) => {
  let target: Target;
  beforeAll(async () => {
    target = await startTarget(runtime);
  });
  afterAll(async () => target?.stop());

  test('E4 one screen that listens a thousand times keeps no till from selling, nor anybody off the port of the peers', async () => {
    const screen = await makeTill(target, { name: 'Screen', role: 'read-only' });
    const till = await makeTill(target);
    const first = new WebSocket(`ws://127.0.0.1:${target.port}/ws`, ['tillmesh', till.token]);
    await once(first, 'message');
    const connected = async (): Promise<number> =>
      (await ask(target, '/api/sync/status', admin())).json.status.websocket.connections;
    await openMany(liveSocketsMax + 20, `ws://127.0.0.1:${target.port}/ws`, screen.token);
    expect(await connected()).toBe(liveSocketsMax);
    expect(first.readyState).toBe(WebSocket.OPEN);
    first.terminate();
    await openMany(liveTlsSocketsMax + 20, `wss://127.0.0.1:${target.meshPort}/ws`, screen.token);
    expect(await connected()).toBeLessThanOrEqual(liveSocketsMax + liveTlsSocketsMax);
    expect(await connected()).toBeGreaterThan(liveTlsSocketsMax);
    const waiting = new AbortController();
    onTestFinished(() => waiting.abort());
    const headers = { Authorization: `Bearer ${screen.token}` };
    for (let n = 0; n < 300; n++)
      fetch(`http://127.0.0.1:${target.port}/api/sync/poll?wait=50`, { headers, signal: waiting.signal }).catch(
        () => {},
      );
    for (let n = 0; n < 5; n++) {
      const posted = { method: 'POST', json: sale(`among-${n}`), token: till.token, from: '127.0.0.2' };
      expect((await ask(target, '/api/v1/tickets', posted)).status).toBe(201);
      expect((await ask(target, '/healthz', { isTls: true, from: '127.0.0.3' })).status).toBe(200);
    }
  });

  test('B8 who pings and reads nothing costs a bounded amount, and is ended', async () => {
    const socket = net.connect(target.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.write(`${upgradeHead(target.port, adminToken)}\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    const closed = once(socket, 'close');
    const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125, 97)]);
    const many = Buffer.concat(Array<Buffer>(500).fill(ping));
    const flood = (): void => {
      while (!socket.destroyed && socket.write(many));
    };
    socket.on('drain', flood);
    flood();
    // Either its pongs are too many, or it is not read from any more: then it answers no ping of ours.
    const isBounded = await Promise.race([
      closed.then(() => true),
      until('it is read from no more', () => socket.writableLength > 0 && socket.writableNeedDrain, 20_000).then(
        () => true,
      ),
    ]);
    expect(isBounded).toBe(true);
    expect((await ask(target, '/healthz')).status).toBe(200);
  });

  test('half an upgrade before its end, and the rest after it, holds nobody up', async () => {
    const other = await startTarget(runtime);
    const socket = net.connect(other.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.write(`${upgradeHead(other.port, adminToken)}\r\n`);
    await once(socket, 'connect');
    await ask(other, '/healthz');
    const startedAt = performance.now();
    const stopped = other.stop();
    socket.write('\r\n');
    await stopped;
    // Beside the grace after which it would have been killed.
    expect(performance.now() - startedAt).toBeLessThan(7_000);
  });
});
