// A device that is slow, full, or loses what was written: what was sold is in the memory of the page, and comes through.

import { expect, test } from 'vitest';
import { createIndexedDbMedium } from '../../src/client/indexed-db-medium.ts';
import { createMemoryMedium } from '../../src/client/outbox-medium.ts';
import { createFakeIndexedDb } from './fake-indexed-db.ts';
import { bar, connected, createWorld, durableMemory, kitchen, storedIds } from './world.ts';

test('B1 the database is deleted while sales wait in it: all of them arrive, once', async () => {
  const factory = createFakeIndexedDb();
  let keyCount = 0;
  const createMedium = () => createIndexedDbMedium(factory, 'tillmesh', () => `key-${++keyCount}`);
  const world = createWorld({ createMedium });
  const till = await connected(world, { appliances: [bar] });
  world.bar.health = 'refuses';
  await till.manager.sell({ id: 't-1' });
  factory.deleteAll();
  await till.manager.sell({ id: 't-2' });
  // Counted again meanwhile.
  await world.clock.pass(120_000);
  expect(till.manager.pending()).toBe(2);
  world.bar.health = 'up';
  await world.clock.pass(61_000);
  expect(storedIds(till)).toEqual(['t-1', 't-2']);
  expect(world.bar.posted.filter((id) => id === 't-2')).toHaveLength(1);
  expect(factory.rowCount()).toBe(0);
});

test('B1 a medium that does not open at first is tried again: what it keeps is sent, and what came meanwhile is kept in it', async () => {
  const shared = createMemoryMedium();
  await shared.add([{ id: 'yesterday' }]);
  let isSlow = true;
  const load: typeof shared.load = () => (isSlow ? new Promise<never>(() => undefined) : shared.load());
  const world = createWorld({
    createMedium: durableMemory({ ...shared, load }),
    createSpareMedium: createMemoryMedium,
  });
  const till = await connected(world, { appliances: [bar] });
  world.bar.health = 'refuses';
  await world.clock.pass(11_000);
  await till.manager.sell({ id: 'today' });
  expect(till.manager.state()).toMatchObject({ isOutboxDurable: false, pending: 1 });
  isSlow = false;
  await world.clock.pass(60_000);
  expect(till.manager.state()).toMatchObject({ isOutboxDurable: true, pending: 2 });
  expect((await shared.load()).map(({ ticket }) => ticket.id)).toEqual(['yesterday', 'today']);
  world.bar.health = 'up';
  await world.clock.pass(61_000);
  expect(storedIds(till)).toEqual(['yesterday', 'today']);
});

test('what it remembers of appliances cannot be read: it goes on at another one that was given', async () => {
  const recall = () => new Promise<never>(() => undefined);
  const world = createWorld({ createMedium: durableMemory({ ...createMemoryMedium(), recall }) });
  world.bar.health = 'refuses';
  const till = await connected(world);
  await till.manager.sell({ id: 't-1' });
  await world.clock.pass(12_000);
  expect(till.manager.state()).toMatchObject({ appliance: kitchen, pending: 0 });
});

test('B1 a write that takes long is told, and the sale is promised when it is written, not before', async () => {
  const medium = createMemoryMedium();
  const isFree = Promise.withResolvers<void>();
  const add: typeof medium.add = (tickets) => isFree.promise.then(() => medium.add(tickets));
  const world = createWorld({ createMedium: durableMemory({ ...medium, add }) });
  const till = await connected(world);
  let isPromised = false;
  const selling = till.manager.sell({ id: 't-1' }).then(() => {
    isPromised = true;
  });
  await world.clock.pass(11_000);
  expect([isPromised, till.manager.state().trouble]).toEqual([
    false,
    'This device cannot keep tickets: nothing was written in 10 s.',
  ]);
  isFree.resolve();
  await selling;
  await world.clock.pass(10);
  expect(till.manager.state()).toMatchObject({ pending: 0, trouble: null });
});

test('B1 one sale handed in twice at once is promised twice, or not at all', async () => {
  const medium = createMemoryMedium();
  const add = () => Promise.reject(new Error('disk full'));
  const world = createWorld({ createMedium: durableMemory({ ...medium, add }) });
  const till = await connected(world);
  const sale = { id: 't-1', total: 1 };
  const told = await Promise.allSettled([till.manager.sell(sale), till.manager.sell(sale)]);
  expect(told.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

test('a sale is of the till that sold it, whoever sends it', async () => {
  const world = createWorld();
  const till = await connected(world, { token: `till_${btoa('bar-1').replace(/=+$/, '')}.c2VjcmV0` });
  await till.manager.sell({ id: 't-1' });
  await till.manager.sell({ id: 't-2', terminalId: 'bar-2' });
  await world.clock.pass(20);
  expect([...world.bar.stored.values()]).toMatchObject([{ terminalId: 'bar-1' }, { terminalId: 'bar-2' }]);
});

test.each(Array.from({ length: 12 }, (_, seed) => seed + 1))(
  'B1 two pages, a database that is deleted, closed or full at any time, answers of all kinds: no sale is lost (dice %i)',
  async (seed) => {
    const factory = createFakeIndexedDb();
    const roll = dice(seed);
    let keyCount = 0;
    const createMedium = () => createIndexedDbMedium(factory, 'tillmesh', () => `key-${++keyCount}`);
    const world = createWorld({ createMedium });
    const statuses = [500, 503, 429, 401, 404, 502];
    const answerOddly = () =>
      roll(2) ? undefined : { status: statuses[roll(6)] ?? 500, body: roll(2) ? { code: 'x' } : null };
    for (const appliance of [world.bar, world.kitchen]) appliance.answerTicket = answerOddly;
    const tills = [await connected(world), await connected(world)];
    const promised: string[] = [];
    for (let step = 0; step < 40; step += 1) {
      const what = roll(12);
      if (what === 0 || step === 20) factory.deleteAll();
      if (what === 1) factory.closeAll();
      if (what === 2) factory.failNextCommit();
      if (what === 3) world.bar.health = (['up', 'refuses', 'silent', 'unready'] as const)[roll(4)] ?? 'up';
      const sold = what > 3 ? tills[roll(2)]?.manager.sell({ id: `t-${step}` }) : undefined;
      sold?.then(({ id }) => promised.push(id)).catch(() => undefined);
      await world.clock.pass(roll(8_000));
    }
    for (const appliance of [world.bar, world.kitchen]) appliance.answerTicket = () => undefined;
    world.bar.health = 'up';
    await world.clock.pass(1_000_000);
    const stored = new Set([...world.bar.stored.keys(), ...world.kitchen.stored.keys()]);
    expect(promised.filter((id) => !stored.has(id))).toEqual([]);
    expect([promised.length > 5, factory.rowCount()]).toEqual([true, 0]);
  },
);

function dice(seed: number): (sides: number) => number {
  let state = seed * 2654435761;
  return (sides) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}
