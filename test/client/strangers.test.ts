// Who answers and is no appliance, or one that does not do its work: when a till goes on elsewhere, and when it stays.

import { describe, expect, test } from 'vitest';
import type { FakeAppliance } from './fake-appliance.ts';
import { bar, cellar, connected, createWorld, kitchen, storedIds } from './world.ts';

/** What says 200 and HTML to everything: a printer, the log-in page of a network. */
function becomeStranger(appliance: FakeAppliance): void {
  appliance.webSocket = 'refused';
  appliance.fetch = async () => new Response('<html>Welcome</html>');
  appliance.cutSockets('told');
}

describe('B7 strangers, and who does not do its work', () => {
  test('a stranger says 200 and is not gone to', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar, kitchen, cellar] });
    becomeStranger(world.kitchen);
    world.bar.health = 'refuses';
    world.bar.cutSockets('told');
    await world.clock.pass(5_000);
    expect(till.manager.state()).toMatchObject({ appliance: cellar, state: 'online' });
  });

  test('whether it is ready is asked without the token and without cookies', async () => {
    const world = createWorld();
    await connected(world);
    const { init } = world.bar.requests.find(({ url }) => url.pathname === '/readyz') ?? {};
    expect(new Headers(init?.headers).has('authorization')).toBe(false);
    expect(init?.credentials).toBe('omit');
  });

  test('its own became a stranger: tickets go on elsewhere, and it does not come home to it', async () => {
    const world = createWorld();
    const till = await connected(world);
    becomeStranger(world.bar);
    await till.manager.sell({ id: 't-1' });
    await till.manager.sell({ id: 't-2' });
    await world.clock.pass(60_000);
    expect(storedIds(till)).toEqual(['t-1', 't-2']);
    expect(till.manager.state()).toMatchObject({ appliance: kitchen });
    await world.clock.pass(3_600_000);
    expect(till.manager.quality().moves).toBe(1);
  });

  test('its own hangs on tickets though it is ready: they go on elsewhere', async () => {
    const world = createWorld();
    const till = await connected(world);
    const { fetch } = world.bar;
    world.bar.fetch = (url, init) => {
      if (url.pathname !== '/api/v1/tickets') return fetch(url, init);
      return new Promise((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason)));
    };
    for (const id of ['t-1', 't-2', 't-3']) await till.manager.sell({ id });
    await world.clock.pass(60_000);
    expect(storedIds(till)).toEqual(['t-1', 't-2', 't-3']);
    expect(till.manager.state()).toMatchObject({ appliance: kitchen });
  });

  test('its own knows the token no more, and another one does', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.answerTicket = () => ({ status: 401, body: { code: 'credential_unknown' } });
    await till.manager.sell({ id: 't-1' });
    await world.clock.pass(30_000);
    expect(storedIds(till)).toEqual(['t-1']);
    expect(till.manager.state()).toMatchObject({ appliance: kitchen });
  });

  test('two that do not do their work: it does not go to and fro', async () => {
    const world = createWorld();
    const till = await connected(world);
    for (const appliance of [world.bar, world.kitchen])
      appliance.answerTicket = () => ({ status: 401, body: { code: 'credential_unknown' } });
    await till.manager.sell({ id: 't-1' });
    await world.clock.pass(3_600_000);
    expect(till.manager.quality().moves).toBeGreaterThan(0);
    expect(till.manager.quality().moves).toBeLessThan(25);
    expect(till.manager.state()).toMatchObject({ pending: 1, rejected: 0 });
  });

  test('one look home at a time, however often it moved while one was under way', async () => {
    const world = createWorld();
    await connected(world, { appliances: [bar, kitchen, cellar] });
    world.bar.health = 'silent';
    world.bar.cutSockets('told');
    await world.clock.pass(15_000);
    for (let times = 0; times < 6; times += 1) {
      const [here, there] = times % 2 === 0 ? [world.kitchen, world.cellar] : [world.cellar, world.kitchen];
      there.health = 'up';
      here.health = 'refuses';
      here.cutSockets('told');
      await world.clock.pass(3_000);
    }
    await world.clock.pass(300_000);
    const before = world.bar.asked.length;
    await world.clock.pass(600_000);
    expect(world.bar.asked.length - before).toBeLessThan(12);
  });
});

describe('messages that come outrank what an appliance says of itself', () => {
  test('WebSockets refused and /readyz 503: online by polling, at an even pace', async () => {
    const world = createWorld();
    world.bar.webSocket = 'refused';
    world.bar.readyStatus = 503;
    const till = await connected(world, { appliances: [bar] });
    await world.clock.pass(60_000);
    const [stateCount, openedCount] = [till.states.length, world.bar.openedAt.length];
    await world.clock.pass(600_000);
    expect(till.manager.state()).toMatchObject({ state: 'online', transport: 'polling' });
    expect(till.states).toHaveLength(stateCount);
    expect(world.bar.openedAt.length - openedCount).toBeLessThan(12);
  });

  test('a WebSocket lives and tickets are answered 503: online, and sent again ever slower', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.readyStatus = 503;
    world.bar.answerTicket = () => ({ status: 503, body: { code: 'not_ready' } });
    await till.manager.sell({ id: 't-1' });
    await world.clock.pass(600_000);
    expect(till.states.map(({ state }) => state)).not.toContain('offline');
    expect(world.bar.posted.length).toBeLessThan(20);
  });
});
