// What passes at a glance is what the schema would let pass as it is; the schema has the last word on all else.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTicket } from '../../src/edges/http/reading.ts';
import * as books from '../../src/edges/http/schemas/books.ts';

const plain = {
  id: '01938f6e-5c1a-7b3e-9d2f-4a8c6e0b1d37',
  terminalId: 'till-1',
  number: 'T1-000123',
  kind: 'sale',
  currency: 'EUR',
  lines: [
    { productId: 'p-1', name: 'Coffee', quantity: 2, unitPrice: 250, taxRate: 1000, total: 500 },
    { sku: 'S', barcode: '4000', quantity: 0.125, discount: 5, colour: null },
  ],
  payments: [{ method: 'card', amount: 500, reference: '4971' }],
  total: 500,
  customerId: 'c-1',
  cashier: 'A',
  soldAt: '2026-11-20T09:30:00.000Z',
  attributes: { table: 4 },
  loyalty: { points: 5 },
};

/** Values that stand on the edge of what members may be, and any other. */
const odd = fc.oneof(
  fc.constantFrom(null, true, '', 'x'.repeat(200), 'x'.repeat(201), 'x'.repeat(4001), -0, 0.5, 1.0005, 1e12, 1e12 + 1),
  fc.constantFrom('EUR', 'eur', '2026-11-20T09:30:00Z', '2026-11-20T09:30:00.000Z', '2026-02-30T09:30:00.000Z', 'void'),
  fc.constantFrom([], {}, [{}], [{ quantity: 1 }], [{ quantity: 1, total: null }], [[]], 100_000, 100_001, 2 ** 53),
  fc.jsonValue(),
);

const names = [...Object.keys(books.ticket.shape), ...books.readOnlyMembers, 'other'];
const lineNames = [...Object.keys(books.ticketLine.shape), 'other'];

const changed = fc
  .record({
    set: fc.dictionary(fc.constantFrom(...names), odd, { maxKeys: 2 }),
    setInLine: fc.dictionary(fc.constantFrom(...lineNames), odd, { maxKeys: 2 }),
    without: fc.subarray(names, { maxLength: 3 }),
  })
  .map(({ set, setInLine, without }) => {
    const ticket: Record<string, unknown> = { ...plain, lines: [{ ...plain.lines[0], ...setInLine }], ...set };
    for (const name of without) delete ticket[name];
    return JSON.parse(JSON.stringify(ticket));
  });

describe('a ticket', () => {
  test('as a till sends it passes at a glance', () => {
    expect(books.isPlainTicket(plain)).toBe(true);
    expect(books.ticket.parse(plain)).toEqual(plain);
  });

  test('that passes at a glance is what its schema makes of it, unchanged', () => {
    let plainCount = 0;
    fc.assert(
      fc.property(changed, (ticket) => {
        if (!books.isPlainTicket(ticket)) return;
        plainCount += 1;
        expect(books.ticket.parse(ticket)).toEqual(ticket);
        for (const name of books.readOnlyMembers) expect(ticket).not.toHaveProperty(name);
      }),
      { numRuns: 2000 },
    );
    expect(plainCount).toBeGreaterThan(100);
  });

  test.each([
    ['null where a member may be missing', { customerId: null }, { customerId: undefined }],
    ['a time written otherwise', { soldAt: '2026-11-20T10:30:00+01:00' }, { soldAt: '2026-11-20T09:30:00.000Z' }],
    ['a member of the appliance', { receivedAt: 'now' }, { receivedAt: undefined }],
    ['no kind', { kind: undefined }, { kind: 'sale' }],
  ])('with %s is read by its schema', (_what, sent, read) => {
    const ticket = JSON.parse(JSON.stringify({ ...plain, ...sent }));
    expect(books.isPlainTicket(ticket)).toBe(false);
    const { id, ...body } = JSON.parse(JSON.stringify({ ...plain, ...read }));
    expect(readTicket(ticket)).toEqual({ ok: true, value: { id, body } });
  });
});
