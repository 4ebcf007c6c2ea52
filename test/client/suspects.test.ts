// Tickets that get no verdict: whether the ticket or the appliance is to blame, and who waits for whom meanwhile.

import { describe, expect, test } from 'vitest';
import { bar, connected, createWorld, storedIds, type World } from './world.ts';

/** Answers as an appliance does, but for one ticket, which never arrives. */
function cutTicket(world: World, id: string): void {
  const { fetch } = world.bar;
  world.bar.fetch = (url, init) =>
    String(init.body ?? '').includes(`"${id}"`) ? Promise.reject(new TypeError('ECONNRESET')) : fetch(url, init);
}

describe('B7 any answer that is no verdict may be about this one ticket', () => {
  test('one that cuts the connection holds up none behind it', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    cutTicket(world, 'bad');
    for (const id of ['bad', 't-1', 't-2']) await till.manager.sell({ id });
    await world.clock.pass(30_000);
    expect(storedIds(till)).toEqual(['t-1', 't-2']);
    expect(till.manager.state()).toMatchObject({ state: 'online', pending: 0, rejected: 1, trouble: null });
    expect(till.manager.rejected()).toMatchObject([{ ticket: { id: 'bad' }, code: 'no_verdict', isFinal: false }]);
  });

  test.each([401, 403, 404, 406, 408, 451, 502, 503, 504])('a filter between says %i to it alone', async (status) => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.answerTicket = ({ id }) => (id === 'bad' ? { status, body: '<html>blocked' } : undefined);
    for (const id of ['bad', 't-1', 't-2']) await till.manager.sell({ id });
    await world.clock.pass(30_000);
    expect(storedIds(till)).toEqual(['t-1', 't-2']);
    expect(till.manager.state()).toMatchObject({ pending: 0, rejected: 1 });
  });

  test.each([401, 403, 429, 503])(
    '%i with the name of a problem is about no ticket: none is passed',
    async (status) => {
      const world = createWorld();
      const till = await connected(world, { appliances: [bar] });
      let isOver = false;
      world.bar.answerTicket = () => (isOver ? undefined : { status, body: { code: 'x' } });
      for (const id of ['t-1', 't-2']) await till.manager.sell({ id });
      await world.clock.pass(600_000);
      expect(new Set(world.bar.posted)).toEqual(new Set(['t-1']));
      isOver = true;
      await world.clock.pass(61_000);
      expect(storedIds(till)).toEqual(['t-1', 't-2']);
    },
  );

  test('an appliance that is off for an hour makes no ticket suspicious', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.health = 'refuses';
    const ids = ['t-1', 't-2', 't-3'];
    for (const id of ids) await till.manager.sell({ id });
    await world.clock.pass(3_600_000);
    world.bar.health = 'up';
    await world.clock.pass(61_000);
    expect(storedIds(till)).toEqual(ids);
  });

  test('twenty bad ones hold up a good one for half a minute at most, and the next ones not at all', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.answerTicket = ({ id }) => (id.startsWith('bad') ? { status: 500 } : undefined);
    for (let index = 0; index < 20; index += 1) await till.manager.sell({ id: `bad-${index}` });
    await till.manager.sell({ id: 't-1' });
    await world.clock.pass(30_000);
    expect(storedIds(till)).toEqual(['t-1']);
    await till.manager.sell({ id: 't-2' });
    await world.clock.pass(100);
    expect(storedIds(till)).toEqual(['t-1', 't-2']);
    await world.clock.pass(120_000);
    expect(till.manager.state()).toMatchObject({ pending: 0, rejected: 20 });
  });
});

describe('Retry-After', () => {
  test('is of the appliance that told it: elsewhere it counts for nothing', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.answerTicket = () => ({ status: 503, body: null, headers: { 'retry-after': '900' } });
    await till.manager.sell({ id: 't-1' });
    await world.clock.pass(100);
    expect(world.bar.posted).toEqual(['t-1']);
    world.bar.health = 'refuses';
    world.bar.cutSockets('told');
    await world.clock.pass(5_000);
    expect(storedIds(till)).toEqual(['t-1']);
    expect(world.kitchen.stored.size).toBe(1);
  });

  test('holds for tickets that are set aside, too', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.answerTicket = ({ id }) => (id.startsWith('bad') ? { status: 500 } : undefined);
    for (const id of ['bad-1', 'bad-2', 'bad-3', 't-1']) await till.manager.sell({ id });
    await world.clock.pass(120_000);
    expect(till.manager.state()).toMatchObject({ pending: 0, rejected: 3 });
    world.bar.answerTicket = () => ({ status: 429, headers: { 'retry-after': '600' } });
    const before = world.bar.posted.length;
    await world.clock.pass(600_000);
    expect(world.bar.posted.length - before).toBe(1);
  });
});
