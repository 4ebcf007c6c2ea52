// Messages while they wait: their bounds, and that nobody misses one without being told.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  liveBytesMax,
  liveQueueBytesMax,
  liveQueueMessagesMax,
  liveQueueMs,
  liveQueuesMax,
} from '../../src/core/limits.ts';
import { type Audience, type Interest, isForReader, type LiveMessage } from '../../src/realtime/message.ts';
import { createQueues } from '../../src/realtime/queues.ts';

let count = 0;
const message = (audience: Audience = 'all', payload = '1'): LiveMessage => ({
  id: `m-${++count}`,
  type: 'note',
  payload,
  audience,
  timestamp: 0,
  correlationId: undefined,
  author: 'a',
  staysHere: false,
});
const reader = (user = 'u', ...topics: string[]): Interest => ({ user, topics: new Set(topics) });
const numbersOf = (queued: readonly { number: number }[]) => queued.map(({ number }) => number);

test('a message is known by its id, also after it was let go of, for twice its life', () => {
  let now = 0;
  const queues = createQueues(() => now);
  const one = message();
  expect(queues.add(one, '')).toBeDefined();
  expect(queues.add(one, '')).toBeUndefined();
  now = liveQueueMs;
  queues.sweep();
  expect(queues.counts().messages).toBe(0);
  expect(queues.add(one, '')).toBeUndefined();
  now = 2 * liveQueueMs;
  queues.sweep();
  expect(queues.isEmpty()).toBe(true);
  expect(queues.add(one, '')).toBeDefined();
});

test('what comes with an age has only the rest of its life', () => {
  let now = 0;
  const queues = createQueues(() => now);
  expect(queues.add(message(), '', liveQueueMs)).toBeUndefined();
  queues.add(message(), '', liveQueueMs - 1000);
  now = 999;
  queues.sweep();
  expect([...queues.latest()].map((queued) => queues.ageMs(queued))).toEqual([liveQueueMs - 1]);
  now = 1000;
  queues.sweep();
  expect([queues.counts().messages, queues.hasLost(0, reader())]).toEqual([0, true]);
});

describe('B8', () => {
  test('a queue holds so many messages, and so many bytes, whatever the others hold', () => {
    const queues = createQueues(() => 0);
    queues.add(message({ user: 'u' }), '');
    for (let n = 0; n < liveQueueMessagesMax + 5; n++) queues.add(message({ topics: ['t'] }), '');
    expect(queues.counts()).toMatchObject({ queues: 2, messages: liveQueueMessagesMax + 1 });
    expect([
      queues.hasLost(1, reader('u')),
      queues.hasLost(1, reader('u', 't')),
      queues.hasLost(6, reader('u', 't')),
    ]).toEqual([false, true, false]);
    const large = 'x'.repeat(50_000);
    for (let n = 0; n < 100; n++) queues.add(message('all', large), '');
    const kept = [...queues.latest()].filter(({ message: { payload } }) => payload === large);
    expect(kept.length * large.length * 2).toBeLessThanOrEqual(liveQueueBytesMax);
    expect(kept.length * large.length * 2).toBeGreaterThan(liveQueueBytesMax * 0.8);
  });

  test('all together hold so many bytes: the largest gives way, and a small one is not touched', () => {
    const queues = createQueues(() => 0);
    queues.add(message({ user: 'u' }), '');
    const large = 'x'.repeat(60_000);
    for (let topic = 0; topic < 50; topic++) {
      for (let n = 0; n < 8; n++) queues.add(message({ topics: [`t${topic}`] }, large), '');
    }
    const bytes = [...queues.latest()].reduce((sum, queued) => sum + queued.bytes, 0);
    expect(bytes).toBeLessThanOrEqual(liveBytesMax);
    expect(bytes).toBeGreaterThan(liveBytesMax * 0.9);
    expect(queues.hasLost(0, reader('u'))).toBe(false);
    expect(Array.from({ length: 50 }, (_, topic) => queues.hasLost(0, reader('x', `t${topic}`))).some(Boolean)).toBe(
      true,
    );
  });

  test('what is let go of takes no memory until the sweep', () => {
    const queues = createQueues(() => 0);
    for (let n = 0; n < 20 * liveQueueMessagesMax; n++) {
      queues.add(message(), '');
      const { messages, held } = queues.counts();
      if (held > 2 * messages + 32) expect.fail(`${held} are held for ${messages} that wait`);
    }
    expect(queues.after(0)).toHaveLength(liveQueueMessagesMax);
  });

  test('there are so many queues; who had one that is no more is told that he may have missed something', () => {
    const queues = createQueues(() => 0);
    for (let n = 0; n <= liveQueuesMax; n++) queues.add(message({ user: `u${n}` }), '');
    expect(queues.counts().queues).toBe(liveQueuesMax);
    expect(queues.hasLost(0, reader('u0'))).toBe(true);
    expect(queues.hasLost(0, reader('u1'))).toBe(false);
    expect(queues.hasLost(1, reader('u0'))).toBe(false);
  });
});

test('whatever is said, and let go of: each of his is there, or he is told', () => {
  const audiences = fc.oneof(
    fc.constant<Audience>('all'),
    fc.constantFrom('u', 'v').map((user): Audience => ({ user })),
    fc.subarray(['a', 'b', 'c'], { minLength: 1 }).map((topics): Audience => ({ topics })),
  );
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(audiences, fc.integer({ min: 1, max: 60_000 })).map(([to, size]) => ({ to, size })),
    },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: liveQueueMs }).map((later) => ({ later })) },
  );
  const readers = [reader('u'), reader('v', 'a'), reader('w', 'b', 'c')];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.nat(80), (steps, from) => {
      let now = 0;
      const queues = createQueues(() => now);
      const said: { number: number; audience: Audience }[] = [];
      for (const one of steps) {
        if ('later' in one) {
          now += one.later;
          queues.sweep();
          continue;
        }
        const queued = queues.add(message(one.to, 'x'.repeat(one.size)), '');
        if (queued) said.push({ number: queued.number, audience: one.to });
      }
      const kept = queues.after(from);
      expect(numbersOf(kept)).toEqual([...numbersOf(kept)].sort((a, b) => a - b));
      for (const interest of readers) {
        const his = said.filter(({ number, audience }) => number > from && isForReader(audience, interest));
        const there = numbersOf(kept.filter(({ message: { audience } }) => isForReader(audience, interest)));
        if (!queues.hasLost(from, interest)) expect(there).toEqual(numbersOf(his));
        else expect(from).toBeLessThan(queues.lastNumber());
      }
    }),
    { numRuns: 200 },
  );
});
