// Memory is given back once after each busy time, never during one.

import { expect, test } from 'vitest';
import { restAfterCpuMs, restLookMs } from '../../src/core/limits.ts';
import { releaseAtRest } from '../../src/edges/rest.ts';
import type { Timers } from '../../src/ports.ts';

/** Each look is due when the test says so. */
function createHand() {
  let due: (() => void) | undefined;
  const timers: Timers = {
    after(delayMs, run) {
      expect(delayMs).toBe(restLookMs);
      due = run;
      return {
        cancel() {
          due = undefined;
        },
      };
    },
    soon: (run) => run(),
  };
  return { timers, look: () => due?.(), isWaiting: () => due !== undefined };
}

test('B8 memory is released once after a busy time, at rest, and again only after the next', () => {
  const hand = createHand();
  let cpuMs = 0;
  const releasedAt: number[] = [];
  const rest = releaseAtRest({
    timers: hand.timers,
    cpuMs: () => cpuMs,
    release: () => void releasedAt.push(cpuMs),
  });
  const looks = (count: number, busyMs: number): void => {
    for (let look = 0; look < count; look++) {
      cpuMs += busyMs;
      hand.look();
    }
  };
  looks(5, 10);
  expect(releasedAt).toEqual([]);
  looks(5, 5_000);
  expect(releasedAt).toEqual([]);
  looks(5, 10);
  expect(releasedAt).toEqual([25_060]);
  looks(restAfterCpuMs / 10 - 5, 10);
  expect(releasedAt).toHaveLength(1);
  looks(2, 10);
  expect(releasedAt).toHaveLength(2);
  rest.stop();
  expect(hand.isWaiting()).toBe(false);
});

test('B8 the room of a busy time is given back to the system', () => {
  const hand = createHand();
  let cpuMs = 10_000;
  const rest = releaseAtRest({ timers: hand.timers, cpuMs: () => cpuMs++ });
  const kept: unknown[] = [];
  for (let round = 0; round < 200_000; round++) kept[round % 20_000] = { text: `number ${round}`, list: [round] };
  kept.length = 0;
  const before = process.memoryUsage().heapTotal;
  hand.look();
  expect(process.memoryUsage().heapTotal).toBeLessThan(before - 4 * 1024 * 1024);
  rest.stop();
});
