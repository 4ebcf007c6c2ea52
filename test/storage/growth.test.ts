// B8: the file grows with the shop's data, not with the history of its edits.

import { describe, expect, test } from 'vitest';
import { pageBytes } from '../../src/core/limits.ts';
import { createFeed } from '../../src/feed/feed.ts';
import { equal, linked, openAppliance } from '../mesh/appliances.ts';
import { carry, type OpenedBooks, openBooks, rows, shop } from './opened.ts';

const tables = ['ops', 'commits', 'changes', 'records', 'barcodes', 'conflicts', 'deferred', 'meta'];

const sizes = ({ path }: OpenedBooks): Record<string, number> =>
  Object.fromEntries(
    tables.map((table) => [
      table,
      rows<{ count: number }>(path, `SELECT count(*) AS count FROM ${table}`)[0]?.count ?? -1,
    ]),
  );

const feedOf = ({ storage }: OpenedBooks) => createFeed(storage, shop);

describe('edits', () => {
  test('B8 20,000 edits of one product leave as much as one does', async () => {
    const books = openBooks();
    await books.put('tea', { name: 'Tea', barcodes: ['123'], price: 0 });
    const after = sizes(books);
    for (let burst = 0; burst < 100; burst++) {
      await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          books.put('tea', { name: 'Tea', barcodes: ['123'], price: burst * 200 + index + 1 }),
        ),
      );
    }
    expect(books.storage.books.record('product', 'tea')?.fields['/price']).toBe(20_000);
    const grown = sizes(books);
    expect(grown.ops).toBeLessThan(600);
    expect(grown.commits).toBeLessThan(10);
    expect(grown.changes).toBeLessThan(10);
    for (const table of ['records', 'barcodes', 'conflicts', 'deferred'])
      expect(grown[table]).toBeLessThanOrEqual((after[table] ?? 0) + 2);
    expect(grown.meta).toBeLessThan(12);
    const pages = rows<{ page_count: number }>(books.path, 'PRAGMA page_count')[0]?.page_count ?? 0;
    expect(pages * pageBytes).toBeLessThan(4_000_000);
    expect(books.reopen().storage.books.record('product', 'tea')?.fields['/price']).toBe(20_000);
  }, 60_000);

  test('B8 many products edited many times leave one op for each that still says something', async () => {
    const books = openBooks();
    for (let round = 0; round < 20; round++) {
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => books.put(`p-${index}`, { name: `P ${index}`, price: round })),
      );
    }
    // One op made the record (name, time of making), one has the last price.
    expect(rows(books.path, 'SELECT key FROM ops WHERE header IS NOT NULL')).toHaveLength(200);
    expect(rows(books.path, 'SELECT seq FROM changes')).toHaveLength(200);
    expect(sizes(books).ops).toBeLessThan(700);
  });

  test('B3 a fresh peer that gets what is left of the history holds the same books', async () => {
    const bar = await openAppliance('Bar');
    for (let round = 0; round < 300; round++) {
      await bar.put(`p-${round % 7}`, { name: `P ${round}`, price: round });
      if (round % 10 === 0) await bar.sell(`t-${round}`);
    }
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await linked(bar, cellar);
    await equal(bar, cellar);
    expect(cellar.appliance.books.counts()).toEqual({ products: 7, customers: 0, tickets: 30, movements: 30 });
  });
});

describe('deleted records', () => {
  test('B8 leave one small op, whatever they held and however often they were edited', async () => {
    const books = openBooks();
    await books.put('tea', { name: 'Tea', barcodes: ['123'], attributes: { text: 'x'.repeat(10_000) } });
    for (let price = 1; price < 20; price++) await books.put('tea', { name: 'Tea', price });
    await books.remove('tea');
    expect(books.storage.books.record('product', 'tea')?.deleted).toBe(true);
    expect(sizes(books)).toMatchObject({ records: 1, barcodes: 0, changes: 1, ops: 1, commits: 1 });
  });

  test('B5 made anew live, and stay deleted for whoever comes back from before', async () => {
    const [bar, cellar] = [openBooks(), openBooks()];
    await bar.put('tea', { name: 'Tea' });
    await bar.put('cup', { name: 'Cup' });
    carry(bar, cellar);
    await bar.remove('tea');
    await bar.remove('cup');
    await bar.put('tea', { name: 'Tea again' });
    carry(bar, cellar);
    for (const { storage } of [bar, cellar]) {
      expect(storage.books.record('product', 'tea')).toMatchObject({
        deleted: false,
        fields: { '/name': 'Tea again' },
      });
      expect(storage.books.record('product', 'cup')).toMatchObject({ deleted: true, fields: {} });
    }
    expect(cellar.storage.books.digests()).toEqual(bar.storage.books.digests());
  });
});

describe('the feed', () => {
  test('tells what changed since a cursor, in order, each record once as it is now', async () => {
    const books = openBooks();
    const feed = feedOf(books);
    const start = feed.read({ limit: 10 });
    if (!start.ok) throw new Error(start.code);
    await books.put('tea', { name: 'Tea' });
    await books.sell('t-1');
    await books.put('tea', { name: 'Green tea' });
    const page = feed.read({ after: start.next, limit: 10 });
    if (!page.ok) throw new Error(page.code);
    expect(page.changes.map(({ entity, id }) => `${entity} ${id}`)).toEqual([
      'product tea',
      'ticket t-1',
      'movement t-1/1',
      'stock coffee',
    ]);
    expect(page.changes[0]).toMatchObject({ record: { fields: { '/name': 'Green tea' } } });
    const rest = feed.read({ after: page.changes[1]?.cursor, limit: 1 });
    expect(rest).toMatchObject({ ok: true, changes: [{ entity: 'movement' }], atEnd: false });
    expect(feed.read({ after: page.next, limit: 10 })).toMatchObject({ ok: true, changes: [], atEnd: true });
  });

  test('a ticket that gives way to its earlier twin tells the stock of all that it had moved', async () => {
    const [bar, attic] = [openBooks(), openBooks()];
    attic.clock.now -= 60_000;
    await attic.sell('same', { lines: [{ productId: 'tea', quantity: 1 }] });
    await bar.sell('before', { lines: [{ productId: 'coffee', quantity: 1 }] });
    await bar.sell('same', { lines: [{ productId: 'coffee', quantity: 1 }] });
    const feed = feedOf(bar);
    const before = feed.read({ limit: 10 });
    if (!before.ok) throw new Error(before.detail);
    carry(attic, bar);
    const after = feed.read({ after: before.next, limit: 10 });
    if (!after.ok) throw new Error(after.detail);
    expect(after.changes.filter(({ entity }) => entity === 'stock').map(({ id }) => id)).toEqual(['tea', 'coffee']);
  });

  test('a deletion is told; a cursor of another shop, of another appliance or of no feed is told so', async () => {
    const books = openBooks();
    const feed = feedOf(books);
    await books.put('tea', { name: 'Tea' });
    const old = feed.read({ limit: 10 });
    if (!old.ok) throw new Error(old.code);
    await books.remove('tea');
    expect(feed.read({ after: old.next, limit: 10 })).toMatchObject({ changes: [{ kind: 'deleted', id: 'tea' }] });
    expect(feed.read({ after: `zzzzzzzz.feed.1.0`, limit: 10 })).toMatchObject({ code: 'cursor_of_another_shop' });
    expect(feed.read({ after: `${shop.slice(0, 8)}.other.1.0`, limit: 10 })).toMatchObject({ code: 'resync' });
    expect(feed.read({ after: `${shop.slice(0, 8)}.feed.999.0`, limit: 10 })).toMatchObject({ code: 'resync' });
    for (const after of ['1', '-1', `${old.next}x`, '../../etc', 'é'])
      expect(feed.read({ after, limit: 10 })).toMatchObject({ code: 'cursor_malformed' });
    expect(feed.read({ limit: 10 })).toMatchObject({ ok: true, changes: [{ kind: 'deleted' }] });
  });

  test('B1 a cursor stays good over a restart, a failed disk and the pruning of what it points at', async () => {
    const books = openBooks();
    await books.put('tea', { name: 'Tea' });
    const before = feedOf(books).read({ limit: 10 });
    if (!before.ok) throw new Error(before.code);
    for (let price = 1; price <= 30; price++) await books.put('tea', { name: 'Tea', price });
    const again = books.reopen();
    const page = feedOf(again).read({ after: before.next, limit: 10 });
    expect(page).toMatchObject({ ok: true, changes: [{ entity: 'product', record: { fields: { '/price': 30 } } }] });
  });
});
