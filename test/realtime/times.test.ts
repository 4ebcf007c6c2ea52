// Times in place of cursors: whatever the clock does, whoever goes on with a time that he was told skips nothing.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { liveMomentsMax, liveQueueMs } from '../../src/core/limits.ts';
import { createTimes } from '../../src/realtime/times.ts';

test('a reader who polls with the times that he is told hears everything once, however the clock steps', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant('said' as const) },
    { weight: 3, arbitrary: fc.constant('asks' as const) },
    { weight: 2, arbitrary: fc.integer({ min: -5_000, max: 5_000 }) },
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let now = 1_000_000;
      let end = 0;
      const times = createTimes(() => now, end);
      let since = times.tell();
      let heardUpTo = 0;
      const stamps = new Map<number, number>();
      for (const one of steps) {
        if (typeof one === 'number') now += one;
        else if (one === 'said') stamps.set(++end, times.stamp(end));
        else {
          const place = times.placeAt(since);
          expect(place).toBe(heardUpTo);
          heardUpTo = end;
          since = times.tell();
        }
      }
      // With any other time nothing of later is skipped; something may come again.
      for (const [place, stamp] of stamps) expect(times.placeAt(stamp - 1) ?? 0).toBeLessThan(place);
      for (let time = 999_000; time < now + 1000; time += 37) {
        const place = times.placeAt(time) ?? 0;
        for (const [one, stamp] of stamps) if (stamp > time) expect(place).toBeLessThan(one);
      }
    }),
    { numRuns: 500 },
  );
});

test('what came after a moment that somebody has from his own clock is told, though it shares a moment with it', () => {
  let now = 1_000_000;
  const times = createTimes(() => now, 0);
  now += 500;
  times.stamp(1);
  now += 40;
  times.stamp(2);
  now += 1000;
  expect(times.placeAt(1_000_520)).toBe(0);
  expect(times.placeAt(1_000_540)).toBe(2);
});

test('a time of before the start, or of too long ago, stands for no place', () => {
  let now = 1_000_000;
  const times = createTimes(() => now, 0);
  expect(times.placeAt(999_999)).toBeUndefined();
  expect(times.placeAt(1_000_000)).toBe(0);
  now += 1000;
  times.stamp(1);
  expect(times.placeAt(1_000_500)).toBe(0);
  now += 2 * liveQueueMs;
  times.stamp(2);
  expect(times.placeAt(1_000_500)).toBeUndefined();
  expect(times.placeAt(now)).toBe(2);
});

test('B8 so many moments are remembered, however often it is asked', () => {
  let now = 1_000_000;
  const times = createTimes(() => now, 0);
  for (let n = 1; n <= 2 * liveMomentsMax; n++) {
    now += 1;
    times.tell();
    times.stamp(n);
  }
  expect(times.placeAt(now - liveMomentsMax - 10)).toBeUndefined();
  expect(times.placeAt(now + 10)).toBe(2 * liveMomentsMax);
});
