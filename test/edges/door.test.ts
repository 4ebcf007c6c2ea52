// Visitors who keep us waiting, at both ports and on both runtimes: they make room for who sells, and do not stay for ever.

import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { answerMs } from '../../src/core/limits.ts';
import { createDoor } from '../../src/edges/peer/door.ts';
import { systemTimers } from '../../src/edges/system.ts';
import { bun, node } from '../built-file.ts';
import { until } from '../waiting.ts';
import { bundleProgram, startProgram } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tillmesh-door-'));
let program = '';
beforeAll(async () => {
  program = await bundleProgram('door-program', folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const places = 8;
const post = 'POST /sale HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n';
const large = 'GET /large HTTP/1.1\r\nHost: x\r\n\r\n';
const long = 'GET /long HTTP/1.1\r\nHost: x\r\n\r\n';

const runtimes = [node, bun].filter(({ isHere }) => isHere);
const ports = runtimes.flatMap((runtime) => [
  { runtime, kind: 'plain', name: runtime.name },
  { runtime, kind: 'tls', name: runtime.name },
]);

describe.each(ports)('the $kind port on $name', ({ runtime, kind }) => {
  async function openPort(haste = 1) {
    const { line } = startProgram(runtime, program, [kind, String(haste)]);
    const opened = await line();
    /** Waits until the program has printed that. */
    const told = async (member: string, value: unknown): Promise<void> => {
      for (let said = await line(); said[member] !== value; said = await line())
        if (Object.keys(said).length === 0) throw new Error(`it never said ${member}`);
    };
    const [port, largeBytes] = [Number(opened.port), Number(opened.largeBytes)];
    /** Says `text`, waits until that is heard, and reads nothing of what is answered until it is told to. */
    const say = async (text: string, localAddress = '127.0.0.1'): Promise<net.Socket> => {
      const to = { port, host: '127.0.0.1', localAddress };
      const socket = kind === 'tls' ? tls.connect({ ...to, rejectUnauthorized: false }) : net.connect(to);
      onTestFinished(() => void socket.destroy());
      socket.on('error', () => {});
      await once(socket, kind === 'tls' ? 'secureConnect' : 'connect');
      socket.pause();
      socket.write(text);
      await told('asks', socket.localPort);
      return socket;
    };
    const sell = async (): Promise<string> => {
      const socket = await say(`${post}{}`);
      let heard = '';
      socket.on('data', (bytes) => {
        heard += bytes.toString();
        if (heard.endsWith('sold')) socket.destroy();
      });
      socket.resume();
      await once(socket, 'close');
      return heard.slice(0, 15);
    };
    return { told, say, sell, largeBytes };
  }

  test.each([
    ['send half a message', `${post}{`],
    ['do not read what is answered', large],
  ])('B10 those who %s keep no till out', async (_what, text) => {
    const { say, sell } = await openPort();
    expect(await sell()).toBe('HTTP/1.1 200 OK');
    const till = await say(long, '127.0.0.2');
    for (let count = 0; count < 2 * places; count++) await say(text, '127.0.0.3');
    expect(await sell()).toBe('HTTP/1.1 200 OK');
    expect(till.closed).toBe(false);
  });

  test('who waits for us makes no room, also where all of them come from one address', async () => {
    const { say, sell } = await openPort();
    const waiting: net.Socket[] = [];
    // Some have asked for more already, which is answered as soon as it may be.
    for (let count = 0; count < places - 1; count++) waiting.push(await say(count % 2 ? long : `${long}${post}{}`));
    expect(await sell()).toBe('HTTP/1.1 200 OK');
    await say(`${post}{`);
    expect(await sell()).toBe('HTTP/1.1 200 OK');
    expect(waiting.filter(({ closed }) => closed)).toEqual([]);
  });

  test('who takes nothing of an answer is shown out', async () => {
    const { told, say, largeBytes } = await openPort(100);
    const socket = await say(large);
    await told('isOver', true);
    let heard = 0;
    socket.on('data', (bytes) => {
      heard += bytes.length;
    });
    socket.resume();
    await once(socket, 'close');
    expect(heard).toBeLessThan(largeBytes);
  });

  // Over TLS Bun tells of whole answers only: there the largest has the whole of that time.
  test.skipIf(runtime === bun && kind === 'tls')('who takes an answer slowly gets all of it', async () => {
    const { say, largeBytes } = await openPort(100);
    const startedAt = performance.now();
    const socket = await say(large);
    let heard = 0;
    const reading = setInterval(() => {
      heard += (socket.read(65_536) ?? socket.read())?.length ?? 0;
    }, 8);
    onTestFinished(() => clearInterval(reading));
    await until('all is taken', () => heard >= largeBytes || socket.closed);
    expect(heard).toBeGreaterThanOrEqual(largeBytes);
    expect(performance.now() - startedAt).toBeGreaterThan((2 * answerMs) / 100);
  });
});

test('B10 a guest with a whole network of IPv6 addresses makes room before a till that uploads', () => {
  const door = createDoor(systemTimers, { socketsMax: places, silentMax: places, silentMs: 60_000 });
  let port = 1000;
  const sendsHalf = (remoteAddress: string) => {
    const socket = Object.assign(new EventEmitter(), {
      remoteAddress,
      remotePort: port++,
      bytesWritten: 0,
      isOut: false,
    });
    const visitor = Object.assign(socket, {
      destroy() {
        socket.isOut = true;
      },
    }) as unknown as net.Socket;
    door.admit(visitor);
    const response = Object.assign(new EventEmitter(), { writableEnded: false, writableLength: 0 });
    door.request(visitor, { complete: false } as IncomingMessage, response as unknown as ServerResponse);
    return socket;
  };
  const till = sendsHalf('192.168.1.20');
  const guests = Array.from({ length: 2 * places }, (_, count) => sendsHalf(`2001:db8::${count + 1}`));
  expect([till.isOut, guests.filter(({ isOut }) => isOut).length]).toEqual([false, places + 1]);
});
