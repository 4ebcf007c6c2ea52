// The two ways to hear what an appliance says, behind one shape, for the suite that both must pass; and an appliance with
// real sockets to hear it from.

import type { Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { type RawData, WebSocket } from 'ws';
import { httpPortLimits } from '../../src/core/limits.ts';
import { originRuleOf } from '../../src/edges/http/app.ts';
import { createHostRule } from '../../src/edges/http/hosts.ts';
import { createRequestListener, openHttpServer } from '../../src/edges/http/server.ts';
import { createUpgradeListener } from '../../src/edges/http/upgrades.ts';
import { createLiveSockets } from '../../src/edges/live/sockets.ts';
import { createDoor } from '../../src/edges/peer/door.ts';
import { systemTimers } from '../../src/edges/system.ts';
import type { Timers } from '../../src/ports.ts';
import { until } from '../waiting.ts';
import { adminToken, openShop, type ShopOptions, type TestShop } from './appliance.ts';

export type Told = {
  readonly id: string;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into payloads of every shape
  readonly payload: any;
  readonly timestamp: number;
  readonly userId: string | null;
  readonly cursor: string;
  readonly topics?: string[];
  readonly correlationId?: string;
};

export type LiveShop = TestShop & {
  readonly port: number;
  readonly url: string;
  closeSockets(): void;
  sockets(): ReadonlySet<Socket>;
};

export type LiveShopOptions = ShopOptions & {
  /** Places for WebSockets. */
  readonly socketsMax?: number;
  /** Of their heartbeat. */
  readonly socketTimers?: Timers;
};

export async function openLiveShop(options: LiveShopOptions = {}): Promise<LiveShop> {
  const shop = openShop(options);
  const { app, appliance, ports } = shop;
  const isHostAllowed = createHostRule([]);
  const live = createLiveSockets(options.socketTimers ?? systemTimers, options.socketsMax);
  const isOriginListed = originRuleOf(appliance, options.http?.corsOrigins);
  const opened = await openHttpServer({
    listener: createRequestListener(app.fetch, ports.log, isHostAllowed),
    visitors: createDoor(systemTimers, httpPortLimits),
    onUpgrade: createUpgradeListener({ isHostAllowed, isOriginListed, httpsOnly: false }, ports.log, {
      fetch: app.fetch,
      accept: live.accept,
    }),
    host: '127.0.0.1',
    port: 0,
    timers: systemTimers,
    log: ports.log,
  });
  if (!opened.ok) throw new Error(opened.detail);
  onTestFinished(() => {
    live.closeAll();
    return opened.server.close();
  });
  const { port, server } = opened.server;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const url = `http://127.0.0.1:${port}`;
  return { ...shop, port, url, closeSockets: live.closeAll, sockets: () => sockets };
}

export type Where = { readonly token?: string; readonly topics?: readonly string[]; readonly after?: string };

export type Reading = {
  readonly messages: readonly Told[];
  /** What was told to be lost. */
  readonly lost: readonly string[];
  /** The place after all that was told. */
  cursor(): string;
  /** Waits until so many messages have come. */
  has(count: number): Promise<void>;
  close(): Promise<void>;
};

/** Where an appliance serves. */
export type Served = Pick<LiveShop, 'port' | 'url'>;

export type Reader = { readonly name: string; open(place: Served, where?: Where): Promise<Reading> };

const queryOf = (parts: Record<string, string | undefined>): string =>
  new URLSearchParams(
    Object.entries(parts).filter((part): part is [string, string] => part[1] !== undefined),
  ).toString();

export const byWebSocket: Reader = {
  name: 'WebSocket',
  async open({ port }, { token = adminToken, topics, after } = {}) {
    const query = queryOf({ topics: topics?.join(','), after });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?${query}`, ['tillmesh', token]);
    const messages: Told[] = [];
    const lost: string[] = [];
    let cursor = '';
    socket.on('message', (data: RawData) => {
      const frame = JSON.parse(String(data));
      cursor = frame.cursor ?? cursor;
      if (frame.type === 'resync') lost.push(frame.lost);
      else if (typeof frame.id === 'string') messages.push(frame);
    });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    onTestFinished(() => socket.terminate());
    await until('a WebSocket stands', () => cursor !== '');
    return {
      messages,
      lost,
      cursor: () => cursor,
      has: (count) =>
        until(`${count} messages by WebSocket, there are ${messages.length}`, () => messages.length >= count),
      close: () => {
        socket.close();
        return closed;
      },
    };
  },
};

export const byPolling: Reader = {
  name: 'polling',
  async open({ url }, { token = adminToken, topics, after } = {}) {
    const messages: Told[] = [];
    const lost: string[] = [];
    const ending = new AbortController();
    let cursor = '';
    const poll = async (wait?: string): Promise<void> => {
      const query = queryOf({ topics: topics?.join(','), since: cursor || after, wait });
      const response = await fetch(`${url}/api/sync/poll?${query}`, {
        headers: { Authorization: `Bearer ${token}` },
        signal: ending.signal,
      });
      if (response.status !== 200) throw new Error(`a poll was answered with ${response.status}`);
      const answer = (await response.json()) as { messages: Told[]; resync?: true; lost?: string; cursor: string };
      messages.push(...answer.messages);
      if (answer.resync) lost.push(answer.lost ?? '');
      cursor = answer.cursor;
    };
    await poll();
    const polling = (async () => {
      while (!ending.signal.aborted) await poll('20').catch(() => ending.abort());
    })();
    const close = (): Promise<void> => {
      ending.abort();
      return polling;
    };
    onTestFinished(close);
    return {
      messages,
      lost,
      cursor: () => cursor,
      has: (count) =>
        until(`${count} messages by polling, there are ${messages.length}`, () => messages.length >= count),
      close,
    };
  },
};
