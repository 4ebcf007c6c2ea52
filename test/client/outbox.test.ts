// What was sold is kept until an appliance has it: before it is sent, through crashes, and with two pages at it.

import { describe, expect, test } from 'vitest';
import type { Channel } from '../../src/client/environment.ts';
import { createMemoryMedium, type OutboxMedium } from '../../src/client/outbox-medium.ts';
import { settle } from './clock.ts';
import { bar, connected, createWorld, durableMemory, refusal, storedIds } from './world.ts';

describe('B1 kept before it is sent', () => {
  test('sell resolves with an id when it is written, though nothing answers', async () => {
    const world = createWorld();
    world.bar.health = 'silent';
    world.kitchen.health = 'silent';
    const till = await connected(world);
    const { id } = await till.manager.sell({ total: 100 });
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(till.manager.pending()).toBe(1);
  });

  test('before it is written nothing is sent, and a device that cannot write says so', async () => {
    const medium = createMemoryMedium();
    const writing = Promise.withResolvers<never>();
    const world = createWorld({ createMedium: durableMemory({ ...medium, add: () => writing.promise }) });
    const till = await connected(world);
    const selling = expect(till.manager.sell({ total: 1 })).rejects.toThrow('This device cannot keep tickets: full');
    await world.clock.pass(5_000);
    expect(world.bar.posted).toEqual([]);
    writing.reject(new Error('full'));
    await selling;
    expect(till.manager.state()).toMatchObject({ pending: 0, trouble: 'This device cannot keep tickets: full' });
  });

  test('what is no ticket is refused at once; a copy is kept, so that nobody changes it afterwards', async () => {
    const world = createWorld();
    const till = await connected(world);
    await expect(till.manager.sell([] as never)).rejects.toThrow('object');
    await expect(till.manager.sell({ id: 'a b' })).rejects.toThrow('id');
    await expect(till.manager.sell({ total: 1n })).rejects.toThrow();
    const ticket = { id: 't-1', lines: [{ name: 'Tea' }] };
    const selling = till.manager.sell(ticket);
    ticket.lines = [];
    await selling;
    await world.clock.pass(10);
    expect(world.bar.stored.get('t-1')).toEqual({
      id: 't-1',
      lines: [{ name: 'Tea' }],
      soldAt: '2026-11-20T00:00:00.100Z',
    });
  });

  test('confirmed by 200 or 201 it is gone, and only then', async () => {
    const world = createWorld();
    const till = await connected(world);
    await till.manager.sell({ id: 't-1' });
    expect(till.manager.pending()).toBe(1);
    await world.clock.pass(10);
    expect(till.manager.pending()).toBe(0);
    expect(till.events).toEqual([{ kind: 'stored', id: 't-1', stored: expect.objectContaining({ flags: [] }) }]);
  });

  test('what says 200 and is no appliance has stored nothing', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.answerTicket = () => ({ status: 200, body: '<html>Log in to this network</html>' });
    await till.manager.sell({ id: 't-1' });
    await world.clock.pass(60_000);
    expect(till.manager.state()).toMatchObject({ pending: 1, trouble: expect.stringMatching(/is no appliance/) });
  });
});

describe('B2 once', () => {
  test('an answer that is lost: it is sent again with the same id', async () => {
    const world = createWorld();
    const till = await connected(world);
    let count = 0;
    world.bar.answerTicket = () => {
      count += 1;
      return count === 1 ? 'cut' : undefined;
    };
    await till.manager.sell({ id: 't-1' });
    await world.clock.pass(3_000);
    expect(world.bar.posted).toEqual(['t-1', 't-1']);
    expect(till.manager.pending()).toBe(0);
  });

  test('the same sale handed in twice waits once; another one under its id is refused', async () => {
    const world = createWorld();
    world.bar.health = 'refuses';
    world.kitchen.health = 'refuses';
    const till = await connected(world);
    await Promise.all([till.manager.sell({ id: 't-1', a: 1, b: 2 }), till.manager.sell({ b: 2, a: 1, id: 't-1' })]);
    // A time that was only filled in makes no other sale of it.
    await world.clock.pass(1_000);
    await till.manager.sell({ id: 't-1', b: 2, a: 1 });
    expect(till.manager.pending()).toBe(1);
    await expect(till.manager.sell({ id: 't-1', a: 2 })).rejects.toThrow('Another ticket');
  });
});

describe('what was refused', () => {
  async function withRefused() {
    const world = createWorld();
    const till = await connected(world);
    world.bar.answerTicket = (ticket) => ('total' in ticket ? undefined : refusal);
    await till.manager.sell({ id: 't-1', soldAt: '2026-01-01T00:00:00Z' });
    await world.clock.pass(20);
    return { world, till };
  }

  test('is sent again, corrected', async () => {
    const { world, till } = await withRefused();
    await till.manager.retry('t-1', { total: 5 });
    expect(till.manager.state()).toMatchObject({ pending: 1, rejected: 0 });
    await world.clock.pass(20);
    expect(world.bar.stored.get('t-1')).toMatchObject({ id: 't-1', total: 5 });
    await expect(till.manager.retry('t-1')).rejects.toThrow('No refused ticket');
  });

  test('is sent again as it is, and refused again', async () => {
    const { world, till } = await withRefused();
    await till.manager.retry('t-1');
    await world.clock.pass(20);
    expect(world.bar.posted).toEqual(['t-1', 't-1']);
    expect(till.manager.state()).toMatchObject({ pending: 0, rejected: 1 });
  });

  test('is forgotten when somebody has seen to it', async () => {
    const { till } = await withRefused();
    await till.manager.discard('t-1');
    await till.manager.discard('t-1');
    expect(till.manager.rejected()).toEqual([]);
  });

  test('and sold again under its id, it takes that place', async () => {
    const { world, till } = await withRefused();
    await till.manager.sell({ id: 't-1', total: 3 });
    await world.clock.pass(20);
    expect(till.manager.state()).toMatchObject({ pending: 0, rejected: 0 });
    expect(world.bar.stored.get('t-1')).toMatchObject({ total: 3 });
  });
});

describe('B1 a crash at every step', () => {
  const steps: (keyof OutboxMedium)[] = ['add', 'remove', 'reject', 'renew'];
  const moments = steps.flatMap((step) => [[step, 'before'] as const, [step, 'after'] as const]);

  test.each(moments)('during %s, %s it is written: what was promised arrives, once', async (step, moment) => {
    const kept = createMemoryMedium();
    // Dead means: nothing is written any more, and nobody comes back.
    let isDead = false;
    const gone = new Promise<never>(() => undefined);
    const dying = Object.fromEntries(
      Object.entries(kept).map(([name, member]) => [
        name,
        typeof member !== 'function' || name === 'close'
          ? member
          : async (...values: never[]) => {
              if (isDead) return gone;
              if (name !== step) return (member as (...values: never[]) => unknown)(...values);
              isDead = true;
              if (moment === 'after') await (member as (...values: never[]) => unknown)(...values);
              return gone;
            },
      ]),
    ) as unknown as OutboxMedium;
    const world = createWorld({ createMedium: durableMemory(dying) });
    const answer = ({ id }: { id: string }) => (id === 't-2' ? refusal : undefined);
    world.bar.answerTicket = answer;
    const till = await connected(world);
    const promised = new Set<string>();
    for (const id of ['t-1', 't-2', 't-3']) void till.manager.sell({ id }).then(() => promised.add(id));
    await world.clock.pass(1_000);
    if (step === 'renew') void till.manager.retry('t-2');
    await world.clock.pass(1_000);
    expect(isDead).toBe(true);
    till.manager.close();

    const after = createWorld({ createMedium: durableMemory(kept) });
    after.bar.answerTicket = answer;
    const reloaded = await connected(after);
    await after.clock.pass(5_000);
    const atAppliances = new Set([...world.bar.stored.keys(), ...after.bar.stored.keys()]);
    const refused = reloaded.manager.rejected().map(({ ticket }) => ticket.id);
    for (const id of promised) expect(atAppliances.has(id) || refused.includes(id), id).toBe(true);
    if (step !== 'add') expect(promised.size).toBe(3);
    expect(reloaded.manager.pending()).toBe(0);
    expect(refused).toEqual(step === 'add' && moment === 'before' ? [] : ['t-2']);
  });
});

describe('two pages with one outbox', () => {
  /** `hearingMs`: how long one takes to hear of the other. */
  function twoPages(hearingMs = 0) {
    const medium = createMemoryMedium();
    const pages = new Set<(message: unknown) => void>();
    const openChannel = (_name: string, hear: (message: unknown) => void): Channel => {
      pages.add(hear);
      return {
        post: (message) => {
          for (const other of pages)
            if (other !== hear) world.clock.after(hearingMs, () => other(structuredClone(message)));
        },
        close: () => void pages.delete(hear),
      };
    };
    const world = createWorld({ createMedium: durableMemory({ ...medium, isShared: true }), openChannel });
    return world;
  }

  test('both send, both count right, both are told once, none is lost', async () => {
    const world = twoPages();
    const one = await connected(world);
    const two = await connected(world);
    world.bar.health = 'refuses';
    world.kitchen.health = 'refuses';
    for (const id of ['t-1', 't-3', 't-5']) await one.manager.sell({ id });
    for (const id of ['t-2', 't-4']) await two.manager.sell({ id });
    await world.clock.pass(1);
    expect([one.manager.pending(), two.manager.pending()]).toEqual([5, 5]);
    world.bar.answerTicket = ({ id }) => (id === 't-4' ? refusal : undefined);
    world.bar.health = 'up';
    world.kitchen.health = 'up';
    await world.clock.pass(120_000);
    expect([one.manager.pending(), two.manager.pending()]).toEqual([0, 0]);
    expect([one.manager.rejected().length, two.manager.rejected().length]).toEqual([1, 1]);
    for (const { events } of [one, two]) expect(events.filter(({ kind }) => kind === 'rejected')).toHaveLength(1);
    for (const till of [one, two]) expect(storedIds(till).sort()).toEqual(['t-1', 't-2', 't-3', 't-5']);
    await two.manager.discard('t-4');
    await world.clock.pass(1);
    expect(one.manager.rejected()).toEqual([]);
  });

  test('what a page sees gone before it hears why is told when it hears', async () => {
    const world = twoPages(5);
    const one = await connected(world);
    const two = world.open();
    const ids = ['t-1', 't-2', 't-3', 't-4'];
    await settle();
    await Promise.all(ids.map((id) => two.manager.sell({ id })));
    await world.clock.pass(1_000);
    expect(storedIds(one)).toEqual(ids);
    expect(storedIds(two)).toEqual(ids);
    expect(two.manager.pending()).toBe(0);
  });

  test('what one page says of an entry that the other has sent anew counts for nothing', async () => {
    const world = twoPages();
    const one = await connected(world);
    const two = await connected(world);
    world.bar.answerTicket = () => refusal;
    await one.manager.sell({ id: 't-1' });
    await world.clock.pass(50);
    world.bar.answerTicket = () => undefined;
    await two.manager.retry('t-1');
    await world.clock.pass(50);
    expect([one.manager.state().rejected, two.manager.state().rejected]).toEqual([0, 0]);
    expect([one.manager.pending(), two.manager.pending()]).toEqual([0, 0]);
  });
});

test('where nothing durable can be had a browser keeps tickets in memory, and says so', async () => {
  const broken = { ...createMemoryMedium(), load: () => Promise.reject(new Error('not in a private window')) };
  const world = createWorld({ createMedium: () => broken, createSpareMedium: createMemoryMedium });
  const till = await connected(world);
  expect(till.manager.state()).toMatchObject({
    isOutboxDurable: false,
    trouble: expect.stringMatching(/keeps no tickets/),
  });
  await till.manager.sell({ id: 't-1' });
  await world.clock.pass(20);
  expect(till.manager.pending()).toBe(0);
});

test('a program whose file cannot be read refuses to sell, until it can', async () => {
  const medium = createMemoryMedium();
  let isBroken = true;
  const load = () => (isBroken ? Promise.reject(new Error('EACCES')) : medium.load());
  const world = createWorld({ createMedium: durableMemory({ ...medium, load }) });
  const till = await connected(world);
  await expect(till.manager.sell({ id: 't-1' })).rejects.toThrow('EACCES');
  expect(till.manager.state().trouble).toMatch(/EACCES/);
  isBroken = false;
  await till.manager.sell({ id: 't-2' });
  expect(till.manager.state().trouble).toBe(null);
});

test('what was kept is sent though messages come by neither way', async () => {
  const world = createWorld();
  world.bar.webSocket = 'refused';
  world.bar.pollStatus = 404;
  const till = world.open();
  await till.manager.sell({ id: 't-1' });
  void till.manager.connect();
  await world.clock.pass(100);
  expect(till.manager.pending()).toBe(0);
});

test('nothing is sent before connect, nor after close; it stays', async () => {
  const world = createWorld();
  const till = world.open();
  await till.manager.sell({ id: 't-1' });
  await world.clock.pass(60_000);
  expect(world.bar.asked).toEqual([]);
  expect(till.manager.state()).toMatchObject({ state: 'idle', pending: 1 });
  till.manager.close();
  await till.manager.sell({ id: 't-2' });
  expect(till.manager.pending()).toBe(2);
  await world.clock.pass(60_000);
  expect(world.bar.asked).toEqual([]);
});
