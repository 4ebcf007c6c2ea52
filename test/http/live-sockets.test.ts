// What is of WebSockets alone: who is let in and stays, the frames that a client can say, how they end, and their bounds.

import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { decideEdit } from '../../src/commands/record-edit.ts';
import type { Command, Outcome } from '../../src/core/command.ts';
import type { JsonObject } from '../../src/core/json.ts';
import {
  liveFrameBytesMax,
  liveHeartbeatMs,
  livePayloadBytesMax,
  liveQueueMessagesMax,
  liveSocketBytesMax,
  readerTopicsMax,
} from '../../src/core/limits.ts';
import { readOffer } from '../../src/edges/http/upgrades.ts';
import { systemTimers } from '../../src/edges/system.ts';
import type { Timers } from '../../src/ports.ts';
import { until } from '../waiting.ts';
import { adminToken } from './appliance.ts';
import { type LiveShop, openLiveShop } from './live-readers.ts';
import { claimed } from './people.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into frames of every shape
type Frame = any;

type Client = {
  readonly socket: WebSocket;
  readonly frames: readonly Frame[];
  say(frame: unknown): void;
  /** The next frame of a type, of those not yet taken. */
  frame(type: string): Promise<Frame>;
  readonly closed: Promise<number>;
};

type Connecting = { query?: string; protocols?: string[]; options?: ClientOptions };

function connect(
  { port }: LiveShop,
  { query = '', protocols = ['tillmesh', adminToken], options }: Connecting = {},
): Client {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws${query}`, protocols, options);
  const frames: Frame[] = [];
  let taken = 0;
  socket.on('message', (data) => frames.push(JSON.parse(String(data))));
  socket.on('error', () => {});
  onTestFinished(() => socket.terminate());
  return {
    socket,
    frames,
    say: (frame) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    async frame(type) {
      const find = () => frames.findIndex((frame, index) => index >= taken && frame.type === type);
      await until(`a frame ${type}; there are ${frames.map((frame) => frame.type)}`, () => find() >= 0);
      taken = find() + 1;
      return frames[taken - 1];
    },
    closed: new Promise((resolve) => socket.once('close', (code) => resolve(code))),
  };
}

/** The status of an upgrade that was refused. */
const refusal = (shop: LiveShop, connecting: Connecting): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const { socket } = connect(shop, connecting);
    socket.once('open', () => reject(new Error('it was let in')));
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (data) => {
        body += data;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
  });

const encoded = (token: string) => `base64url.bearer.${Buffer.from(token).toString('base64url')}`;
const authorization = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

describe('B10 who is let in', () => {
  test('a token in the header, or beside our name, alone, or written otherwise among the subprotocols', async () => {
    const shop = await openLiveShop();
    const till = await shop.makeTill();
    const ways: [Connecting, string, string][] = [
      [{ protocols: [], options: authorization(till.token) }, '', till.id],
      [{ protocols: ['tillmesh', till.token] }, 'tillmesh', till.id],
      [{ protocols: [till.token, 'tillmesh'] }, 'tillmesh', till.id],
      [{ protocols: [till.token] }, till.token, till.id],
      [{ protocols: ['tillmesh', encoded(adminToken)] }, 'tillmesh', 'admin'],
      [{ protocols: ['bearer', till.token] }, 'bearer', till.id],
    ];
    for (const [connecting, protocol, userId] of ways) {
      const client = connect(shop, connecting);
      expect(await client.frame('connected')).toMatchObject({
        userId,
        heartbeatMs: 30_000,
        cursor: expect.any(String),
      });
      expect(client.socket.protocol).toBe(protocol);
      expect(client.socket.extensions).toBe('');
    }
  });

  test('nobody, a garbage token, a revoked one, a foreign page and a broken cursor are answered as over HTTP', async () => {
    const shop = await openLiveShop();
    const till = await shop.makeTill();
    await shop.ask('DELETE', `/api/v1/terminals/${till.id}`);
    const cases: [Connecting, number, string][] = [
      [{ protocols: [] }, 401, 'credential_missing'],
      [{ protocols: ['tillmesh'] }, 401, 'credential_missing'],
      [{ protocols: ['tillmesh', 'till_garbage'] }, 401, 'credential_unknown'],
      [{ protocols: ['tillmesh', till.token] }, 401, 'credential_unknown'],
      [{ protocols: ['tillmesh', encoded('with\na line')] }, 401, 'credential_unknown'],
      [{ protocols: ['tillmesh', encoded('€')] }, 401, 'credential_unknown'],
      [{ options: { origin: 'http://evil.example' } }, 403, ''],
      [{ query: '?after=nonsense' }, 400, 'cursor_malformed'],
      [{ query: '?topics=a%20b' }, 400, 'query_malformed'],
    ];
    for (const [connecting, status, code] of cases) {
      const answer = await refusal(shop, connecting);
      expect([code, answer.status, answer.body.includes(code)]).toEqual([code, status, true]);
    }
    const plain = await shop.ask('GET', '/ws');
    expect([plain.status, plain.json.code]).toEqual([426, 'upgrade_required']);
  });

  test('a person comes with the cookie of our own page, and is out with the session', async () => {
    const shop = await openLiveShop();
    const { cookie, withCsrf } = await claimed(shop);
    const options = { headers: cookie, origin: shop.url };
    const client = connect(shop, { protocols: ['tillmesh'], options });
    expect((await client.frame('connected')).userId).toBe('user:admin');
    const elsewhere = { headers: cookie, origin: 'http://127.0.0.1:9' };
    expect((await refusal(shop, { protocols: ['tillmesh'], options: elsewhere })).status).toBe(403);
    await shop.ask('DELETE', '/api/v1/session', undefined, { token: null, headers: withCsrf });
    expect(await client.closed).toBe(4401);
  });

  test('B4 a till that is revoked is out at once, by socket and by poll', async () => {
    const shop = await openLiveShop();
    const till = await shop.makeTill();
    const client = connect(shop, { protocols: ['tillmesh', till.token] });
    await client.frame('connected');
    const poll = shop.ask('GET', '/api/sync/poll?wait=30', undefined, { token: till.token });
    await until('both wait', () => shop.appliance.realtime.listening() === 2);
    await shop.ask('DELETE', `/api/v1/terminals/${till.id}`);
    expect(await client.closed).toBe(4401);
    expect((await poll).status).toBe(401);
    expect(shop.appliance.realtime.listening()).toBe(0);
  });

  test('B4 who is revoked says nothing more, though his socket takes its time to close', async () => {
    const shop = await openLiveShop();
    const till = await shop.makeTill();
    const client = connect(shop, { protocols: ['tillmesh', till.token] });
    await client.frame('connected');
    // It does not hear that it is to close.
    client.socket.pause();
    await shop.ask('DELETE', `/api/v1/terminals/${till.id}`);
    await until('it listens no more', () => shop.appliance.realtime.listening() === 0);
    client.say({ type: 'last.words' });
    client.socket.resume();
    expect(await client.closed).toBe(4401);
    expect(shop.appliance.realtime.status().messages).toBe(0);
  });

  test('who may do something else by now, or is somebody else’s till, comes anew', async () => {
    const shop = await openLiveShop();
    const edit = (id: string, set: JsonObject): Promise<Outcome<unknown>> =>
      new Promise((resolve) => {
        const command: Command<unknown> = (context) =>
          decideEdit(context, context.books.record('terminal', id), { entity: 'terminal', id, by: 'admin', set });
        shop.appliance.execute(command, resolve);
      });
    for (const set of [{ '/role': 'read-only' }, { '/user': 'eve' }] as JsonObject[]) {
      const till = (await shop.ask('POST', '/api/v1/terminals', { name: 'Till', user: 'ada' })).json;
      const client = connect(shop, { protocols: ['tillmesh', till.token] });
      expect((await client.frame('connected')).userId).toBe('user:ada');
      const polling = shop.ask('GET', '/api/sync/poll?wait=20', undefined, { token: till.token });
      await until('it waits', () => shop.appliance.realtime.listening() === 2);
      expect(await edit(till.id, set)).toMatchObject({ ok: true });
      expect(await client.closed).toBe(4401);
      expect((await polling).json.code).toBe('credential_changed');
    }
  });

  test('a read-only credential hears, and says nothing', async () => {
    const shop = await openLiveShop();
    const screen = (await shop.ask('POST', '/api/v1/terminals', { name: 'Screen', role: 'read-only' })).json;
    const client = connect(shop, { protocols: ['tillmesh', screen.token] });
    client.socket.once('open', () => client.say({ type: 'x', correlationId: 'c' }));
    expect(await client.frame('sync.error')).toMatchObject({ payload: { code: 'read_only' }, correlationId: 'c' });
  });
});

describe('what a client says by WebSocket', () => {
  test('ping, subscribe, unsubscribe and messages are answered, in order', async () => {
    const shop = await openLiveShop();
    const client = connect(shop, { query: '?topics=a' });
    await client.frame('connected');
    client.say({ type: 'ping', correlationId: 'p-1' });
    client.say({ type: 'subscribe', topics: ['b', 'a', 'c'] });
    client.say({ type: 'unsubscribe', topics: ['a', 'z'] });
    client.say({ type: 'user.action', payload: { basket: 1 }, correlationId: 'c-1' });
    expect(await client.frame('pong')).toMatchObject({ correlationId: 'p-1', cursor: expect.any(String) });
    expect((await client.frame('subscribed')).topics).toEqual(['a', 'b', 'c']);
    expect((await client.frame('subscribed')).topics).toEqual(['b', 'c']);
    const sent = await client.frame('sent');
    expect(sent).toMatchObject({ correlationId: 'c-1' });
    await until('its own message', () => client.frames.some(({ id }) => id === sent.messageId));
    await shop.ask('POST', '/api/sync/broadcast', { type: 'note', payload: 1, topics: ['a'] });
    await shop.ask('POST', '/api/sync/broadcast', { type: 'note', payload: 2, topics: ['b'] });
    expect((await client.frame('note')).payload).toBe(2);
    expect((await shop.ask('GET', '/api/sync/status')).json.status.websocket).toEqual({
      enabled: true,
      connections: 1,
      totalConnections: 1,
      subscriptions: 2,
    });
  });

  test('what cannot be taken is told, and ends nothing', async () => {
    const shop = await openLiveShop();
    const client = connect(shop);
    await client.frame('connected');
    const topics = Array.from({ length: readerTopicsMax }, (_, n) => `t${n}`);
    const cases: [unknown, string][] = [
      ['{', 'not_json'],
      ['{"type":"x","type":"y"}', 'not_json'],
      ['{"type":"x","payload":{"__proto__":{}}}', 'not_json'],
      [[], 'malformed'],
      [{}, 'malformed'],
      [{ type: 7 }, 'malformed'],
      [{ type: 'a b' }, 'malformed'],
      [{ type: 'x', correlationId: 'c'.repeat(129) }, 'malformed'],
      [{ type: 'subscribe', topics: ['a b'] }, 'malformed'],
      [{ type: 'subscribe', topics: [...topics, 'one-more'] }, 'malformed'],
      [{ type: 'data.updated', payload: {} }, 'type_reserved'],
      [{ type: 'connected' }, 'type_reserved'],
      [{ type: 'x', payload: 'x'.repeat(livePayloadBytesMax) }, 'payload_too_large'],
    ];
    for (const [frame, code] of cases) {
      client.say(frame);
      const { payload } = await client.frame('sync.error');
      expect([JSON.stringify(frame).slice(0, 60), payload.code]).toEqual([JSON.stringify(frame).slice(0, 60), code]);
      expect(payload.detail.length).toBeGreaterThan(10);
    }
    client.say({ type: 'subscribe', topics });
    expect((await client.frame('subscribed')).topics).toHaveLength(readerTopicsMax);
    client.say({ type: 'subscribe', topics: ['one-more'] });
    expect((await client.frame('sync.error')).payload.code).toBe('malformed');
    client.say({ type: 'ping' });
    await client.frame('pong');
  });

  test('E6 a frame that is too large, or binary, ends it; deflate is not negotiated', async () => {
    const shop = await openLiveShop();
    const large = connect(shop, { options: { perMessageDeflate: true } });
    await large.frame('connected');
    expect(large.socket.extensions).toBe('');
    large.say('x'.repeat(liveFrameBytesMax + 1));
    expect(await large.closed).toBe(1009);
    const binary = connect(shop);
    await binary.frame('connected');
    binary.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    expect(await binary.closed).toBe(1003);
  });

  test('B8 frames are counted as requests are, and a flood of them is read no faster than it is answered', async () => {
    const shop = await openLiveShop({ http: { rateLimit: true } });
    const till = await shop.makeTill();
    const client = connect(shop, { protocols: ['tillmesh', till.token] });
    await client.frame('connected');
    let answered = 0;
    client.socket.on('message', () => {
      answered += 1;
    });
    for (let n = 0; answered < 1010; n++) {
      client.say({ type: 'ping' });
      if (n % 30 === 29) await until('answers', () => answered >= n + 1);
    }
    expect(client.frames.filter(({ type }) => type === 'pong').length).toBeLessThanOrEqual(1000);
    expect(client.frames.at(-1)).toMatchObject({ type: 'sync.error', payload: { code: 'rate_limited' } });
    const flood = connect(shop, { protocols: ['tillmesh', (await shop.makeTill()).token] });
    await flood.frame('connected');
    for (let n = 0; n < 2000; n++) flood.say({ type: 'ping' });
    await until('all are answered', () => flood.frames.filter(({ type }) => type !== 'connected').length === 2000);
    // The upgrade was counted, too.
    expect(flood.frames.filter(({ type }) => type === 'pong')).toHaveLength(999);
  });
});

describe('B8 bounds', () => {
  test('who does not read is not read for, keeps its place, and hears the rest when it reads again', async () => {
    const shop = await openLiveShop();
    const stalled = connect(shop);
    await stalled.frame('connected');
    stalled.socket.pause();
    const text = 'x'.repeat(50_000);
    let said = 0;
    const unread = () => [...shop.sockets()].reduce((sum, { writableLength }) => sum + writableLength, 0);
    // Past what the system takes for it: then it stays where it is.
    await until('it takes no more', async () => {
      for (let n = 0; n < 20; n++)
        await shop.ask('POST', '/api/sync/send', { type: 'note', payload: { n: said++, text } });
      return unread() > liveSocketBytesMax;
    });
    const before = unread();
    for (let n = 0; n < 40; n++)
      await shop.ask('POST', '/api/sync/send', { type: 'note', payload: { n: said++, text } });
    expect(unread()).toBe(before);
    expect(before).toBeLessThan(liveSocketBytesMax + 100_000);
    stalled.socket.resume();
    await until('the last of them', () => stalled.frames.at(-1)?.payload?.n === said - 1, 20_000);
    const numbers = stalled.frames.filter(({ type }) => type === 'note').map(({ payload }) => payload.n);
    // A queue holds 1 MiB: what it had to let go of meanwhile is told as lost, and nothing else is missing.
    const resyncs = stalled.frames.filter(({ type }) => type === 'resync');
    expect(resyncs.length > 0).toBe(numbers.length < said);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test('cut off right after it was told that something is lost, it hears all that is left from that frame’s cursor', async () => {
    const shop = await openLiveShop();
    const client = connect(shop);
    await client.frame('connected');
    for (let n = 0; n < liveQueueMessagesMax + 100; n++)
      shop.appliance.realtime.publish({ type: 'note', payload: n, to: 'all' });
    const { cursor, lost } = await client.frame('resync');
    expect(lost).toBe('messages');
    const again = connect(shop, { query: `?after=${cursor}` });
    const notes = () => again.frames.filter(({ type }) => type === 'note').map(({ payload }) => payload);
    await until('all that is left', () => notes().length === liveQueueMessagesMax);
    expect(notes()[0]).toBe(100);
  });

  test('past all places whoever holds most makes room, the oldest first', async () => {
    const shop = await openLiveShop({ socketsMax: 4 });
    const [greedy, modest] = [await shop.makeTill('a'), await shop.makeTill('b')];
    const of = (token: string) => connect(shop, { protocols: ['tillmesh', token] });
    const first = of(modest.token);
    const greedyOnes = [of(greedy.token), of(greedy.token), of(greedy.token)];
    for (const client of [first, ...greedyOnes]) await client.frame('connected');
    const late = of(modest.token);
    await late.frame('connected');
    expect(await greedyOnes[0]?.closed).toBe(1013);
    first.say({ type: 'ping' });
    await first.frame('pong');
    expect((await shop.ask('GET', '/api/sync/status')).json.status.websocket.connections).toBe(4);
  });

  test('who leaves a ping unanswered until the next is ended; who answers is told where the stream stands', async () => {
    let beat = (): void => {};
    const socketTimers: Timers = {
      after: (delayMs, run) => {
        if (delayMs !== liveHeartbeatMs) return systemTimers.after(delayMs, run);
        beat = run;
        return { cancel: () => {} };
      },
      soon: systemTimers.soon,
    };
    const shop = await openLiveShop({ socketTimers });
    const dead = connect(shop, { options: { autoPong: false } });
    const alive = connect(shop);
    const { cursor } = await alive.frame('connected');
    await dead.frame('connected');
    await shop.ask('PUT', '/api/v1/products/p', { name: 'x' });
    await alive.frame('data.updated');
    const ponged = once(alive.socket, 'ping');
    beat();
    const heartbeat = await alive.frame('heartbeat');
    expect(heartbeat.cursor).not.toBe(cursor);
    await ponged;
    // Its pong is on the way before this is answered.
    alive.say({ type: 'subscribe', topics: [] });
    await alive.frame('subscribed');
    beat();
    expect(await dead.closed).toBe(1006);
    await alive.frame('heartbeat');
    await until('its place is free', async () => {
      const { connections, totalConnections } = (await shop.ask('GET', '/api/sync/status')).json.status.websocket;
      return connections === 1 && totalConnections === 2;
    });
  });

  test('when the appliance stops, everybody is told', async () => {
    const shop = await openLiveShop();
    const client = connect(shop);
    await client.frame('connected');
    shop.closeSockets();
    expect(await client.closed).toBe(1001);
    expect(shop.appliance.realtime.listening()).toBe(0);
    // Who was half in by then is not let in.
    expect(await connect(shop).closed).toBe(1006);
  });
});

test('the list of subprotocols names a token, and what may be said back', () => {
  expect(readOffer(undefined)).toEqual({ protocol: undefined });
  expect(readOffer('tillmesh')).toEqual({ protocol: 'tillmesh' });
  expect(readOffer(' tillmesh , till_a.b ')).toEqual({ protocol: 'tillmesh', token: 'till_a.b' });
  expect(readOffer('till_a.b')).toEqual({ protocol: 'till_a.b', token: 'till_a.b' });
});
