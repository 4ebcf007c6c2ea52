// Two appliances of a shop, linked, and how to see that nothing else was harmed by what a test did to one of them.

import { expect } from 'vitest';
import { until } from '../waiting.ts';
import { type ApplianceOptions, equal, hasTicket, linked, openAppliance, type TestAppliance } from './appliances.ts';

/** Bar and Cellar, linked: Cellar dials Bar. */
export async function openPairOfAppliances(
  options: ApplianceOptions = {},
): Promise<{ bar: TestAppliance; cellar: TestAppliance }> {
  const bar = await openAppliance('Bar', options);
  const cellar = await openAppliance('Cellar', { ...options, peers: [bar.address] });
  await linked(bar, cellar);
  return { bar, cellar };
}

let saleCount = 0;

/** Sales are taken in at both, reach the other, and the books are equal. */
export async function expectUnharmed(one: TestAppliance, other: TestAppliance): Promise<void> {
  saleCount += 1;
  const [id, otherId] = [`unharmed-${saleCount}-a`, `unharmed-${saleCount}-b`];
  await Promise.all([one.sell(id), other.sell(otherId)]);
  await until('both sales at both', () => hasTicket(one, otherId) && hasTicket(other, id));
  await equal(one, other);
  expect(one.appliance.readiness()).toEqual({ ready: true });
}
