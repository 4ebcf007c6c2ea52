// The queue: sent in the order of the sales, one after another, until there is an answer; and none that stops another.

import { describe, expect, test } from 'vitest';
import { bar, connected, createWorld, refusal, storedIds } from './world.ts';

describe('B7 order, and none blocks another', () => {
  test('sold in the same instant, sent in that order, one after another', async () => {
    const world = createWorld();
    const till = await connected(world);
    let underWay = 0;
    let most = 0;
    const { fetch } = world.bar;
    world.bar.fetch = async (url, init) => {
      underWay += 1;
      most = Math.max(most, underWay);
      return fetch(url, init).finally(() => {
        underWay -= 1;
      });
    };
    const ids = Array.from({ length: 20 }, (_, index) => `t-${index}`);
    await Promise.all(ids.map((id) => till.manager.sell({ id })));
    await world.clock.pass(1_000);
    expect(world.bar.posted).toEqual(ids);
    expect(storedIds(till)).toEqual(ids);
    expect(most).toBe(1);
  });

  test('a refused ticket is kept apart, told with its reason, and the next goes at once', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.answerTicket = ({ id }) => (id === 't-2' ? refusal : undefined);
    for (const id of ['t-1', 't-2', 't-3']) await till.manager.sell({ id });
    await world.clock.pass(20);
    expect(world.bar.posted).toEqual(['t-1', 't-2', 't-3']);
    expect(till.manager.state()).toMatchObject({ pending: 0, rejected: 1 });
    expect(till.manager.rejected()).toMatchObject([
      { ticket: { id: 't-2' }, code: 'malformed', detail: 'A line is odd. no name', isFinal: true },
    ]);
    expect(till.events).toContainEqual({ kind: 'rejected', rejected: till.manager.rejected()[0] });
  });

  test.each([400, 409, 413, 415, 422])('%i is a verdict', async (status) => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.answerTicket = () => ({ status, body: { code: 'odd', title: 'It is odd.' } });
    await till.manager.sell({ id: 't-1' });
    await world.clock.pass(20);
    expect(till.manager.rejected()).toMatchObject([{ code: 'odd', detail: 'It is odd.', isFinal: true }]);
  });

  test('a proxy that takes a ticket for too large is no appliance: others go before it, and it is sent again', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.answerTicket = ({ id }) => (id === 'large' ? { status: 413, body: null } : undefined);
    for (const id of ['large', 't-1', 't-2']) await till.manager.sell({ id });
    await world.clock.pass(60_000);
    expect(storedIds(till)).toEqual(['t-1', 't-2']);
    expect(till.manager.rejected()).toMatchObject([{ ticket: { id: 'large' }, isFinal: false }]);
    world.bar.answerTicket = () => undefined;
    await world.clock.pass(130_000);
    expect(storedIds(till)).toEqual(['t-1', 't-2', 'large']);
  });

  test.each([401, 403, 404, 405, 421, 429, 500, 502, 503, 504])(
    '%i is none: it waits, and is sent again',
    async (status) => {
      const world = createWorld();
      const till = await connected(world, { appliances: [bar] });
      world.bar.answerTicket = () => ({ status, body: { code: 'x', detail: 'y' } });
      await till.manager.sell({ id: 't-1' });
      await world.clock.pass(600_000);
      expect(till.manager.state()).toMatchObject({ pending: 1, rejected: 0, trouble: expect.any(String) });
      world.bar.answerTicket = () => undefined;
      await world.clock.pass(61_000);
      expect(till.manager.state()).toMatchObject({ pending: 0, rejected: 0, trouble: null });
    },
  );

  test('Retry-After is kept to', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.answerTicket = () => ({ status: 429, headers: { 'retry-after': '30' } });
    await till.manager.sell({ id: 't-1' });
    // A connection that comes back is no reason to be rude.
    world.bar.cutSockets('told');
    await world.clock.pass(29_000);
    expect(till.manager.quality().reconnects).toBe(1);
    expect(world.bar.posted).toHaveLength(1);
    await world.clock.pass(2_000);
    expect(world.bar.posted).toHaveLength(2);
  });

  test('sent at once when the connection is back, whatever the pause was', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.health = 'refuses';
    world.bar.cutSockets('told');
    await till.manager.sell({ id: 't-1' });
    await world.clock.pass(3_600_000);
    world.bar.health = 'up';
    while (till.manager.state().transport === null) await world.clock.pass(10);
    await world.clock.pass(100);
    expect(till.manager.pending()).toBe(0);
  });

  test('a ticket that alone makes the appliance fail is set aside, tried once a minute, and stored when that is mended', async () => {
    const world = createWorld();
    const till = await connected(world);
    for (const appliance of [world.bar, world.kitchen])
      appliance.answerTicket = ({ id }) => (id.startsWith('bad') ? { status: 500 } : undefined);
    for (const id of ['bad-1', 'bad-2', 't-1', 't-2']) await till.manager.sell({ id });
    await world.clock.pass(30_000);
    expect(till.manager.state()).toMatchObject({ pending: 0, rejected: 2, trouble: null });
    expect(till.manager.rejected()).toMatchObject([{ isFinal: false }, { isFinal: false }]);
    expect(storedIds(till)).toEqual(['t-1', 't-2']);
    // One that fails again while it is set aside holds up no sale.
    const before = world.bar.posted.length;
    while (world.bar.posted.length === before) await world.clock.pass(1);
    await till.manager.sell({ id: 't-3' });
    await world.clock.pass(10);
    expect(storedIds(till)).toEqual(['t-1', 't-2', 't-3']);
    const tries = world.bar.posted.length;
    await world.clock.pass(300_000);
    expect(world.bar.posted.length - tries).toBeGreaterThanOrEqual(8);
    expect(world.bar.posted.length - tries).toBeLessThanOrEqual(12);
    world.bar.answerTicket = () => undefined;
    await world.clock.pass(61_000);
    expect(till.manager.rejected()).toEqual([]);
    expect(storedIds(till)).toEqual(['t-1', 't-2', 't-3', 'bad-1', 'bad-2']);
    expect(till.events.filter(({ kind }) => kind === 'rejected')).toHaveLength(2);
  });

  test('its last try is made at another appliance, which may take it', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.answerTicket = () => ({ status: 500 });
    await till.manager.sell({ id: 'bad-1' });
    await world.clock.pass(30_000);
    expect(world.kitchen.posted).toEqual(['bad-1']);
    expect(till.manager.pending()).toBe(0);
  });

  test('an appliance that fails with every ticket sets none aside; order is kept when it is well again', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.answerTicket = () => ({ status: 500 });
    const ids = ['t-1', 't-2', 't-3', 't-4'];
    for (const id of ids) await till.manager.sell({ id });
    await world.clock.pass(600_000);
    expect(till.manager.state()).toMatchObject({ pending: 4, rejected: 0 });
    world.bar.answerTicket = () => undefined;
    await world.clock.pass(120_000);
    expect(till.manager.state()).toMatchObject({ pending: 0, rejected: 0 });
    expect(storedIds(till)).toHaveLength(4);
  });
});
