// Copies of one disk, and what becomes of what both wrote: real appliances, a real copy of the folder put back. Nothing
// that was acknowledged may be missing anywhere when the books are equal again.

import { cpSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Commit } from '../../src/core/op.ts';
import { hashesOf } from '../../src/core/op.ts';
import { createSystemCrypto } from '../../src/edges/system.ts';
import { encodeCommit } from '../../src/protocol/commit-codec.ts';
import { makeSomeone } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { alarmsOf, equal, linked, newFolder, openAppliance, statusOf, type TestAppliance } from './appliances.ts';
import { createAuthor, ticketOp } from './author.ts';
import { enter } from './stranger.ts';

const has = (one: TestAppliance, ticketId: string): boolean => one.appliance.books.ticket(ticketId) !== undefined;

const heldBy = (one: TestAppliance, tickets: readonly string[]) => tickets.filter((ticket) => has(one, ticket));

/** An appliance whose folder is copied when stopped after `before`; it goes on with a peer, and dies after `meanwhile`. */
async function restoredCopy(
  before: (one: TestAppliance) => Promise<void>,
  meanwhile: (one: TestAppliance) => Promise<void>,
  alone: (copy: TestAppliance) => Promise<void>,
): Promise<{ copy: TestAppliance; peer: TestAppliance }> {
  const [folder, backup] = [newFolder(), newFolder()];
  const first = await openAppliance('Bar', { folder });
  await before(first);
  await first.stop();
  cpSync(folder, backup, { recursive: true });
  const { who } = first;
  const bar = await openAppliance('Bar', { folder, who, isFirstStart: false });
  const peer = await openAppliance('Cellar', { peers: [bar.address] });
  await linked(bar, peer);
  await meanwhile(bar);
  await equal(bar, peer);
  await bar.stop();
  const cutOff = await openAppliance('Bar', { folder: backup, who, isFirstStart: false });
  await alone(cutOff);
  await cutOff.stop();
  const copy = await openAppliance('Bar', { folder: backup, who, isFirstStart: false, peers: [peer.address] });
  await linked(copy, peer);
  await equal(copy, peer);
  return { copy, peer };
}

const sellAll = (prefix: string, count: number) => async (one: TestAppliance) => {
  for (let index = 0; index < count; index++) await one.sell(`${prefix}-${index}`);
};

const ticketsOf = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

describe('an old copy of a disk is put back', () => {
  test('B1 what it had lost comes back from its peer; it goes on under a new epoch', async () => {
    const { copy, peer } = await restoredCopy(sellAll('old', 5), sellAll('new', 10), async () => {});
    await copy.sell('after');
    await equal(copy, peer);
    // Beside the sales each has said that it trusts the other; the copy twice, for it had forgotten.
    const own = { [`${copy.id}.1`]: 16, [`${copy.id}.2`]: 2 };
    expect(copy.appliance.books.heads()).toEqual({ ...own, [`${peer.id}.1`]: 1 });
    expect(statusOf(copy).alarms.map(({ code }) => code)).toContain('restored_copy');
  });

  test.each([1, 3, 8])('B1 B2 %i sales that it made alone count once beside those made meanwhile', async (count) => {
    const { copy, peer } = await restoredCopy(sellAll('old', 5), sellAll('new', 10), sellAll('alone', count));
    const all = [...ticketsOf('old', 5), ...ticketsOf('new', 10), ...ticketsOf('alone', count)];
    for (const one of [copy, peer]) {
      expect(heldBy(one, all)).toEqual(all);
      expect(one.appliance.books.counts().tickets).toBe(all.length);
      expect(one.appliance.books.stock('coffee')?.onHand).toBe(-1000 * all.length);
    }
  });

  test('B1 a gap of superseded ops hides no fork', async () => {
    const { copy, peer } = await restoredCopy(
      sellAll('old', 5),
      async (bar) => {
        await bar.sell('there');
        for (let price = 1; price <= 3; price++) await bar.put('quince', { name: 'Quince', price });
      },
      async (alone) => {
        await alone.sell('here');
        await alone.put('other', { name: 'Other' });
      },
    );
    for (const one of [copy, peer]) {
      expect(heldBy(one, ['there', 'here'])).toEqual(['there', 'here']);
      expect(one.appliance.books.record('product', 'other')?.fields).toMatchObject({ '/name': 'Other' });
      expect(one.appliance.books.record('product', 'quince')?.fields).toMatchObject({ '/price': 3 });
    }
  });

  test('B1 B6 the seals around the common past are pruned on both branches, and no sale goes with them', async () => {
    const edits = (names: readonly string[]) => async (one: TestAppliance) => {
      for (const name of names) await one.put('quince', { name });
    };
    const { copy, peer } = await restoredCopy(
      async (bar) => {
        await sellAll('old', 3)(bar);
        await edits(['a', 'b'])(bar);
      },
      async (bar) => {
        await edits(['c', 'd'])(bar);
        await sellAll('there', 2)(bar);
      },
      async (alone) => {
        await edits(['x', 'y'])(alone);
        await alone.sell('here');
      },
    );
    const all = [...ticketsOf('old', 3), ...ticketsOf('there', 2), 'here'];
    for (const one of [copy, peer]) expect(heldBy(one, all)).toEqual(all);
  });
});

describe('a branch that a peer found elsewhere', () => {
  /** Bar has sold one thing; a peer passes it what an earlier life of it sold, as `change` leaves it. */
  async function passedOn(change: (commit: Commit) => Commit) {
    const who = await makeSomeone();
    const earlier = createAuthor(who);
    const commits = [earlier.write([ticketOp('a'), ticketOp('b')]), change(earlier.write([ticketOp('c')]))];
    const bar = await openAppliance('Bar', { who });
    await bar.sell('own');
    const stranger = await enter(bar);
    stranger.send({
      type: 'strays',
      origin: earlier.origin,
      common: 0,
      hash: '0'.repeat(64),
      publicKey: Buffer.from(who.publicKey).toString('base64'),
      commits: commits.map((commit) => Buffer.from(encodeCommit(commit)).toString('base64')),
      hops: 3,
    });
    return bar;
  }

  test('B1 B2 is written again by its author beside what stood under the same numbers, once', async () => {
    const bar = await passedOn((commit) => commit);
    await until('all is there', () => heldBy(bar, ['a', 'b', 'c', 'own']).length === 4);
    expect(bar.appliance.books.counts().tickets).toBe(4);
    expect(bar.appliance.books.heads()[`${bar.id}.1`]).toBeUndefined();
    expect(statusOf(bar).alarms.map(({ code }) => code)).toContain('fork');
  });

  test('B1 is left to its holder when a sale was taken out of it on the way', async () => {
    const { sha256 } = createSystemCrypto();
    const bar = await passedOn((commit) => ({
      ...commit,
      ops: commit.ops.map((op) => ({ kind: 'pruned', ...hashesOf(sha256, op) })),
    }));
    await until('it is refused', () => bar.log.some(({ facts }) => facts.refusal === 'facts_withheld'));
    expect(heldBy(bar, ['a', 'b', 'c', 'own'])).toEqual(['own']);
    // Its own sale, and its word that it trusts the stranger.
    expect(bar.appliance.books.heads()).toEqual({ [`${bar.id}.1`]: 2 });
  });
});

test('B2 books lost under a clock that is years behind: what peers hold of us is believed, and no number used again', async () => {
  const who = await makeSomeone();
  const bar = await openAppliance('Bar');
  const first = await openAppliance('Cellar', { who, isFirstStart: false, peers: [bar.address] });
  await first.sell('t1');
  await equal(bar, first);
  const { epoch } = first.appliance.soFar();
  await first.stop();
  const atBoot = { who, isFirstStart: false, folder: newFolder(), clock: { now: () => 0 }, epoch };
  const lost = await openAppliance('Cellar', { ...atBoot, peers: [bar.address] });
  await lost.sell('t2');
  await equal(bar, lost);
  expect(lost.appliance.soFar().epoch).toBeGreaterThan(epoch);
  expect(alarmsOf(lost, 'own_entries_claimed')).toEqual([]);
  expect(lost.appliance.books.counts().tickets).toBe(2);
});
