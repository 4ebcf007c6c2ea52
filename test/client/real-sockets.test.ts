// The client as it is given to programs, on real sockets and a real file.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { getConnectionManager } from '../../src/client/client.ts';
import type { ConnectionManager, LiveMessage, Resync } from '../../src/client/contract.ts';
import { until } from '../waiting.ts';
import { type RealServer, startRealServer } from './real-server.ts';

let folder = '';
const running = new Set<RealServer>();
const managers = new Set<ConnectionManager>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tillmesh-client-'));
});
afterEach(async () => {
  for (const manager of managers) manager.close();
  await Promise.all([...running].map((server) => server.stop()));
  running.clear();
  managers.clear();
  await rm(folder, { recursive: true });
});

async function start(port = 0, earlier?: RealServer): Promise<RealServer> {
  const server = await startRealServer(port, earlier);
  running.add(server);
  return server;
}

const outbox = () => join(folder, 'outbox.jsonl');

function open(...servers: RealServer[]) {
  const appliances = servers.map(({ address }) => address);
  const manager = getConnectionManager({ token: 'till_x', appliances, outbox: outbox(), pollingInterval: 1_000 });
  managers.add(manager);
  const heard: (LiveMessage | Resync)[] = [];
  manager.onMessage((message) => heard.push(message));
  const ids = () => heard.flatMap((message) => ('id' in message ? message.id : []));
  return { manager, ids };
}

async function stop(server: RealServer): Promise<void> {
  running.delete(server);
  await server.stop();
}

test('messages by WebSocket, by polling when none is to be had, by WebSocket again: each once, in order', async () => {
  const server = await start();
  const { manager, ids } = open(server);
  await manager.connect();
  expect(manager.state()).toMatchObject({ state: 'online', transport: 'websocket', isOutboxDurable: true });
  const published = [server.publish('a')];
  server.takesWebSockets = false;
  server.cutSockets();
  published.push(server.publish('b'));
  await until('polling', () => manager.state().transport === 'polling');
  published.push(server.publish('c'));
  await until('three messages', () => ids().length >= 3);
  server.takesWebSockets = true;
  await until('the WebSocket', () => {
    published.push(server.publish('d'));
    return manager.state().transport === 'websocket';
  });
  published.push(server.publish('e'));
  await until('all of them', () => ids().length >= published.length);
  expect(ids()).toEqual(published);
  expect([...server.tokens]).toEqual(['Bearer till_x']);
  expect([...server.protocols]).toEqual([expect.stringMatching(/^tillmesh, ?till_x$/)]);
  await until('a round trip', () => manager.quality().rttMs !== null);
});

test('B1 B2 what was sold while nothing answered is sent, in order, after the program was started anew', async () => {
  const server = await start();
  const port = Number(new URL(server.address).port);
  await stop(server);
  const { manager } = open(server);
  await manager.connect();
  expect(manager.state()).toMatchObject({ state: 'offline', appliance: null });
  const ids = ['t-1', 't-2', 't-3'];
  await Promise.all(ids.map((id) => manager.sell({ id, total: 1 })));
  manager.close();
  expect(await readFile(outbox(), 'utf8')).toMatch(/t-1[\s\S]*t-2[\s\S]*t-3/);

  const again = await start(port, server);
  const { manager: next } = open(again);
  await next.connect();
  await until('all sent', () => next.pending() === 0 && again.stored.length === 3);
  expect(again.stored).toEqual(ids);
});

test('B7 its own appliance stops: it sells at the next, and comes back', async () => {
  const [own, other] = [await start(), await start()];
  const { manager } = open(own, other);
  await manager.connect();
  await stop(own);
  await until('it has moved', () => manager.state().appliance === other.address);
  await manager.sell({ id: 't-1' });
  await until('sold there', () => other.stored.includes('t-1'));
  const again = await start(Number(new URL(own.address).port), own);
  await until('it is back', () => manager.state().appliance === again.address && manager.state().transport !== null);
  await until('nothing is left behind', () => other.socketCount() === 0);
  const response = await manager.fetch('/readyz');
  expect(await response.json()).toEqual({ status: 'ready' });
});

test('the same options give the same manager, until it is closed', async () => {
  const server = await start();
  const one = open(server).manager;
  expect(open(server).manager).toBe(one);
  one.close();
  await expect(one.connect()).rejects.toThrow('closed');
  expect(open(server).manager).not.toBe(one);
});
