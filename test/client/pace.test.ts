// How often an appliance is asked for messages when it has none to tell, and what is known of it by then.

import { describe, expect, test } from 'vitest';
import type { FakeAppliance } from './fake-appliance.ts';
import { bar, connected, createWorld } from './world.ts';

const pollCountOf = ({ asked }: FakeAppliance): number => asked.filter((path) => path === '/api/sync/poll').length;

/** Polls alone, each answered so, after 5 ms. */
async function polled(respond: (count: number) => Response) {
  const world = createWorld();
  world.bar.webSocket = 'refused';
  const { fetch } = world.bar;
  world.bar.fetch = (url, init) => {
    if (url.pathname !== '/api/sync/poll') return fetch(url, init);
    world.bar.asked.push(url.pathname);
    return new Promise((resolve) => world.clock.after(5, () => resolve(respond(pollCountOf(world.bar)))));
  };
  const till = await connected(world, { appliances: [bar], pollingInterval: 100 });
  return { world, till };
}

describe('polls', () => {
  test('answers that are only a resync are no reason to ask at once', async () => {
    const { world } = await polled((count) =>
      Response.json({ cursor: `c${count}`, messages: [], resync: true, lost: 'data' }),
    );
    await world.clock.pass(60_000);
    expect(pollCountOf(world.bar)).toBeGreaterThan(3);
    expect(pollCountOf(world.bar)).toBeLessThan(10);
  });

  test('that fail are made ever slower', async () => {
    const { world } = await polled(() => Response.json({}, { status: 503 }));
    await world.clock.pass(60_000);
    expect(pollCountOf(world.bar)).toBe(6);
  });

  test('Retry-After holds for 503, too', async () => {
    const { world } = await polled(() => Response.json({}, { status: 503, headers: { 'retry-after': '300' } }));
    await world.clock.pass(290_000);
    expect(pollCountOf(world.bar)).toBe(1);
  });

  test('a till that is closed by a listener tells nothing more, though it has it', async () => {
    const messages = ['m-1', 'm-2', 'm-3'].map((id) => ({ id, type: 'user.action' }));
    const { world, till } = await polled((count) =>
      Response.json({ cursor: `c${count}`, messages: count < 4 ? [] : messages }),
    );
    till.manager.onMessage(() => till.manager.close());
    await world.clock.pass(10_000);
    expect(till.told()).toEqual(['m-1']);
  });
});

test('after a resync of data an id may come again for another change, as when books were put back', async () => {
  const { world, till } = await polled((count) => {
    const messages = [{ id: 'f.2.1', type: 'data.updated', payload: { data: { price: count } } }];
    if (count === 3) return Response.json({ cursor: 'f.2', messages, resync: true, lost: 'data' });
    return Response.json({ cursor: `f.1.${count}`, messages: count < 2 ? [] : messages });
  });
  await world.clock.pass(2_000);
  expect(till.told()).toEqual(['f.2.1', 'resync', 'f.2.1']);
});
