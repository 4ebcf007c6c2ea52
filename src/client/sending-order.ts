// Which ticket is sent next, pure: the oldest, always, but for one that the appliance makes a mistake about again and again.
// Whether the ticket or the appliance is to blame, another ticket tells: if that one gets through, it was the ticket.

import type { Entry } from './outbox-medium.ts';

/** Mistakes in a row after which others go first. */
export const faultsMax = 3;

/** Of a ticket that was answered with a mistake: how often in a row, and whether another got through since the first. */
export type Faults = { readonly count: number; readonly othersPassed: boolean };
export type FaultsByKey = ReadonlyMap<Entry['key'], Faults>;

export function nextToSend(waiting: readonly Entry[], faults: FaultsByKey): Entry | undefined {
  const countOf = ({ key }: Entry): number => faults.get(key)?.count ?? 0;
  // Since others got through, one more answer decides about it.
  const first = waiting.find((entry) => countOf(entry) < faultsMax || faults.get(entry.key)?.othersPassed);
  if (first !== undefined) return first;
  // All of them failed: the appliance is ill, and each is tried in turn until one gets through.
  return waiting.reduce<Entry | undefined>(
    (least, entry) => (least === undefined || countOf(entry) < countOf(least) ? entry : least),
    undefined,
  );
}

export const isSetAside = (faults: Faults | undefined): boolean =>
  faults !== undefined && faults.count >= faultsMax && faults.othersPassed;

export const withFault = (faults: Faults | undefined): Faults => ({
  count: (faults?.count ?? 0) + 1,
  othersPassed: faults?.othersPassed ?? false,
});
