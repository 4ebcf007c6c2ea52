// What a ping's digests lead to.

import { expect, test } from 'vitest';
import { compare } from '../../src/core/comparison.ts';
import { createSession, type Effect, type OwnSide, type Session } from '../../src/core/session-state.ts';

const own = {
  heads: { a: 3 },
  hashes: {},
  headsDigest: 'heads',
  booksDigest: 'ours',
  parts: { products: 'p', stock: 's' },
} as unknown as OwnSide;

/** Effects of each of these comparisons, one after the other. */
function after(...told: readonly { heads?: string; books: string }[]): Effect[][] {
  let session: Session = { ...createSession('dialer', 0), phase: 'open' };
  return told.map(({ heads = 'heads', books }) => {
    const stepped = compare(session, heads, books, own);
    session = stepped.session;
    return [...stepped.effects];
  });
}

const isEqual = { kind: 'compared', equal: true, parts: [], ids: [] };
const differs = { kind: 'compared', equal: false, parts: [], ids: [] };
const tellsParts = { kind: 'send', message: { type: 'books', heads: 'heads', digests: own.parts } };

test('B11 equal is said only of equal heads and equal books', () => {
  expect(after({ books: 'ours' })).toEqual([[isEqual]]);
  expect(after({ heads: 'others', books: 'ours' })).toEqual([[]]);
});

test('B11 books that differ once and then no more are not told to differ', () => {
  expect(after({ books: 'theirs' }, { books: 'ours' }, { books: 'theirs' })).toEqual([[], [isEqual], []]);
  expect(after({ books: 'theirs' }, { heads: 'others', books: 'ours' }, { books: 'theirs' })).toEqual([[], [], []]);
});

test('B3 books that go on differing under equal heads are looked into, and told', () => {
  expect(after({ books: 'theirs' }, { books: 'theirs' }, { books: 'theirs' })).toEqual([[], [tellsParts], [differs]]);
});
