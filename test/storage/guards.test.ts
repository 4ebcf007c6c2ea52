// What is opened must be ours, of this version, and whole; else it is left as it is, with a sentence that says what to do.

import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assets } from '../../src/assets.ts';
import type { Migration } from '../../src/storage/migrate.ts';
import { edit, isOpened, newFolder, type OpenedBooks, openBooks, rows, tryToOpen } from './opened.ts';

const later: Migration = { tag: '0099_later', when: 9e12, sql: 'CREATE TABLE later (a TEXT);' };
const between: Migration = { tag: '0050_between', when: 8e12, sql: 'CREATE TABLE between_them (a TEXT);' };

async function closedBooks(): Promise<OpenedBooks> {
  const books = openBooks();
  await books.put('tea', { name: 'Tea' });
  await books.sell('t-1');
  books.close();
  return books;
}

const open = ({ folder, signer }: OpenedBooks, config: Parameters<typeof tryToOpen>[0] = {}) =>
  tryToOpen({ folder, signer, ...config });

/** Refused with this code and words, and not a byte is other than before. */
function expectRefused(books: OpenedBooks, config: Parameters<typeof tryToOpen>[0], code: string, words: string): void {
  const before = readFileSync(books.path);
  const opened = open(books, config);
  expect(opened).toMatchObject({ code, detail: expect.stringContaining(words) });
  expect(readFileSync(books.path).equals(before)).toBe(true);
}

describe('migrations', () => {
  test('a database of a newer version is refused and left as it is; this version’s own still opens', async () => {
    const books = await closedBooks();
    const newer = open(books, { config: { migrations: [...assets.migrations, later] } });
    if (!isOpened(newer)) throw new Error(newer.detail);
    newer.close();
    expectRefused(books, {}, 'database_newer', 'newer version');
    const again = open(books, { config: { migrations: [...assets.migrations, later] } });
    expect(isOpened(again) && again.storage.books.counts().tickets).toBe(1);
  });

  test('a step that was merged behind a later one is refused, not skipped in silence', async () => {
    const books = await closedBooks();
    const ahead = open(books, { config: { migrations: [...assets.migrations, later] } });
    if (!isOpened(ahead)) throw new Error(ahead.detail);
    ahead.close();
    expectRefused(
      books,
      { config: { migrations: [...assets.migrations, between, later] } },
      'migration_gap',
      '0050_between',
    );
    expectRefused(
      books,
      { config: { migrations: [...assets.migrations, { ...later, when: 9.5e12 }] } },
      'migration_gap',
      'version that wrote it',
    );
  });

  test('a step that fails leaves the database as it was', async () => {
    const books = await closedBooks();
    const broken = { ...later, sql: 'CREATE TABLE a (b TEXT);--> statement-breakpoint\nCREATE TABLE meta (c TEXT);' };
    const opened = open(books, { config: { migrations: [...assets.migrations, broken] } });
    expect(opened).toHaveProperty('detail');
    expect(rows(books.path, "SELECT name FROM sqlite_master WHERE name = 'a'")).toEqual([]);
    expect(isOpened(open(books))).toBe(true);
  });
});

describe('whose it is', () => {
  test('the books of another shop are refused', async () => {
    expectRefused(
      await closedBooks(),
      { config: { shop: 'zzzzzzzzzzzzzzzzzzzzzzzzzz' } },
      'other_shop',
      'abcdefghijklmnopqrstuvwxyz',
    );
  });

  test('books in which nothing was written become those of the shop that is joined', () => {
    const books = openBooks();
    books.close();
    const joined = open(books, { config: { shop: 'zzzzzzzzzzzzzzzzzzzzzzzzzz' } });
    if (!isOpened(joined)) throw new Error(joined.detail);
    joined.close();
    expectRefusedOrEmpty(open(books));
  });

  /** Still empty: it may change its shop as often as it likes. */
  function expectRefusedOrEmpty(opened: ReturnType<typeof tryToOpen>): void {
    expect(isOpened(opened)).toBe(true);
  }

  test('a database that is lost begins under another epoch, so that no number says two things', async () => {
    const books = await closedBooks();
    const fresh = openBooks({ folder: newFolder(), signer: books.signer, config: { newEpoch: 60_000 } });
    await fresh.sell('t-2');
    expect(fresh.storage.books.heads()).toEqual({ [`${books.replicaId}.60000`]: 1 });
  });
});

describe('damage', () => {
  test('a file that is no database is refused and left as it is', async () => {
    const books = await closedBooks();
    writeFileSync(
      books.path,
      'not a database, and longer than any header of one would be, by some way at least '.repeat(20),
    );
    expectRefused(books, {}, 'database_corrupt', 'put it aside');
  });

  test('a database cut to half is refused and left as it is', async () => {
    const books = await closedBooks();
    truncateSync(books.path, readFileSync(books.path).length / 2);
    expectRefused(books, {}, 'database_corrupt', 'put it aside');
  });

  test('a table that is missing is refused, not made anew', async () => {
    const books = await closedBooks();
    edit(books.path, 'DROP TABLE tickets');
    const opened = open(books);
    expect(opened).toHaveProperty('detail');
    expect(rows(books.path, "SELECT name FROM sqlite_master WHERE name = 'tickets'")).toEqual([]);
  });

  test('meta that somebody made unreadable is refused with a sentence', async () => {
    const books = await closedBooks();
    edit(books.path, "UPDATE meta SET value = '{' WHERE key = 'sums'");
    const opened = open(books);
    expect(opened).toMatchObject({ detail: expect.stringContaining('books.db') });
  });

  test('a database without its write-ahead log opens with what was checkpointed', async () => {
    const books = openBooks();
    await books.sell('t-1');
    const copy = newFolder();
    copyFileSync(books.path, join(copy, 'books.db'));
    const opened = tryToOpen({ folder: copy, signer: books.signer });
    expect(isOpened(opened) && opened.storage.books.counts().tickets).toBe(0);
  });
});
