// Which ticket is sent next, pure: the oldest, until one is suspected; then the one that failed least. Whether the ticket or
// the appliance is to blame, another ticket tells: if that one gets through, it was the ticket.

import type { Entry } from './outbox-medium.ts';

/** Failures in a row after which others go first. */
export const faultsMax = 3;

/** Of a ticket that got no verdict: how often in a row, and whether another got through since the first. */
export type Faults = { readonly count: number; readonly othersPassed: boolean };
export type FaultsByKey = ReadonlyMap<Entry['key'], Faults>;

export const faultCountOf = ({ key }: Entry, faults: FaultsByKey): number => faults.get(key)?.count ?? 0;

/** However many bad ones stand before a good one, each has one try at most before it once the first of them is suspected. */
export function nextToSend(waiting: readonly Entry[], faults: FaultsByKey): Entry | undefined {
  if (!waiting.some(({ key }) => isSuspected(faults.get(key)))) return waiting[0];
  return waiting.reduce<Entry | undefined>(
    (least, entry) =>
      least === undefined || faultCountOf(entry, faults) < faultCountOf(least, faults) ? entry : least,
    undefined,
  );
}

const isSuspected = (faults: Faults | undefined): boolean =>
  faults !== undefined && (faults.count >= faultsMax || faults.othersPassed);

export const isSetAside = (faults: Faults | undefined): boolean =>
  faults !== undefined && faults.count >= faultsMax && faults.othersPassed;

export const withFault = (faults: Faults | undefined): Faults => ({
  count: (faults?.count ?? 0) + 1,
  othersPassed: faults?.othersPassed ?? false,
});
