// verify finds what SQLite's own check does not, and finds nothing where nothing is wrong.

import { closeSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createMovement } from '../../src/commands/create-movement.ts';
import { patchRecord } from '../../src/commands/patch-record.ts';
import { arrivalsBehindMax, pageBytes } from '../../src/core/limits.ts';
import { createOpenDatabase, createSystemCrypto } from '../../src/edges/system.ts';
import { copyDatabase, verifyCopy } from '../../src/storage/verify.ts';
import { carry, edit, newFolder, type OpenedBooks, openBooks, recheckAll, rows } from './opened.ts';

const openDatabase = createOpenDatabase();

function verify(books: OpenedBooks) {
  const copy = join(newFolder(), 'copy.db');
  copyDatabase(openDatabase, books.path, copy);
  return verifyCopy({ crypto: createSystemCrypto(), signer: books.signer, openDatabase }, copy, books.replicaId);
}

const checksOf = (books: OpenedBooks) => [...new Set(verify(books).findings.map(({ check }) => check))];

const change = (books: OpenedBooks, document: Record<string, string | number>) =>
  books.run(patchRecord({ entity: 'product', id: 'tea', patch: document, by: 'admin' }));

/** Two appliances that have seen a bit of everything: edits, conflicts, rivals, deletions, purges, refunds. */
async function livedThrough(): Promise<[OpenedBooks, OpenedBooks]> {
  const [bar, cellar] = [openBooks(), openBooks()];
  await bar.put('tea', { name: 'Tea', barcodes: ['5901234123457', '12'], sku: 'T' });
  await bar.put('gone', { name: 'Gone' });
  carry(bar, cellar);
  await change(bar, { name: 'Tea of the bar', price: 1 });
  await change(cellar, { name: 'Tea of the cellar', category: 'hot' });
  await bar.sell('same');
  await cellar.sell('same');
  await bar.sell('rival', { total: 1 });
  await cellar.sell('rival', { total: 2 });
  await bar.remove('gone');
  await cellar.sell('refund', { kind: 'refund', lines: [{ productId: 'tea', quantity: 1.5 }] });
  carry(bar, cellar);
  carry(cellar, bar);
  for (let price = 2; price < 12; price++) await change(bar, { price });
  await bar.put('gone', { name: 'Made anew' });
  const delivery = { productId: 'tea', kind: 'receipt', quantity: 12 } as const;
  await bar.run(createMovement({ id: 'delivery', by: 'admin', body: delivery }));
  for (let count = 0; count < 20; count++)
    await bar.sell(`t-${count}`, { lines: [{ productId: 'tea', quantity: 0.25 }] });
  return [bar, cellar];
}

describe('nothing is found', () => {
  test('in books that have lived through everything, while they are open and after', async () => {
    for (const books of await livedThrough()) {
      const report = verify(books);
      expect(report.findings).toEqual([]);
      expect(recheckAll(books.path, books.replicaId)).toBe(undefined);
      expect(report.counts.tickets).toBe(books.storage.books.counts().tickets);
      expect(report.ops).toBeGreaterThan(5);
      const again = books.reopen();
      expect(verify(again).findings).toEqual([]);
    }
  });

  test('in texts that are none on disk', async () => {
    const books = openBooks();
    await books.put('half', { name: 'Half \ud83d a pair', sku: '\udc00', barcodes: ['\ud83d', '\u{1f600}', '\uff5e'] });
    await books.sell('half', { terminalId: 'till \ud83d', number: '\udc00\udc00', customerId: 'c' });
    expect(recheckAll(books.path, books.replicaId)).toBe(undefined);
  });

  test('and nothing is changed by looking', async () => {
    const [books] = await livedThrough();
    books.close();
    const before = readFileSync(books.path);
    verify(books);
    expect(readFileSync(books.path).equals(before)).toBe(true);
  });
});

const takeOutSealOf = (id: string): string =>
  `DELETE FROM commits WHERE key = (SELECT max(key) FROM ops WHERE header LIKE '%"id":"${id}"%')`;

describe('found', () => {
  test.each([
    ['a movement gone from its product', "UPDATE product_movements SET places = '[]' WHERE product = 'p-3'"],
    ['a list of movements that is no list', "UPDATE product_movements SET places = '[1,' WHERE product = 'p-3'"],
    ['another ticket under a number', "UPDATE ticket_numbers SET number = '4' WHERE number = '3'"],
  ])('in what is written behind the sales: %s', async (_what, sql) => {
    const books = openBooks();
    const sales = Array.from({ length: arrivalsBehindMax + 5 }, (_, index) => index);
    await Promise.all(
      sales.map((index) => {
        const lines = [{ productId: `p-${index % 9}`, quantity: 1 }];
        return books.sell(`t-${index}`, { terminalId: 'till', number: String(index), lines });
      }),
    );
    expect(verify(books).findings).toEqual([]);
    books.close();
    expect(edit(books.path, sql)).toBeGreaterThan(0);
    expect(checksOf(books)).toEqual(['fold']);
  });

  test.each<[string, string, string[]]>([
    [
      'a price changed in a ticket',
      "UPDATE ops SET payload = replace(payload, '250', '150') WHERE header LIKE '%\"same\"%'",
      ['chain'],
    ],
    ['a ticket’s op taken out', 'DELETE FROM ops WHERE header LIKE \'%"t-7"%\'', ['chain']],
    ['a ticket taken out, journal and state and order of arrival', "DELETE FROM tickets WHERE id = 't-7'", ['fold']],
    ['an edited stock level', 'UPDATE stock SET on_hand = on_hand + 1000', ['fold']],
    ['a movement changed', 'UPDATE movements SET quantity = -1', ['fold']],
    ['a sale without its movements', "UPDATE tickets SET movements = 0 WHERE id = 't-7'", ['fold']],
    ['a product’s row pointed at another op', "UPDATE records SET archived = 1 WHERE id = 'tea'", ['fold']],
    ['a barcode taken away', "DELETE FROM barcodes WHERE gtin LIKE '%12'", ['fold']],
    ['a deleted product brought back by hand', "UPDATE records SET deleted = 1 WHERE id = 'gone'", ['fold']],
    [
      'a seal changed',
      'UPDATE commits SET signature = zeroblob(64) WHERE key = (SELECT max(key) FROM commits)',
      ['seals'],
    ],
    ['the seal of a sale taken out', takeOutSealOf('t-7'), ['chain']],
    ['the seal of a product’s edit taken out', takeOutSealOf('tea'), ['chain']],
    ['a head put back', 'UPDATE origins SET head = head - 1', ['heads']],
    [
      'sums that were changed',
      `UPDATE meta SET value = replace(value, '"count":2', '"count":3') WHERE key = 'sums'`,
      ['fold'],
    ],
    ['a change no longer told', 'DELETE FROM changes WHERE seq = (SELECT max(seq) FROM changes)', ['fold']],
  ])('%s', async (_what, sql, checks) => {
    const [books] = await livedThrough();
    books.close();
    expect(edit(books.path, sql)).toBeGreaterThan(0);
    expect(rows(books.path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    expect(checksOf(books)).toEqual(expect.arrayContaining(checks));
  });

  test('a bit that flipped on the card, in the text of a sale, where SQLite sees nothing', async () => {
    const [books] = await livedThrough();
    books.close();
    const bytes = readFileSync(books.path);
    // The last sale: of others, pages that were split may hold a copy that nobody reads.
    const at = bytes.indexOf('"cash"', bytes.lastIndexOf('{"body":{"id":"t-19"')) + 2;
    expect(at).toBeGreaterThan(2);
    const descriptor = openSync(books.path, 'r+');
    writeSync(descriptor, Buffer.from([(bytes[at] ?? 0) ^ 0x02]), 0, 1, at);
    closeSync(descriptor);
    expect(rows(books.path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    const { findings } = verify(books);
    expect(findings).toContainEqual({ check: 'chain', detail: expect.stringContaining('altered') });
    expect(findings[0]?.detail).toContain(books.replicaId);
  });

  test('a file cut short: said, not thrown', async () => {
    const [books] = await livedThrough();
    books.close();
    const copy = join(newFolder(), 'copy.db');
    copyDatabase(openDatabase, books.path, copy);
    truncateSync(copy, Math.floor(readFileSync(copy).length / 2 / pageBytes) * pageBytes);
    const report = verifyCopy(
      { crypto: createSystemCrypto(), signer: books.signer, openDatabase },
      copy,
      books.replicaId,
    );
    expect(report.findings).toContainEqual({ check: 'database', detail: expect.stringContaining('damaged') });
  });

  test('B8 a thousand broken rows fill no screen', async () => {
    const books = openBooks();
    for (let burst = 0; burst < 200; burst++) await books.sell(`t-${burst}`);
    books.close();
    edit(books.path, 'UPDATE commits SET signature = zeroblob(64)');
    expect(verify(books).findings.length).toBeLessThanOrEqual(50);
  });
});
