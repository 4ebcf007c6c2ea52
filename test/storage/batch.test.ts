// Commands that are committed together stand alone all the same: what one does wrong is its own affair, what one writes
// the next one sees.

import { describe, expect, test } from 'vitest';
import { createMovement, type MovementBody } from '../../src/commands/create-movement.ts';
import type { Command } from '../../src/core/command.ts';
import { commandQueueMax } from '../../src/core/limits.ts';
import { openBooks } from './opened.ts';

const breaks: Command<never> = () => {
  throw new Error('a command with a defect');
};

const refuses: Command<never> = () => ({ ok: false, code: 'no', detail: 'Not this one.' });

/** Decides well, and breaks after its op was merged. */
const breaksLate: Command<never> = () => ({
  ok: true,
  drafts: [
    {
      entity: 'movement',
      id: 'late',
      payload: { body: { id: 'late' }, productId: 'tea', kind: 'receipt', quantity: 1000, receivedAt: 0 },
    },
  ],
  result: () => {
    throw new Error('a command with a defect');
  },
});

describe('gathered into one commit', () => {
  test('B7 a command that breaks, one that breaks late and one that refuses leave their neighbours as they are', async () => {
    const books = openBooks();
    const outcomes = await Promise.all([
      books.sell('t-1'),
      books.run(breaks),
      books.sell('t-2'),
      books.run(breaksLate),
      books.run(refuses),
      books.sell('t-3'),
    ]);
    expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.code))).toEqual([
      'ok',
      'internal',
      'ok',
      'internal',
      'no',
      'ok',
    ]);
    expect(books.storage.books.counts()).toMatchObject({ tickets: 3, movements: 3 });
    expect(books.storage.books.stock('coffee')?.onHand).toBe(-3000);
    expect(books.storage.books.stock('tea')).toBeUndefined();
    expect(books.reopen().storage.books.counts()).toMatchObject({ tickets: 3, movements: 3 });
  });

  test('B2 the same ticket many times in one commit counts once, and all are told so', async () => {
    const books = openBooks();
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => books.sell('same')));
    expect(outcomes.map((outcome) => outcome.ok && (outcome.result as { outcome: string }).outcome)).toEqual([
      'created',
      ...Array.from({ length: 19 }, () => 'known'),
    ]);
    expect(books.storage.books.counts()).toMatchObject({ tickets: 1, movements: 1 });
    expect(books.storage.books.heads()).toEqual({ [`${books.replicaId}.1`]: 1 });
  });

  test('B2 another ticket under the same id, in the same commit, is refused with both digests', async () => {
    const books = openBooks();
    const [first, second] = await Promise.all([books.sell('same'), books.sell('same', { total: 9 })]);
    expect(first.ok).toBe(true);
    expect(second).toMatchObject({
      ok: false,
      code: 'ticket_differs',
      facts: {
        storedDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
        sentDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    });
    expect(books.storage.books.counts().tickets).toBe(1);
  });

  test('B4 each count sees what was sold before it in the same commit', async () => {
    const books = openBooks();
    const count = (id: string, counted: number) =>
      books.run(
        createMovement({ id, by: 'admin', body: { productId: 'coffee', kind: 'count', counted } as MovementBody }),
      );
    await Promise.all([count('c-1', 12), books.sell('t-1'), count('c-2', 10), books.sell('t-2')]);
    expect(books.storage.books.stock('coffee')?.onHand).toBe(9000);
    expect(books.storage.books.movement('c-2')?.quantity).toBe(-1000);
  });

  test('B5 edits of one record in one commit follow one another, without conflicts', async () => {
    const books = openBooks();
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => books.put('tea', { name: `Tea ${index}`, price: index })),
    );
    expect(books.storage.books.record('product', 'tea')?.fields).toMatchObject({ '/name': 'Tea 49', '/price': 49 });
    expect(books.storage.handle().statements.conflictsOfRecord.all('product', 'tea')).toEqual([]);
  });

  test('B8 more than can wait are told to come back, and those that wait are written', async () => {
    const books = openBooks();
    const outcomes = await Promise.all(Array.from({ length: commandQueueMax + 10 }, () => books.run(refuses)));
    expect(outcomes.filter((outcome) => !outcome.ok && outcome.code === 'busy')).toHaveLength(10);
    expect(await books.sell('after')).toMatchObject({ ok: true });
  });

  test('B8 hundreds of large tickets at once are sealed in commits of a bounded size', async () => {
    const books = openBooks();
    const note = 'x'.repeat(20_000);
    await Promise.all(Array.from({ length: 200 }, (_, index) => books.sell(`t-${index}`, { note })));
    const commits = books.storage.readCommits(`${books.replicaId}.1`, 0, Number.MAX_SAFE_INTEGER);
    expect(commits.length).toBeGreaterThan(10);
    for (const { bytes } of commits) expect(bytes.length).toBeLessThan(300 * 1024);
    expect(commits.at(-1)?.last).toBe(200);
  });
});
