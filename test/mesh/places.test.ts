// Addresses that a person gave, at which now one appliance answers, now another: a lease that moved on, a name that leads
// elsewhere.

import { expect, test } from 'vitest';
import { until } from '../waiting.ts';
import { isLinked, linked, openAppliance, peerOf, statusOf, type TestAppliance } from './appliances.ts';
import { openCable } from './proxy.ts';
import { messagesIn } from './wire.ts';

const haste = 30;

/** The delays between attempts would have passed more than once. */
async function aWhile(one: TestAppliance): Promise<void> {
  const pingCount = () => messagesIn(one.wire.sent).filter(({ type }) => type === 'ping').length;
  const before = pingCount();
  await until('four pings', () => pingCount() >= before + 4);
}

/** Bar was given an address that led to Cellar, until the cable was cut; then Cellar has dialed Bar. */
async function openMoved() {
  const [bar, cellar] = [await openAppliance('Bar', { haste }), await openAppliance('Cellar', { haste })];
  const cable = await openCable(cellar.address);
  bar.appliance.mesh.addPeer(cable.address);
  await linked(bar, cellar);
  cable.cut();
  await until('apart', () => !isLinked(bar, cellar) && !isLinked(cellar, bar));
  cellar.appliance.mesh.addPeer(bar.address);
  await linked(bar, cellar);
  return { bar, cellar, cable };
}

test('where we were ourselves, another one is found when it is there', async () => {
  const [bar, cellar] = [await openAppliance('Bar', { haste }), await openAppliance('Cellar', { haste })];
  const cable = await openCable(bar.address);
  bar.appliance.mesh.addPeer(cable.address);
  await until('it has met itself', () => bar.wire.openedCount() > 0 && bar.wire.openCount() === 0);
  expect(statusOf(bar).peers).toEqual([]);
  cable.lead(cellar.address);
  await linked(bar, cellar);
});

test('another one at the address of a peer is found while that is linked from elsewhere, and each is said to be where it is', async () => {
  const { bar, cellar, cable } = await openMoved();
  const attic = await openAppliance('Attic', { haste });
  cable.lead(attic.address);
  cable.heal();
  await linked(bar, attic);
  await linked(bar, cellar);
  expect(peerOf(bar, attic)?.address).toBe(cable.address);
  expect(peerOf(bar, cellar)?.address).toBe(cellar.address);
});

test('B9 an address that is seen to lead to the peer that is linked rests until that link ends', async () => {
  const { bar, cellar, cable } = await openMoved();
  const before = bar.wire.openedCount();
  cable.heal();
  await until('it is seen who is there', () => bar.wire.openedCount() === before + 1);
  await aWhile(bar);
  expect(bar.wire.openedCount()).toBe(before + 1);
  expect([isLinked(bar, cellar), cable.openCount()]).toEqual([true, 0]);
  await cellar.stop();
  cable.lead((await openAppliance('Attic', { haste })).address);
  await until('linked to Attic', () =>
    statusOf(bar).peers.some(({ name, state }) => name === 'Attic' && state === 'connected'),
  );
});

test('B9 an address from which the peer has dialed us is not dialed', async () => {
  const cellar = await openAppliance('Cellar', { haste });
  const reaches = new Set<string>();
  const bar = await openAppliance('Bar', { haste, reaches, peers: [cellar.address] });
  cellar.appliance.mesh.addPeer(bar.address);
  await linked(bar, cellar);
  reaches.add(cellar.address);
  await aWhile(bar);
  expect(bar.wire.openedCount()).toBe(1);
});

test('B9 of two addresses that lead to one peer neither takes the link from the other for long', async () => {
  const [bar, cellar] = [await openAppliance('Bar', { haste }), await openAppliance('Cellar', { haste })];
  const cables = [await openCable(cellar.address), await openCable(cellar.address)];
  for (const { address } of cables) bar.appliance.mesh.addPeer(address);
  await linked(bar, cellar);
  for (const cable of cables) cable.cut();
  await until('apart', () => !isLinked(bar, cellar) && !isLinked(cellar, bar));
  for (const cable of cables) cable.heal();
  await linked(bar, cellar);
  await aWhile(bar);
  const before = bar.wire.openedCount();
  await aWhile(bar);
  expect([bar.wire.openedCount(), bar.wire.openCount()]).toEqual([before, 1]);
});
