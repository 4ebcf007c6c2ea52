// How long to wait before the next attempt: formulas only, the timers are elsewhere.

/** The slowest pace; an appliance that was off for a day is met again within this. */
export const retryDelayMsMax = 60_000;
const retryDelayMsFirst = 1_000;

/**
 * Delay after `failures` (1, 2, 3 …) in a row, in milliseconds: 1, 2, 4 … 60 s, each spread over ±20 % by `fraction` in
 * [0, 1), so that a shop's tills do not all knock at the same moment.
 */
export function retryDelayMs(failures: number, fraction: number): number {
  const base = Math.min(retryDelayMsFirst * 2 ** Math.min(Math.max(failures, 1) - 1, 10), retryDelayMsMax);
  return Math.min(spread(base, fraction), retryDelayMsMax);
}

/** The same, at the slowest pace from `attemptsMax` failures on. */
export const reconnectDelayMs = (failures: number, attemptsMax: number, fraction: number): number =>
  failures >= attemptsMax
    ? Math.min(spread(retryDelayMsMax, fraction), retryDelayMsMax)
    : retryDelayMs(failures, fraction);

/** `delayMs`, ±20 %. */
export const spread = (delayMs: number, fraction: number): number => Math.round(delayMs * (0.8 + 0.4 * fraction));

/** `Retry-After`, which is seconds or a date, in milliseconds from now; undefined when it says nothing. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), retryAfterMsMax) : undefined;
}

/** An appliance counts its callers in windows of 15 minutes at most. */
const retryAfterMsMax = 15 * 60_000;
