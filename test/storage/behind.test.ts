// What is written behind the sales, and what is remembered between them: reads tell the same as if it were not so.

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createMovement, type MovementBody } from '../../src/commands/create-movement.ts';
import type { MovementRow } from '../../src/core/books.ts';
import { arrivalsBehindMax } from '../../src/core/limits.ts';
import { decodeCommit } from '../../src/protocol/commit-codec.ts';
import { commonPastAt, discardBranch } from '../../src/storage/branch.ts';
import { appendRemote } from '../../src/storage/receive.ts';
import { until } from '../waiting.ts';
import { carry, createFaultyDisk, edit, newFolder, type OpenedBooks, openBooks, rows, tryToOpen } from './opened.ts';

const inBatches = async (count: number, run: (index: number) => Promise<unknown>): Promise<void> => {
  for (let from = 0; from < count; from += 250)
    await Promise.all(Array.from({ length: Math.min(250, count - from) }, (_, index) => run(from + index)));
};

const sellNumbered = (books: OpenedBooks, id: string, number: number, terminalId = 'till-1') =>
  books.sell(id, { terminalId, number: String(number) });

const isTwice = (books: OpenedBooks, id: string) => books.storage.books.ticket(id)?.hasDuplicateNumber;

const indexedCount = (books: OpenedBooks) =>
  rows<{ count: number }>(books.path, 'SELECT count(*) AS count FROM ticket_numbers')[0]?.count ?? 0;

describe('numbers of tickets', () => {
  test('used twice are told, in the index or not yet, and after a new start', async () => {
    const books = openBooks();
    await inBatches(1500, (index) => sellNumbered(books, `t-${index}`, index));
    expect(indexedCount(books)).toBeGreaterThan(1000);
    expect(indexedCount(books)).toBeLessThan(1500);
    await sellNumbered(books, 'again-0', 0);
    await sellNumbered(books, 'again-1499', 1499);
    await sellNumbered(books, 'elsewhere-1', 1, 'till-2');
    const twice = (opened: OpenedBooks) =>
      ['t-0', 'again-0', 't-1499', 'again-1499', 't-1', 't-1498', 'elsewhere-1'].filter((id) => isTwice(opened, id));
    expect(twice(books)).toEqual(['t-0', 'again-0', 't-1499', 'again-1499']);
    expect(twice(books.reopen())).toEqual(['t-0', 'again-0', 't-1499', 'again-1499']);
  });

  test.each([0, 1200])('B3 go with the ticket that gives way to an earlier one, %i tickets later', async (later) => {
    const [bar, attic] = [openBooks(), openBooks()];
    attic.clock.now -= 60_000;
    await sellNumbered(attic, 'same', 2);
    await sellNumbered(bar, 'same', 1);
    await inBatches(later, (index) => sellNumbered(bar, `t-${index}`, 100 + index));
    carry(attic, bar);
    await sellNumbered(bar, 'one', 1);
    expect(isTwice(bar, 'one')).toBe(false);
    await sellNumbered(bar, 'two', 2);
    expect([isTwice(bar, 'two'), isTwice(bar, 'same')]).toEqual([true, true]);
  });

  test('of a commit that was taken back do not count', async () => {
    const books = openBooks();
    await sellNumbered(books, 't-1', 1);
    const broken = books.storage.write(() => {
      throw new Error('a defect');
    });
    expect(broken.ok).toBe(false);
    const disk = createFaultyDisk();
    const failing = openBooks({ openDatabase: disk.openDatabase });
    await sellNumbered(failing, 't-1', 1);
    disk.arm('commit fails');
    expect((await sellNumbered(failing, 't-2', 2)).ok).toBe(false);
    for (const opened of [books, failing]) {
      await sellNumbered(opened, 't-3', 2);
      await sellNumbered(opened, 't-4', 1);
      expect([isTwice(opened, 't-3'), isTwice(opened, 't-1')]).toEqual([false, true]);
    }
  });
});

test('movements of a product are the same page by page as all at once, over blocks and what is not yet in one', async () => {
  const books = openBooks();
  const count = 3 * arrivalsBehindMax + 500;
  await inBatches(count, (index) => {
    const body: MovementBody = { productId: `p-${index % 7}`, kind: 'receipt', quantity: 1 + (index % 9) };
    return books.run(createMovement({ id: `m-${index}`, by: 'admin', body }));
  });
  const { movements } = books.storage.books;
  const all = movements({ limit: 10_000 }).rows;
  expect(all).toHaveLength(count);
  for (const productId of ['p-0', 'p-6', 'p-none']) {
    const paged: MovementRow[] = [];
    for (let after: string | undefined = '0'; after !== undefined; ) {
      const page = movements({ productId, after, limit: 97 });
      paged.push(...page.rows);
      after = page.next ?? undefined;
    }
    expect(paged).toEqual(all.filter((row) => row.productId === productId));
  }
});

test.each([{ productId: 'coffee' }, { ticketId: 'big' }, {}])(
  'B8 movements of a ticket with thousands of lines are read with the ticket, not one by one: %o',
  async (filter) => {
    const books = openBooks();
    const lines = Array.from({ length: 5000 }, () => ({ productId: 'coffee', quantity: 1 }));
    await books.sell('big', { lines });
    const parse = vi.spyOn(JSON, 'parse');
    onTestFinished(() => parse.mockRestore());
    const page = books.storage.books.movements({ ...filter, after: '0', limit: 1000 });
    expect(page.rows).toHaveLength(1000);
    expect(parse.mock.calls.length).toBeLessThan(10);
  },
);

test.each([0, 1200])(
  'B3 movements go with the ticket that gives way to an earlier one, %i tickets later',
  async (later) => {
    const [bar, attic] = [openBooks(), openBooks()];
    const line = (productId: string, quantity: number) => ({ productId, quantity });
    attic.clock.now -= 60_000;
    await attic.sell('same', { lines: [line('tea', 2), line('coffee', 1)] });
    await bar.sell('before', { lines: [line('coffee', 5)] });
    await bar.sell('same', { lines: [line('coffee', 3), line('cake', 1)] });
    await inBatches(later, (index) => bar.sell(`t-${index}`, { lines: [line('milk', 1)] }));
    carry(attic, bar);
    const told = (books: OpenedBooks, productId: string) =>
      books.storage.books.movements({ productId, limit: 10 }).rows.map(({ id, quantity }) => `${id} ${quantity}`);
    for (const open of [() => bar, () => bar.reopen()]) {
      const books = open();
      expect(told(books, 'coffee')).toEqual(['before/1 -5000', 'same/2 -1000']);
      expect([told(books, 'cake'), told(books, 'tea')]).toEqual([[], ['same/1 -2000']]);
      expect(books.storage.books.movements({ limit: 9_999 }).rows).toHaveLength(later + 3);
    }
  },
);

test('B3 books that let go of a void branch and wrote nothing with it are the same after a new start', async () => {
  const [bar, attic] = [openBooks(), openBooks()];
  await bar.sell('t-1');
  for (const id of ['t-2', 't-3', 't-4']) await attic.sell(id);
  carry(attic, bar);
  const { seq } = bar.storage.state();
  bar.storage.write((unit) => {
    const origin = unit.state.origins.get(`${attic.replicaId}.1`);
    const common = origin && commonPastAt(unit, origin, 1);
    if (common) discardBranch(unit, origin, common);
  });
  const { books } = bar.storage;
  const told = { counts: books.counts(), digests: books.digests(), stock: books.stock('coffee') };
  expect(told.counts.tickets).toBe(2);
  const again = bar.reopen();
  const { books: read } = again.storage;
  expect({ counts: read.counts(), digests: read.digests(), stock: read.stock('coffee') }).toEqual(told);
  expect(again.storage.state().seq).toBe(seq);
  await again.sell('t-5');
  const onceMore = again.reopen().storage.books;
  expect(onceMore.stock('coffee')?.onHand).toBe(-3000);
  expect(onceMore.movements({ productId: 'coffee', limit: 9 }).rows).toHaveLength(3);
});

test('B3 what was let go of is not passed on from memory in place of what came instead', async () => {
  const [bar, attic] = [openBooks(), openBooks()];
  await attic.sell('t-1');
  attic.close();
  const folder = newFolder();
  copyFileSync(attic.path, join(folder, 'books.db'));
  const [one, other] = [attic.reopen(), openBooks({ folder, signer: attic.signer })];
  await one.sell('t-2');
  await other.sell('t-3');
  const relay = (from: OpenedBooks) => {
    const origin = `${attic.replicaId}.1`;
    for (const { publicKey, ...sealed } of from.storage.readCommits(origin, 0, Number.MAX_SAFE_INTEGER)) {
      const commit = decodeCommit(origin, sealed.bytes);
      bar.storage.write((unit) => {
        if (commit && appendRemote(unit, commit, publicKey).result === 'applied')
          unit.encoded.push({ ...sealed, publicKey });
      });
    }
  };
  relay(one);
  bar.storage.write((unit) => {
    const origin = unit.state.origins.get(`${attic.replicaId}.1`);
    const common = origin && commonPastAt(unit, origin, 1);
    if (common) discardBranch(unit, origin, common);
  });
  relay(other);
  const cellar = openBooks();
  carry(bar, cellar);
  expect(cellar.storage.books.ticket('t-3')).toBeDefined();
  expect(cellar.storage.books.ticket('t-2')).toBeUndefined();
});

describe('stock levels', () => {
  test.each(['commit fails', 'commit fails, yet is there'] as const)(
    'B4 are the sum of the movements on disk when a %s',
    async (fault) => {
      const disk = createFaultyDisk();
      const books = openBooks({ openDatabase: disk.openDatabase });
      for (const id of ['t-1', 't-2']) await books.sell(id);
      disk.arm(fault);
      expect((await books.sell('t-3')).ok).toBe(false);
      await books.sell('t-4');
      const sold = rows<{ sum: number }>(books.path, 'SELECT -1000 * sum(movements) AS sum FROM tickets')[0]?.sum;
      expect(books.storage.books.stock('coffee')?.onHand).toBe(sold);
      const copy = openBooks();
      carry(books, copy);
      expect(copy.storage.books.digests()).toEqual(books.storage.books.digests());
      expect(books.reopen().storage.books.stock('coffee')?.onHand).toBe(sold);
    },
  );
});

describe('while the disk fails', () => {
  const failed = async () => {
    const disk = createFaultyDisk();
    const books = openBooks({ openDatabase: disk.openDatabase });
    for (const id of ['t-1', 't-2']) await books.sell(id, { lines: [line('tea', 1), line('cake', 2)] });
    return { disk, books };
  };
  const line = (productId: string, quantity: number) => ({ productId, quantity });
  const onHand = ({ storage }: OpenedBooks) => ['tea', 'cake'].map((product) => storage.books.stock(product)?.onHand);

  test('B3 digests are those of the last commit, also when nobody had asked for them since', async () => {
    const { disk, books } = await failed();
    books.storage.books.digests();
    await books.sell('t-3', { lines: [line('tea', 1)] });
    const copy = openBooks();
    carry(books, copy);
    disk.arm('commit fails');
    disk.setGone(true);
    await books.sell('t-4');
    expect(books.storage.trouble()).toMatchObject({ code: 'data_unwritable' });
    expect(books.storage.books.heads()).toEqual(copy.storage.books.heads());
    expect(books.storage.books.digests()).toEqual(copy.storage.books.digests());
  });

  test('B3 a digest that could not be made whole is made anew', async () => {
    const { disk, books } = await failed();
    await inBatches(arrivalsBehindMax, (index) => books.sell(`more-${index}`));
    disk.spoil('FROM stock');
    expect(() => books.storage.books.digests()).toThrow('disk I/O error');
    const copy = openBooks();
    carry(books, copy);
    expect(books.storage.books.digests()).toEqual(copy.storage.books.digests());
  });

  test('B4 levels that could not be summed again are not told by half: it opens again later', async () => {
    const { disk, books } = await failed();
    disk.arm('commit fails');
    disk.spoil('SELECT seq FROM tickets');
    expect((await books.sell('t-3')).ok).toBe(false);
    expect(books.storage.trouble()).toBeDefined();
    await until('it writes again', () => books.storage.trouble() === undefined);
    expect(onHand(books)).toEqual([-2000, -4000]);
  });

  test('B4 a start that cannot sum them says so', async () => {
    const { disk, books } = await failed();
    books.close();
    disk.spoil('SELECT seq FROM tickets');
    const { folder, signer } = books;
    expect(tryToOpen({ folder, signer, openDatabase: disk.openDatabase })).toMatchObject({ code: 'storage_failed' });
    expect(onHand(openBooks({ folder, signer }))).toEqual([-2000, -4000]);
  });

  test('a ticket behind that the disk has spoilt does not keep the rest from opening', async () => {
    const { books } = await failed();
    books.close();
    expect(edit(books.path, "UPDATE ops SET payload = zeroblob(32) WHERE header LIKE '%t-1%'")).toBe(1);
    const again = books.reopen();
    expect(onHand(again)).toEqual([-1000, -2000]);
    expect((await again.sell('t-3', { lines: [line('tea', 1)] })).ok).toBe(true);
    expect(onHand(again)).toEqual([-2000, -2000]);
  });
});
