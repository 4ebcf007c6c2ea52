// Which appliance a till speaks to: when it goes to another one, and when it comes back.

import { describe, expect, test } from 'vitest';
import { createMemoryMedium, type Entry } from '../../src/client/outbox-medium.ts';
import { bar, cellar, connected, createWorld, durableMemory, kitchen } from './world.ts';

describe('B7 moving', () => {
  test.each(['refuses', 'silent', 'unready'] as const)('its own %s: it goes on at the next', async (health) => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.health = health;
    world.bar.cutSockets(health === 'silent' ? 'silently' : 'told');
    await world.clock.pass(25_000);
    expect(till.manager.state()).toMatchObject({ state: 'online', appliance: kitchen, isAway: true });
    expect(till.manager.state().trouble).toBe(
      `The appliance at ${bar} does not answer; selling goes on at ${kitchen}.`,
    );
    expect(till.manager.quality().moves).toBe(1);
    const id = world.kitchen.publish('user.action');
    await world.clock.pass(10);
    expect(till.told()).toEqual(['resync', id]);
  });

  test('what kept a ticket back at the one is not told of the other', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.health = 'refuses';
    await till.manager.sell({ total: 1 });
    await world.clock.pass(1_000);
    expect(till.manager.state()).toMatchObject({ appliance: kitchen, pending: 0 });
    const troubles = till.states.flatMap(({ trouble }) => trouble ?? []);
    expect(troubles).toContainEqual(expect.stringMatching(/bar:3030 does not answer for tickets/));
    expect(troubles).not.toContainEqual(expect.stringMatching(/kitchen:3030 does not answer for tickets/));
  });

  test('it comes back when its own has been ready twice, to the place where it was', async () => {
    const world = createWorld();
    const till = await connected(world);
    const first = world.bar.publish('user.action');
    await world.clock.pass(10);
    world.bar.health = 'refuses';
    world.bar.cutSockets('told');
    await world.clock.pass(10_000);
    expect(till.manager.state().appliance).toBe(kitchen);
    world.bar.health = 'up';
    const missed = world.bar.publish('user.action');
    await world.clock.pass(30_000);
    expect(till.manager.state()).toMatchObject({
      appliance: bar,
      isAway: false,
      trouble: null,
      transport: 'websocket',
    });
    expect(till.told()).toEqual([first, 'resync', missed]);
    expect(world.kitchen.socketCount()).toBe(0);
  });

  test('one good answer does not bring it back', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.health = 'refuses';
    world.bar.cutSockets('told');
    await world.clock.pass(1_000);
    expect(till.manager.state().appliance).toBe(kitchen);
    world.bar.health = 'up';
    // Until it was asked once, and then it is gone again.
    const before = world.bar.asked.length;
    while (world.bar.asked.length === before) await world.clock.pass(1);
    await world.clock.pass(5);
    world.bar.health = 'refuses';
    await world.clock.pass(30_000);
    expect(till.manager.quality().moves).toBe(1);
  });

  test('its own comes and goes: each return takes longer, so that it does not flap', async () => {
    const world = createWorld();
    const till = await connected(world);
    for (let second = 0; second < 1_200; second += 1) {
      // Ready whenever it is asked from afar, gone as soon as the till is there.
      const isHere = till.manager.state().appliance === bar && till.manager.state().transport !== null;
      world.bar.health = isHere ? 'refuses' : 'up';
      if (isHere) world.bar.cutSockets('told');
      await world.clock.pass(1_000);
    }
    expect(till.manager.quality().moves).toBeLessThan(60);
    expect(till.manager.quality().moves).toBeGreaterThan(4);
  });

  test('4xx is no reason to move, as long as it takes tickets', async () => {
    const world = createWorld();
    world.bar.webSocket = 'refused';
    world.bar.pollStatus = 404;
    const till = await connected(world);
    await till.manager.sell({ total: 1 });
    await world.clock.pass(120_000);
    expect(till.manager.quality().moves).toBe(0);
    expect(world.bar.stored.size).toBe(1);
  });

  test('4xx at /readyz is an answer, too', async () => {
    const world = createWorld();
    world.bar.readyStatus = 404;
    world.bar.webSocket = 'refused';
    const till = await connected(world);
    await world.clock.pass(60_000);
    expect(till.manager.state()).toMatchObject({ appliance: bar, transport: 'polling' });
    expect(till.manager.quality().moves).toBe(0);
  });

  test('one that says nothing holds nobody up on the way to the next', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar, cellar, kitchen] });
    world.cellar.health = 'silent';
    world.bar.health = 'refuses';
    world.bar.cutSockets('told');
    await world.clock.pass(1_000);
    expect(till.manager.state()).toMatchObject({ appliance: kitchen });
  });

  test('the earlier one is taken when both are ready', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar, cellar, kitchen] });
    world.bar.health = 'refuses';
    world.bar.cutSockets('told');
    await world.clock.pass(1_000);
    expect(till.manager.state()).toMatchObject({ appliance: cellar });
    expect(world.kitchen.asked).toEqual([]);
  });

  test('it says that it is ready and takes no tickets: they go to another one', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.answerTicket = () => ({ status: 503, body: {} });
    await till.manager.sell({ total: 1 });
    await world.clock.pass(20_000);
    expect(till.manager.pending()).toBe(0);
    expect(world.kitchen.stored.size).toBe(1);
  });

  test('no appliance answers: that is told, sales are kept, and sent when one does', async () => {
    const world = createWorld();
    world.bar.health = 'refuses';
    world.kitchen.health = 'refuses';
    const till = world.open();
    const connecting = till.manager.connect();
    await world.clock.pass(1_000);
    await connecting;
    expect(till.manager.state()).toMatchObject({ state: 'offline', appliance: null });
    expect(till.manager.quality().level).toBe('offline');
    await till.manager.sell({ total: 1 });
    await world.clock.pass(3_600_000);
    expect(till.manager.pending()).toBe(1);
    world.kitchen.health = 'up';
    await world.clock.pass(61_000);
    expect(till.manager.state()).toMatchObject({ state: 'online', appliance: kitchen, pending: 0 });
  });
});

describe('who there is', () => {
  const told = [
    { id: 'b', name: 'Bar', self: true, connected: true, urls: ['http://10.0.0.1:3030'] },
    { id: 'k', name: 'Kitchen', self: false, connected: true, urls: [`${kitchen}/`, 'https://kitchen:3031'] },
    { id: 'x', name: 'Odd', self: false, connected: false, urls: ['ftp://odd', 7] },
    'nonsense',
  ];

  test('appliances tell of others, and of news', async () => {
    const world = createWorld();
    world.bar.others = told;
    const till = await connected(world, { appliances: [bar] });
    expect(till.manager.appliances()).toEqual([bar, 'http://10.0.0.1:3030', kitchen, 'https://kitchen:3031']);
    world.bar.others = [...told, { id: 'c', connected: true, urls: ['http://cellar:3030'] }];
    world.bar.publish('data.updated', { section: 'appliances', data: {} });
    await world.clock.pass(10);
    expect(till.manager.appliances()).toContain('http://cellar:3030');
    // News that come while an answer is under way are not missed.
    world.bar.publish('data.updated', { section: 'appliances', data: {} });
    world.bar.publish('data.updated', { section: 'appliances', data: {} });
    await world.clock.pass(2);
    world.bar.others = told;
    await world.clock.pass(10);
    expect(till.manager.appliances()).not.toContain('http://cellar:3030');
  });

  test('a page that is loaded while its own appliance is dead knows the others from before', async () => {
    const medium = createMemoryMedium();
    const before = createWorld({ createMedium: durableMemory(medium) });
    before.bar.others = told;
    const earlier = await connected(before, { appliances: [bar] });
    earlier.manager.close();
    // The disk is slower than the network.
    const slow = {
      ...medium,
      load: () => new Promise<readonly Entry[]>((resolve) => world.clock.after(200, () => resolve(medium.load()))),
    };
    const world = createWorld({ createMedium: durableMemory(slow) });
    world.bar.health = 'refuses';
    const till = await connected(world, { appliances: [bar] });
    await world.clock.pass(500);
    expect(till.manager.state()).toMatchObject({ appliance: kitchen, isAway: true });
    expect(till.states.map(({ state }) => state)).not.toContain('offline');
  });

  test('another address of its own appliance is not away', async () => {
    const world = createWorld();
    world.bar.others = [{ id: 'b', self: true, connected: true, urls: [kitchen] }];
    const till = await connected(world, { appliances: [bar] });
    world.bar.health = 'refuses';
    world.bar.cutSockets('told');
    await world.clock.pass(5_000);
    expect(till.manager.state()).toMatchObject({ appliance: kitchen, isAway: false });
  });

  test('a page that came by HTTPS goes nowhere else in the clear', async () => {
    const world = createWorld({ isSecurePage: true });
    world.bar.others = told;
    const till = await connected(world, { appliances: [bar] });
    expect(till.manager.appliances()).toEqual([bar, 'https://kitchen:3031']);
  });

  test('a session counts at one appliance alone, so a page without a token stays', async () => {
    const world = createWorld({ isPage: true });
    const till = await connected(world, { token: '' });
    world.bar.health = 'refuses';
    world.bar.cutSockets('told');
    await world.clock.pass(10_000);
    expect(till.manager.state()).toMatchObject({ state: 'offline', appliance: bar });
    expect(world.kitchen.asked).toEqual([]);
  });
});
