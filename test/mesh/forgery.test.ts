// A member of the shop that was taken over: what it sends in others' names, altered, out of order or beyond all bounds
// is not believed, is shown, and stops nobody else.

import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import type { Commit } from '../../src/core/op.ts';
import { hashesOf } from '../../src/core/op.ts';
import { createSystemCrypto } from '../../src/edges/system.ts';
import { encodeCommit } from '../../src/protocol/commit-codec.ts';
import { encodeCommitsFrame } from '../../src/protocol/frames.ts';
import { makeSomeone } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { alarmsOf, hasTicket, isLinked, type TestAppliance } from './appliances.ts';
import { createAuthor, frameOf, productOp, ticketOp } from './author.ts';
import { expectUnharmed, openPairOfAppliances } from './pair.ts';
import { enter, type Stranger } from './stranger.ts';

const { sha256 } = createSystemCrypto();

/** Waits for the alarm, and looks at everything that must not have happened. */
async function expectKeptAside(
  { bar, cellar }: { bar: TestAppliance; cellar: TestAppliance },
  code: string,
  ...words: string[]
): Promise<void> {
  await until(`the alarm ${code}`, () => alarmsOf(bar, code).length > 0);
  for (const word of words) expect(alarmsOf(bar, code)[0]?.detail).toContain(word);
  expect(bar.log.some(({ level, facts }) => level === 'error' && facts.refusal === code)).toBe(true);
  expect(evidenceAt(bar)).toEqual([code]);
  await expectUnharmed(bar, cellar);
  expect(alarmsOf(cellar)).toEqual([]);
}

function evidenceAt({ databasePath }: TestAppliance): string[] {
  const database = new Database(databasePath, { readonly: true });
  const rows = database.prepare('SELECT reason FROM evidence').pluck().all() as string[];
  database.close();
  return rows;
}

const acknowledges = (stranger: Stranger, origin: string, number: number): Promise<void> =>
  until(`${origin} acknowledged to ${number}`, () =>
    stranger.messages.some((message) => message.type === 'ack' && message.heads[origin] === number),
  );

describe('ops that are not what their author wrote', () => {
  test('in another’s name, under the stranger’s own key, are kept aside', async () => {
    const shop = await openPairOfAppliances();
    const stranger = await enter(shop.bar);
    const victim = await makeSomeone();
    const author = createAuthor(victim);
    const forged = createAuthor(stranger.who).write([ticketOp('forged')]);
    stranger.send(encodeCommitsFrame(author.origin, stranger.who.publicKey, [encodeCommit(forged)]));
    await expectKeptAside(shop, 'key_mismatch', victim.replicaId, 'stranger');
    expect(hasTicket(shop.bar, 'forged')).toBe(false);
  });

  test('in another’s name, under its key, without its signature, are kept aside', async () => {
    const shop = await openPairOfAppliances();
    const stranger = await enter(shop.bar);
    const forged = createAuthor(stranger.who).write([ticketOp('forged')]);
    const { origin, who } = { origin: `${shop.cellar.id}.7`, who: shop.cellar.who };
    stranger.send(frameOf({ origin, who }, forged));
    await expectKeptAside(shop, 'seal_broken', 'Cellar', 'stranger', 'broken seal');
    expect(hasTicket(shop.bar, 'forged')).toBe(false);
  });

  test.each<[string, string, (commit: Commit) => Commit]>([
    [
      'with a broken seal',
      'seal_broken',
      ({ seal, ...rest }) => ({ ...rest, seal: { ...seal, signature: new Uint8Array(64) } }),
    ],
    ['altered on the way', 'chain_broken', (commit) => ({ ...commit, ops: commit.ops.map(dearer) })],
    ['in another order', 'chain_broken', (commit) => ({ ...commit, ops: commit.ops.toReversed() })],
    ['with a sale called pruned', 'facts_withheld', (commit) => ({ ...commit, ops: commit.ops.map(pruned) })],
    ['with all sales called superseded', 'facts_withheld', (commit) => ({ ...commit, ops: [] })],
  ])('%s are kept aside, and the same from a better hand is taken', async (_what, code, tamper) => {
    const shop = await openPairOfAppliances();
    const author = createAuthor(await makeSomeone());
    const commit = author.write([ticketOp('honest-1'), ticketOp('honest-2')]);
    const heads = { [author.origin]: 2 };
    const stranger = await enter(shop.bar, { heads });
    stranger.send(frameOf(author, tamper(commit)));
    await expectKeptAside(shop, code, author.who.replicaId, 'stranger');
    expect(hasTicket(shop.bar, 'honest-1')).toBe(false);

    const better = await enter(shop.bar, { heads });
    await until('asked of the other', () => wants(better).includes(author.who.replicaId));
    better.send(frameOf(author, commit));
    await acknowledges(better, author.origin, 2);
    expect(hasTicket(shop.bar, 'honest-2')).toBe(true);
    await expectUnharmed(shop.bar, shop.cellar);
  });

  test('of another shop, sealed for it, are kept aside', async () => {
    const shop = await openPairOfAppliances();
    const stranger = await enter(shop.bar);
    const author = createAuthor(stranger.who, { shop: 'zzzzzzzzzzzzzzzzzzzzzzzzzz' });
    stranger.send(frameOf(author, author.write([ticketOp('elsewhere')])));
    await expectKeptAside(shop, 'seal_broken', 'stranger');
  });

  test('C8 of two histories under one number: the first stands, the other is evidence, the alarm says so', async () => {
    const shop = await openPairOfAppliances();
    const stranger = await enter(shop.bar);
    const [one, other] = [createAuthor(stranger.who), createAuthor(stranger.who)];
    stranger.send(frameOf(one, one.write([ticketOp('first')])));
    await acknowledges(stranger, one.origin, 1);
    stranger.send(frameOf(other, other.write([ticketOp('second')])));
    await expectKeptAside(shop, 'fork', 'stranger', 'copied or restored');
    expect(hasTicket(shop.bar, 'first')).toBe(true);
    expect(hasTicket(shop.bar, 'second')).toBe(false);
  });

  test('that cannot be read are kept aside: above the ceiling of stamps, no header, an id too long (C10)', async () => {
    for (const header of [
      JSON.stringify({ stamp: 'ffffffffffff0000', entity: 'ticket', id: 'late' }),
      JSON.stringify({ stamp: '0', entity: 'ticket', id: 'odd' }),
      JSON.stringify({ stamp: '019f000000000000', entity: 'ticket', id: 'x'.repeat(65) }),
      '[]',
      '',
    ]) {
      const shop = await openPairOfAppliances();
      const stranger = await enter(shop.bar);
      const author = createAuthor(stranger.who);
      stranger.send(frameOf(author, author.write([{ ...ticketOp('odd'), header }])));
      await expectKeptAside(shop, 'op_malformed', 'stranger', 'unreadable');
    }
  });

  test('B8 again and again cost one row of evidence and one line of the log', async () => {
    const shop = await openPairOfAppliances();
    const stranger = await enter(shop.bar);
    const victim = createAuthor(await makeSomeone());
    const forged = createAuthor(stranger.who).write([ticketOp('forged')]);
    for (let count = 0; count < 100; count++) stranger.send(frameOf(victim, forged));
    await expectKeptAside(shop, 'seal_broken');
    expect(shop.bar.log.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  test('B8 in ever new names: the link ends, alarms that were there before stay', async () => {
    const shop = await openPairOfAppliances();
    const stranger = await enter(shop.bar);
    const forged = createAuthor(stranger.who).write([ticketOp('forged')]);
    for (let count = 0; count < 200; count++) {
      const name = count
        .toString(32)
        .padStart(26, 'a')
        .replaceAll(/[0189]/g, 'q');
      stranger.send(frameOf({ origin: `${name}.1`, who: stranger.who }, forged));
    }
    await stranger.closes();
    expect(evidenceAt(shop.bar).length).toBeLessThan(100);
    await expectUnharmed(shop.bar, shop.cellar);
  });
});

describe('order', () => {
  test('B2 frames that come again change nothing', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await enter(bar);
    const author = createAuthor(stranger.who);
    const frame = frameOf(author, author.write([ticketOp('once')]), author.write([ticketOp('once-2')]));
    for (let count = 0; count < 5; count++) stranger.send(frame);
    await acknowledges(stranger, author.origin, 2);
    await expectUnharmed(bar, cellar);
    expect(bar.appliance.books.heads()[author.origin]).toBe(2);
    expect(isLinked(bar, stranger)).toBe(true);
  });

  test('commits out of order and gaps are asked for again, from where we are', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await enter(bar);
    const author = createAuthor(stranger.who);
    const [first, second, third] = ['one', 'two', 'three'].map((id) => author.write([ticketOp(id)])) as [
      Commit,
      Commit,
      Commit,
    ];
    stranger.send(frameOf(author, third));
    stranger.send(frameOf(author, second));
    await until('asked again', () => stranger.messages.some((message) => message.type === 'want' && message.again));
    expect(hasTicket(bar, 'three')).toBe(false);
    stranger.send(frameOf(author, first, second, third));
    await acknowledges(stranger, author.origin, 3);
    expect(alarmsOf(bar)).toEqual([]);
    await expectUnharmed(bar, cellar);
  });

  test('a commit with a gap inside a frame: what comes before it is kept', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await enter(bar);
    const author = createAuthor(stranger.who);
    const [first, , third] = ['one', 'two', 'three'].map((id) => author.write([ticketOp(id)])) as [
      Commit,
      Commit,
      Commit,
    ];
    stranger.send(frameOf(author, first, third));
    await acknowledges(stranger, author.origin, 1);
    expect(hasTicket(bar, 'one')).toBe(true);
    expect(hasTicket(bar, 'three')).toBe(false);
    await expectUnharmed(bar, cellar);
  });

  test('B5 an edit waits for what its author had seen: told when that comes, kept when it never does', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const [stranger, seen] = [await enter(bar), createAuthor(await makeSomeone())];
    const author = createAuthor(stranger.who);
    const never = { [`${'b'.repeat(26)}.1`]: 5 };
    const edits = [
      productOp('tea', { '/name': 'Green tea' }, { [seen.origin]: 1 }),
      productOp('cup', { '/name': 'Cup' }, never),
    ];
    stranger.send(frameOf(author, author.write(edits)));
    await acknowledges(stranger, author.origin, 2);
    await expectUnharmed(bar, cellar);
    expect(bar.appliance.books.record('product', 'tea')).toBeUndefined();
    stranger.send(frameOf(seen, seen.write([productOp('tea', { '/name': 'Tea', '/price': 250 })])));
    await acknowledges(stranger, seen.origin, 1);
    await expectUnharmed(bar, cellar);
    for (const one of [bar, cellar]) {
      expect(one.appliance.books.record('product', 'tea')?.fields).toEqual({ '/name': 'Green tea', '/price': 250 });
      expect(one.appliance.books.record('product', 'cup')).toBeUndefined();
    }
  });
});

const wants = (stranger: Stranger): string[] =>
  stranger.messages.flatMap((message) => (message.type === 'want' ? [...message.replicas] : []));

type Op = Commit['ops'][number];

const dearer = (op: Op): Op => (op.kind === 'whole' ? { ...op, payload: op.payload.replaceAll('250', '950') } : op);

const pruned = (op: Op, index: number): Op => (index === 0 ? { kind: 'pruned', ...hashesOf(sha256, op) } : op);
