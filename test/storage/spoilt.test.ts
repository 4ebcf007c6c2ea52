// Ops that the disk has spoilt, where SQLite sees nothing: they are left out, and keep nobody from what stands behind them.

import { expect, test } from 'vitest';
import { patchRecord } from '../../src/commands/patch-record.ts';
import { createFeed } from '../../src/feed/feed.ts';
import { carry, edit, type OpenedBooks, openBooks, shop } from './opened.ts';

const coffee = { lines: [{ productId: 'coffee', quantity: 1 }] };

/** The text of an op is no JSON any more, or has become bytes. */
const spoil = (books: OpenedBooks, id: string, by: string): void => {
  expect(edit(books.path, `UPDATE ops SET payload = ${by} WHERE header LIKE '%"id":"${id}"%'`)).toBe(1);
};

async function openSpoilt(by: string): Promise<OpenedBooks> {
  const books = openBooks();
  await books.put('coffee', { name: 'Coffee' });
  await books.put('tea', { name: 'Tea' });
  for (const id of ['before', 'spoilt', 'behind']) await books.sell(id, coffee);
  spoil(books, 'spoilt', by);
  spoil(books, 'coffee', by);
  return books;
}

test.each(['substr(payload, 1, 20)', 'CAST(payload AS BLOB)'])(
  'B7 lists and the feed go past them (%s)',
  async (by) => {
    const books = await openSpoilt(by);
    for (const open of [() => books, () => books.reopen()]) {
      const { storage } = open();
      expect(storage.books.ticket('spoilt')).toBeUndefined();
      expect(storage.books.tickets({ limit: 10 }).rows.map(({ id }) => id)).toEqual(['before', 'behind']);
      expect(storage.books.records('product', { limit: 10 }).rows.map(({ id }) => id)).toEqual(['tea']);
      for (const filter of [{}, { productId: 'coffee' }])
        expect(storage.books.movements({ ...filter, limit: 10 }).rows.map(({ id }) => id)).toEqual([
          'before/1',
          'behind/1',
        ]);
      const page = createFeed(storage, shop).read({ limit: 100, entities: ['ticket', 'product'] });
      expect(page.ok && page.changes.map(({ id }) => id)).toEqual(['tea', 'before', 'behind']);
    }
  },
);

test('B7 a till that sends one again, and a peer that has its twin, go on', async () => {
  const books = await openSpoilt('substr(payload, 1, 20)');
  const level = books.storage.books.stock('coffee');
  expect(await books.sell('spoilt', coffee)).toMatchObject({ ok: true });
  const attic = openBooks();
  attic.clock.now -= 60_000;
  await attic.sell('spoilt', coffee);
  await attic.sell('behind-it', { lines: [{ productId: 'tea', quantity: 1 }] });
  carry(attic, books);
  expect(books.storage.books.ticket('behind-it')).toBeDefined();
  expect(books.storage.books.counts().tickets).toBe(4);
  expect(books.storage.books.stock('coffee')?.onHand).toBe(level?.onHand);
});

test('B7 a product can be edited again', async () => {
  const books = await openSpoilt('substr(payload, 1, 20)');
  const patch = patchRecord({ entity: 'product', id: 'coffee', patch: { name: 'Coffee 250 g' }, by: 'admin' });
  await books.run(patch);
  await books.put('coffee', { name: 'Coffee 250 g', price: 490 });
  expect(books.storage.books.record('product', 'coffee')?.fields).toMatchObject({ '/name': 'Coffee 250 g' });
});
