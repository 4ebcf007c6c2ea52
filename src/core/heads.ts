// Heads: the version vector. For each origin, the number up to which everything is held or known to be superseded.

import { epochMax, opNumberMax, originsMax } from './limits.ts';

/** `replicaId.epoch`: who wrote an op. */
export type Origin = string;
export type Heads = { readonly [origin: Origin]: number };

export const originPattern = /^[a-z2-7]{26}\.[1-9][0-9]{0,5}$/;

export const originOf = (replicaId: string, epoch: number): Origin => `${replicaId}.${epoch}`;
export const replicaOf = (origin: Origin): string => origin.slice(0, origin.indexOf('.'));
export const epochOf = (origin: Origin): number => Number(origin.slice(origin.indexOf('.') + 1));

/** An appliance that has lost its database may have written up to any epoch: hours since 2020 are surely above. */
export const epochAfterLoss = (nowMs: number): number =>
  Math.min(Math.max(2, Math.floor((nowMs - Date.UTC(2020, 0, 1)) / 3_600_000)), epochMax - 99_999);

export const numberAt = (heads: Heads, origin: Origin): number => heads[origin] ?? 0;

export const hasSeen = (heads: Heads, origin: Origin, number: number): boolean => numberAt(heads, origin) >= number;

/** Whether everything in `b` is in `a`. */
export function covers(a: Heads, b: Heads): boolean {
  for (const origin in b) if (numberAt(a, origin) < numberAt(b, origin)) return false;
  return true;
}

export const isSameHeads = (a: Heads, b: Heads): boolean => covers(a, b) && covers(b, a);

/** Least upper bound. */
export function joinHeads(a: Heads, b: Heads): Heads {
  const joined: Record<Origin, number> = { ...a };
  for (const origin in b) joined[origin] = Math.max(numberAt(a, origin), numberAt(b, origin));
  return joined;
}

/** One text for equal heads, to be hashed and compared. */
export const headsText = (heads: Heads): string =>
  Object.keys(heads)
    .filter((origin) => numberAt(heads, origin) > 0)
    .sort()
    .map((origin) => `${origin}:${heads[origin]}`)
    .join(',');

/** How many numbers `theirs` has that `ours` lacks. */
export function missingCount(ours: Heads, theirs: Heads): number {
  let count = 0;
  for (const origin in theirs) count += Math.max(0, numberAt(theirs, origin) - numberAt(ours, origin));
  return count;
}

/** The part of heads that one replica wrote, under all its epochs. */
export const ofReplica = (heads: Heads, replica: string): Heads =>
  Object.fromEntries(Object.entries(heads).filter(([origin]) => replicaOf(origin) === replica));

/** Heads from outside, or undefined when they are not: wrong names, numbers below 1 or not exact, too many origins. */
export function parseHeads(value: unknown): Heads | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  if (entries.length > originsMax) return undefined;
  const heads: Record<Origin, number> = {};
  for (const [origin, number] of entries) {
    if (!originPattern.test(origin)) return undefined;
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 1 || number > opNumberMax) return undefined;
    heads[origin] = number;
  }
  return heads;
}
