// Hybrid logical clock (Kulkarni, Demirbas et al., "Logical Physical Clocks", 2014): stamps that follow wall time where
// it can be trusted and causality where it cannot. Pure: the wall time comes in, the next clock and its stamp go out.
// A stamp never goes back, whatever the wall clock does.

import { stampMsMax } from './limits.ts';

/** 16 lower-case hex digits: 48 bits of Unix milliseconds, 16 bits of counter. Sorts as text in the order of time. */
export type Stamp = string;

export type HybridClock = { readonly ms: number; readonly counter: number };

export const clockZero: HybridClock = { ms: 0, counter: 0 };

const counterMax = 0xffff;

export type Ticked = {
  clock: HybridClock;
  stamp: Stamp;
  /** How far the stamp runs ahead of the wall clock given, in milliseconds (0 when it does not). */
  driftMs: number;
  /** The ceiling is reached: stamps no longer grow, order among one origin's ops is by number alone. */
  saturated: boolean;
};

/** The stamp of the next local event. `wallMs` outside 0…ceiling is clamped: a sale is never refused for a clock. */
export function tick(clock: HybridClock, wallMs: number): Ticked {
  const wall = clampMs(wallMs);
  const next = wall > clock.ms ? { ms: wall, counter: 0 } : increment(clock);
  const saturated = next.ms === stampMsMax && next.counter === counterMax;
  return { clock: next, stamp: stampOf(next), driftMs: Math.max(0, next.ms - wall), saturated };
}

/** The clock after seeing another's stamp: what is written from here on is later than it. */
export function observe(clock: HybridClock, stamp: Stamp): HybridClock {
  const seen = clockOf(stamp);
  return isLater(seen, clock) ? seen : clock;
}

export const stampOf = (clock: HybridClock): Stamp =>
  clock.ms.toString(16).padStart(12, '0') + clock.counter.toString(16).padStart(4, '0');

export const clockOf = (stamp: Stamp): HybridClock => ({
  ms: Number.parseInt(stamp.slice(0, 12), 16),
  counter: Number.parseInt(stamp.slice(12), 16),
});

/** Wall time in a stamp, Unix milliseconds. */
export const stampMs = (stamp: Stamp): number => Number.parseInt(stamp.slice(0, 12), 16);

export type StampFailure = 'stamp_malformed' | 'stamp_above_ceiling';

/** Whether a stamp from outside may enter the journal. The ceiling is the same for all and nobody's clock. */
export function checkStamp(stamp: unknown): StampFailure | undefined {
  if (typeof stamp !== 'string' || !/^[0-9a-f]{16}$/.test(stamp)) return 'stamp_malformed';
  return stampMs(stamp) > stampMsMax ? 'stamp_above_ceiling' : undefined;
}

/**
 * What the mesh thinks our wall clock is off by: the median of the offsets to trusted peers and our own 0, the value
 * nearer to 0 where two stand in the middle. So one wrong peer moves nobody, and of two appliances none is believed.
 */
export function meshOffsetMs(peerOffsetsMs: readonly number[]): number {
  const offsets = [0, ...peerOffsetsMs].sort((a, b) => a - b);
  const middle = offsets.length / 2;
  if (offsets.length % 2 === 1) return offsets[Math.floor(middle)] ?? 0;
  const [low, high] = [offsets[middle - 1] ?? 0, offsets[middle] ?? 0];
  return Math.abs(low) <= Math.abs(high) ? low : high;
}

function increment(clock: HybridClock): HybridClock {
  if (clock.counter < counterMax) return { ms: clock.ms, counter: clock.counter + 1 };
  return clock.ms < stampMsMax ? { ms: clock.ms + 1, counter: 0 } : clock;
}

const isLater = (a: HybridClock, b: HybridClock): boolean => (a.ms !== b.ms ? a.ms > b.ms : a.counter > b.counter);

const clampMs = (ms: number): number => (Number.isFinite(ms) ? Math.min(Math.max(Math.trunc(ms), 0), stampMsMax) : 0);
