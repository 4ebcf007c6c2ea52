// The hybrid clock: never back, later than what it has seen, and never a reason to refuse a sale.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkStamp, clockOf, clockZero, meshOffsetMs, observe, stampMs, stampOf, tick } from '../../src/core/clock.ts';
import { stampMsMax } from '../../src/core/limits.ts';

const wall = fc.oneof(
  fc.integer({ min: -10, max: 10 }),
  fc.integer({ min: stampMsMax - 3, max: stampMsMax + 3 }),
  fc.double(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0),
);
const clock = fc.record({
  ms: fc.oneof(fc.nat({ max: 10 }), fc.integer({ min: stampMsMax - 2, max: stampMsMax })),
  counter: fc.oneof(fc.nat({ max: 2 }), fc.integer({ min: 0xfffd, max: 0xffff })),
});
const event = fc.oneof(
  wall.map((wallMs) => ({ kind: 'tick' as const, wallMs })),
  clock.map((seen) => ({ kind: 'observe' as const, stamp: stampOf(seen) })),
);

describe('B5 clock', () => {
  test('stamps only grow, through any wall clock and any stamp seen, until the ceiling, where they stay', () => {
    fc.assert(
      fc.property(clock, fc.array(event, { maxLength: 60 }), (start, events) => {
        let now = start;
        let last = '';
        for (const step of events) {
          if (step.kind === 'observe') {
            const seen = observe(now, step.stamp);
            expect(stampOf(seen) >= stampOf(now) && stampOf(seen) >= step.stamp).toBe(true);
            now = seen;
            continue;
          }
          const before = stampOf(now);
          const ticked = tick(now, step.wallMs);
          expect(checkStamp(ticked.stamp)).toBeUndefined();
          expect(ticked.saturated ? ticked.stamp >= before : ticked.stamp > before).toBe(true);
          expect(ticked.stamp >= last).toBe(true);
          expect(ticked.driftMs).toBeGreaterThanOrEqual(0);
          [now, last] = [ticked.clock, ticked.stamp];
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('an overflowing counter carries into the milliseconds', () => {
    const { clock: next, stamp } = tick({ ms: 7, counter: 0xffff }, 7);
    expect(next).toEqual({ ms: 8, counter: 0 });
    expect(stamp).toBe('0000000000080000');
  });

  test('at the ceiling the clock says so and still gives a stamp that others accept', () => {
    const full = { ms: stampMsMax, counter: 0xffff };
    expect(tick(full, 0)).toMatchObject({ clock: full, saturated: true });
    expect(checkStamp(tick(full, Number.MAX_SAFE_INTEGER).stamp)).toBeUndefined();
  });

  test('a wall clock set back for years changes nothing but the drift told', () => {
    const ahead = tick(clockZero, 1_000_000).clock;
    expect(tick(ahead, 1000)).toMatchObject({ clock: { ms: 1_000_000, counter: 1 }, driftMs: 999_000 });
  });

  test('text order is the order of time, and a stamp comes back from its text', () => {
    fc.assert(
      fc.property(clock, clock, (a, b) => {
        expect(clockOf(stampOf(a))).toEqual(a);
        expect(stampMs(stampOf(a))).toBe(a.ms);
        expect(stampOf(a) < stampOf(b)).toBe(a.ms < b.ms || (a.ms === b.ms && a.counter < b.counter));
      }),
    );
  });

  test('C10 a stamp above the ceiling, or none at all, is malformed whoever says it', () => {
    fc.assert(fc.property(fc.anything(), (given) => void checkStamp(given)));
    expect(checkStamp(stampOf({ ms: stampMsMax, counter: 0xffff }))).toBeUndefined();
    expect(checkStamp(stampOf({ ms: stampMsMax + 1, counter: 0 }))).toBe('stamp_above_ceiling');
    for (const text of ['', '0', 'FFFFFFFFFFFFFFFF', ' 00000000000000f', '000000000000000g', 12, null])
      expect(checkStamp(text)).toBe('stamp_malformed');
  });
});

describe('mesh offset', () => {
  test('one wrong peer of many moves nobody, and of two appliances none is believed', () => {
    expect(meshOffsetMs([])).toBe(0);
    expect(meshOffsetMs([1e12])).toBe(0);
    expect(meshOffsetMs([1e12, 3])).toBe(3);
    expect(meshOffsetMs([500_000, 500_001])).toBe(500_000);
  });

  test('never lies outside what was measured', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (offsets) => {
        const all = [0, ...offsets];
        expect(meshOffsetMs(offsets)).toBeGreaterThanOrEqual(Math.min(...all));
        expect(meshOffsetMs(offsets)).toBeLessThanOrEqual(Math.max(...all));
      }),
    );
  });
});
