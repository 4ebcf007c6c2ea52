// Somebody in the middle, with certificates of his own, who passes on every frame of both sides: neither takes him for the
// other, and he learns nothing.

import { expect, test } from 'vitest';
import { makeSomeone, openServer, openTransport } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { alarmsOf, hasTicket, openAppliance, statusOf, type TestAppliance } from './appliances.ts';
import { relay } from './relay.ts';

/** A relay in front of `target`; `frames` is all that it saw. */
async function openMiddle(
  target: TestAppliance,
): Promise<{ address: string; id: string; frames: (string | Uint8Array)[] }> {
  const mallory = await makeSomeone();
  const transport = openTransport(mallory);
  const frames: (string | Uint8Array)[] = [];
  const { address } = await openServer(mallory, {
    onConnection: (near) => relay(near, { transport, target: target.address, see: (frame) => frames.push(frame) }),
  });
  return { address, id: mallory.replicaId, frames };
}

test('B10 somebody in the middle, who passes every frame on, is refused by both ends and shown by both', async () => {
  const bar = await openAppliance('Bar');
  await bar.sell('secret');
  const middle = await openMiddle(bar);
  const cellar = await openAppliance('Cellar', { peers: [middle.address] });
  await until(
    'either end has refused',
    () => alarmsOf(bar, 'peer_refused').length + alarmsOf(cellar, 'peer_refused').length > 0,
  );
  await until('the attempt at Cellar is over', () =>
    statusOf(cellar).peers.some(({ lastError }) => lastError !== null),
  );
  for (const one of [bar, cellar]) {
    expect(statusOf(one).connected).toBe(0);
    for (const { facts } of one.log.filter(({ message }) => message === 'a peer was refused'))
      expect(facts).toMatchObject({ reason: 'not_of_this_shop', peer: middle.id });
  }
  for (const frame of middle.frames) expect(JSON.parse(String(frame)).type).toBe('proof');
  expect(hasTicket(cellar, 'secret')).toBe(false);
  await cellar.sell('sold-all-the-same');
});
