// The stream of messages: WebSocket first, polling in its absence, one cursor; and a connection that dies without a word.

import { describe, expect, test } from 'vitest';
import type { Answer, Asking } from '../../src/client/asking.ts';
import { createPolling } from '../../src/client/polling.ts';
import { bar, connected, createWorld } from './world.ts';

describe('one transport at a time', () => {
  test('a WebSocket, and no polling while it lives', async () => {
    const world = createWorld();
    const till = await connected(world);
    expect(till.manager.state()).toMatchObject({
      state: 'online',
      transport: 'websocket',
      appliance: world.bar.address,
    });
    const id = world.bar.publish('user.action');
    await world.clock.pass(10 * 60_000);
    expect(till.told()).toEqual([id]);
    expect(world.bar.asked).not.toContain('/api/sync/poll');
    expect(till.manager.quality()).toMatchObject({ level: 'good', rttMs: 1, reconnects: 0 });
  });

  test('connect resolves when messages come, by whichever way', async () => {
    const world = createWorld();
    world.bar.webSocket = 'refused';
    const till = world.open();
    const connecting = till.manager.connect();
    await world.clock.pass(100);
    await connecting;
    expect(till.manager.state()).toMatchObject({ state: 'online', transport: 'polling' });
    expect(till.manager.state().trouble).toMatch(/no WebSocket/);
  });

  test('polling while WebSockets fail, and the WebSocket again when it works; then no more polls', async () => {
    const world = createWorld();
    world.bar.webSocket = 'refused';
    const till = await connected(world);
    const first = world.bar.publish('user.action');
    await world.clock.pass(10);
    expect(till.told()).toEqual([first]);
    world.bar.webSocket = 'works';
    await world.clock.pass(3_000);
    expect(till.manager.state()).toMatchObject({ transport: 'websocket', trouble: null });
    expect(world.bar.pollCount()).toBe(0);
    const pollCount = world.bar.asked.filter((path) => path === '/api/sync/poll').length;
    await world.clock.pass(60_000);
    expect(world.bar.asked.filter((path) => path === '/api/sync/poll')).toHaveLength(pollCount);
  });

  test('WebSockets are tried after 1, 2, 4 … 60 s, and after maxReconnectAttempts once a minute, for ever', async () => {
    const world = createWorld();
    world.bar.webSocket = 'refused';
    await connected(world, { maxReconnectAttempts: 4 });
    const openedAt: number[] = [];
    for (let second = 0; second < 300; second += 1) {
      const before = world.bar.protocols.length;
      await world.clock.pass(1_000);
      if (world.bar.protocols.length > before) openedAt.push(second);
    }
    expect(openedAt).toEqual([0, 2, 6, 66, 126, 186, 246]);
  });

  test('one that is cut off without a word is noticed by a ping', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.cutSockets('silently');
    const missed = world.bar.publish('user.action');
    await world.clock.pass(15_100);
    expect(till.manager.quality().reconnects).toBe(1);
    expect(till.told()).toEqual([missed]);
  });

  test('an appliance that does not wait is not asked all the time', async () => {
    const world = createWorld();
    world.bar.webSocket = 'refused';
    const { fetch } = world.bar;
    world.bar.fetch = (url, init) => {
      url.searchParams.set('wait', '0');
      return fetch(url, init);
    };
    await connected(world);
    const before = world.bar.asked.filter((path) => path === '/api/sync/poll').length;
    await world.clock.pass(60_000);
    expect(world.bar.asked.filter((path) => path === '/api/sync/poll').length - before).toBeLessThanOrEqual(13);
  });

  test('a refused credential is told, is no reason to move, and is tried again', async () => {
    const world = createWorld();
    world.bar.webSocket = 'refused';
    world.bar.pollStatus = 401;
    const till = await connected(world);
    await world.clock.pass(30_000);
    expect(till.manager.state()).toMatchObject({ appliance: world.bar.address, isAway: false, transport: null });
    expect(till.manager.state().trouble).toMatch(/token/);
    world.bar.pollStatus = 200;
    await world.clock.pass(60_000);
    expect(till.manager.state()).toMatchObject({ state: 'online', transport: 'polling' });
  });
});

test('the appliance answers, and yet messages come by neither way: that is told, and connect resolves', async () => {
  const world = createWorld();
  world.bar.webSocket = 'refused';
  world.bar.pollStatus = 503;
  const till = world.open();
  const connecting = till.manager.connect();
  await world.clock.pass(1_000);
  await connecting;
  expect(till.manager.state()).toMatchObject({ state: 'online', transport: null, isAway: false });
  expect(till.manager.state().trouble).toMatch(/sends no messages/);
});

test.each(['bar', 'kitchen'] as const)('the network of the device is back: all is tried at once (%s)', async (back) => {
  let isBack = (): void => undefined;
  const world = createWorld({
    onNetwork(run) {
      isBack = run;
      return () => undefined;
    },
  });
  const till = await connected(world);
  for (const appliance of [world.bar, world.kitchen]) appliance.health = 'refuses';
  world.bar.cutSockets('told');
  await till.manager.sell({ id: 't-1' });
  await world.clock.pass(3_600_000);
  world[back].health = 'up';
  isBack();
  await world.clock.pass(500);
  expect(till.manager.state()).toMatchObject({ state: 'online', transport: 'websocket', pending: 0 });
});

test('a resync of messages may stand before messages that it counts as told: they are asked for again', async () => {
  const world = createWorld();
  const till = await connected(world);
  const [first] = [world.bar.publish('user.action')];
  await world.clock.pass(10);
  // The frame comes, and the connection is cut before what follows it.
  const missed = world.bar.publishUnheard('user.action', 'messages');
  await world.clock.pass(10);
  world.bar.cutSockets('told');
  await world.clock.pass(3_000);
  expect(till.told()).toEqual([first, 'resync', missed]);
});

describe('no gap and no repetition', () => {
  test('what a poll delivered while a WebSocket was opened does not come again', async () => {
    const world = createWorld();
    world.bar.webSocket = 'refused';
    const till = await connected(world);
    world.bar.webSocket = 'works';
    const ids: string[] = [];
    // Each millisecond, so also between the opening of the WebSocket and its greeting.
    for (let ms = 0; ms < 2_000; ms += 1) {
      ids.push(world.bar.publish('user.action'));
      await world.clock.pass(1);
    }
    await world.clock.pass(100);
    expect(till.manager.state().transport).toBe('websocket');
    expect(till.told()).toEqual(ids);
  });

  test('a stream that begins by both ways at once begins at the earlier place', async () => {
    const world = createWorld();
    world.bar.webSocket = 'refused';
    world.bar.pollStatus = 500;
    const till = await connected(world);
    // The next WebSocket is opened without a place, and greeted after a poll has found one.
    await world.clock.pass(2_000);
    world.bar.webSocket = 'works';
    world.bar.pollStatus = 200;
    world.bar.handshakeMs = 4_500;
    while (till.manager.state().transport !== 'polling') await world.clock.pass(1);
    // Told to the poll, whose answer is overtaken.
    const greetedAt = (world.bar.openedAt.at(-1) ?? 0) + world.bar.handshakeMs;
    await world.clock.pass(greetedAt - world.clock.ms() - 2);
    const published = world.bar.publish('user.action');
    await world.clock.pass(10_000);
    expect(till.manager.state().transport).toBe('websocket');
    expect(till.told()).toEqual([published]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'whatever fails in between, all is told once, in order (dice %i)',
    async (seed) => {
      const world = createWorld();
      const roll = dice(seed);
      const till = await connected(world, { appliances: [world.bar.address] });
      const ids: string[] = [];
      let switches = 0;
      let before = till.manager.state().transport;
      for (let step = 0; step < 400; step += 1) {
        const what = roll(10);
        if (what < 5) ids.push(world.bar.publish('user.action'));
        if (what === 5) world.bar.cutSockets('told');
        if (what === 6) world.bar.cutSockets('silently');
        if (what === 7) world.bar.webSocket = (['works', 'refused', 'silent'] as const)[roll(3)] ?? 'works';
        if (what === 8) world.bar.health = (['up', 'up', 'refuses', 'silent'] as const)[roll(4)] ?? 'up';
        await world.clock.pass(roll(3) === 0 ? roll(4_000) : roll(12));
        const { transport } = till.manager.state();
        if (transport !== null && transport !== before) {
          switches += 1;
          before = transport;
        }
      }
      world.bar.health = 'up';
      world.bar.webSocket = 'works';
      world.bar.cutSockets('told');
      await world.clock.pass(150_000);
      expect(till.told()).toEqual(ids);
      expect(switches).toBeGreaterThan(1);
    },
  );
});

test('a greeting tells where the stream stands, not what was delivered: cut after it, nothing is skipped', async () => {
  const world = createWorld();
  const till = await connected(world);
  world.bar.cutSockets('told');
  world.bar.pollStatus = 500;
  world.bar.cutsAfterGreeting = true;
  const missed = world.bar.publish('user.action');
  await world.clock.pass(2_000);
  world.bar.cutsAfterGreeting = false;
  await world.clock.pass(5_000);
  expect(till.told()).toEqual([missed]);
});

test('a WebSocket that lived is opened again after 1 s, whatever failed before', async () => {
  const world = createWorld();
  await connected(world);
  for (let times = 0; times < 5; times += 1) {
    world.bar.cutSockets('told');
    const cutAt = world.clock.ms();
    await world.clock.pass(1_100);
    expect((world.bar.openedAt.at(-1) ?? 0) - cutAt).toBe(1_001);
  }
});

test('a place that an appliance does not take: begin anew, and say so', async () => {
  const world = createWorld();
  const till = await connected(world);
  world.bar.webSocket = 'refused';
  world.bar.pollStatus = 400;
  world.bar.cutSockets('told');
  await world.clock.pass(100);
  expect(till.told()).toEqual(['resync']);
  world.bar.pollStatus = 200;
  await world.clock.pass(60_000);
  const id = world.bar.publish('user.action');
  await world.clock.pass(100);
  expect(till.told()).toEqual(['resync', id]);
});

test('Retry-After holds for polls', async () => {
  const world = createWorld();
  world.bar.webSocket = 'refused';
  world.bar.pollStatus = 429;
  await connected(world);
  await world.clock.pass(19_000);
  expect(world.bar.asked.filter((path) => path === '/api/sync/poll')).toHaveLength(1);
});

test('an answer that comes after polling was stopped counts for nothing', async () => {
  const { environment, clock } = createWorld();
  const answer = Promise.withResolvers<Answer>();
  const events: unknown[] = [];
  const asking = { ask: () => answer.promise } as unknown as Asking;
  const polling = createPolling(environment, asking, 5_000, {
    url: () => bar,
    hasCursor: () => true,
    answered: (answered) => events.push(answered) > 0,
    cursorRefused: () => void events.push('refused'),
    failed: (failure) => void events.push(failure),
  });
  polling.start();
  polling.stop();
  answer.resolve({ ok: true, status: 200, body: { messages: [], cursor: 'c' }, retryAfterMs: undefined });
  await clock.pass(60_000);
  expect(events).toEqual([]);
});

test('topics that change while a WebSocket is opened are told when it is open', async () => {
  const world = createWorld();
  const till = world.open({ topics: ['a', 'b'] });
  void till.manager.connect();
  till.manager.subscribe('c');
  till.manager.unsubscribe('a');
  await world.clock.pass(100);
  expect(world.bar.framesFromTill).toContainEqual({ type: 'subscribe', topics: ['c'] });
  expect(world.bar.framesFromTill).toContainEqual({ type: 'unsubscribe', topics: ['a'] });
});

test('topics: told in the address, and to a WebSocket that is open', async () => {
  const world = createWorld();
  const till = await connected(world, { topics: ['kitchen'] });
  till.manager.subscribe('bar');
  till.manager.unsubscribe('kitchen');
  expect(world.bar.framesFromTill).toContainEqual({ type: 'subscribe', topics: ['bar'] });
  expect(world.bar.framesFromTill).toContainEqual({ type: 'unsubscribe', topics: ['kitchen'] });
  world.bar.webSocket = 'refused';
  world.bar.cutSockets('told');
  await world.clock.pass(100);
  const poll = world.bar.requests.findLast(({ url }) => url.pathname === '/api/sync/poll');
  expect(poll?.url.searchParams.get('topics')).toBe('bar');
});

test('a listener that throws, or rejects, harms nobody', async () => {
  const world = createWorld();
  const till = await connected(world);
  till.manager.onMessage(() => {
    throw new Error('oops');
  });
  till.manager.onMessage(async () => Promise.reject(new Error('later')));
  const told: string[] = [];
  till.manager.onMessage((message) => told.push(message.type));
  world.bar.publish('user.action');
  await world.clock.pass(10);
  expect(told).toEqual(['user.action']);
  expect(world.reports.map(String)).toEqual(['Error: oops', 'Error: later']);
});

test.each([
  ['offline', 'refuses', 'refuses'],
  ['away', 'refuses', 'up'],
] as const)('closed while %s, it leaves no timer', async (_name, own, other) => {
  const world = createWorld();
  const till = await connected(world);
  world.bar.health = own;
  world.kitchen.health = other;
  world.bar.cutSockets('told');
  await world.clock.pass(10_500);
  till.manager.close();
  await world.clock.pass(20);
  expect(world.clock.timerCount()).toBe(0);
});

test('a listener that changes how it stands: all hear of it in the right order', async () => {
  const world = createWorld();
  const till = world.open();
  till.manager.onState(({ state }) => state === 'online' && till.manager.close());
  const last: string[] = [];
  till.manager.onState(({ state }) => last.push(state));
  void till.manager.connect();
  await world.clock.pass(100);
  expect(last).toEqual(['idle', 'connecting', 'online', 'closed']);
});

test('closed, it leaves no timer, no socket and no question', async () => {
  const world = createWorld();
  const till = await connected(world);
  world.bar.health = 'silent';
  await till.manager.sell({ total: 1 });
  await world.clock.pass(12_000);
  till.manager.close();
  await world.clock.pass(0);
  // Only what the fake appliance itself still has on its clock.
  expect(till.manager.state()).toMatchObject({ state: 'closed', transport: null });
  expect(world.bar.socketCount() + world.bar.pollCount()).toBe(0);
  await world.clock.pass(20);
  expect(world.clock.timerCount()).toBe(0);
});

function dice(seed: number): (sides: number) => number {
  let state = seed * 2654435761;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}
