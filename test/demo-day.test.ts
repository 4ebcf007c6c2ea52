// The demo's trading days before any appliance is asked: generated from a seed, or read from a CSV of invoices.

import { describe, expect, test } from 'vitest';
import { dayFromCsv } from '../src/demo/csv.ts';
import { generateDay, turnoverOf } from '../src/demo/day.ts';
import { createScreen, tableLines } from '../src/demo/screen.ts';

const head = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';

function readDay(...rows: string[]) {
  const read = dayFromCsv([head, ...rows].join('\n'), 'a day');
  if (!read.ok) throw new Error(read.detail);
  return read.day;
}

describe('a generated day', () => {
  test('is the same for the same seed, another for another', () => {
    expect(generateDay(7, 50)).toEqual(generateDay(7, 50));
    expect(generateDay(7, 50).tickets).not.toEqual(generateDay(8, 50).tickets);
  });

  test('has lines that add up to their tickets, sales by weight, refunds of earlier sales', () => {
    const { tickets } = generateDay(1, 900);
    for (const { lines, payments, total } of tickets) {
      expect(turnoverOf(lines)).toBe(total);
      expect(payments.reduce((sum, { amount }) => sum + amount, 0)).toBe(total);
    }
    expect(tickets.flatMap(({ lines }) => lines).some(({ quantity }) => !Number.isInteger(quantity))).toBe(true);
    const refunds = tickets.filter(({ kind }) => kind === 'refund');
    expect(refunds.length).toBeGreaterThan(0);
    for (const { ref, total } of refunds) {
      expect(total).toBeLessThan(0);
      expect(tickets.find(({ id }) => id === ref)?.kind).toBe('sale');
    }
  });
});

describe('a day from CSV', () => {
  test('invoices become tickets; those that begin with C refunds; prices pence without a float between', () => {
    const day = readDay(
      '536365,85123A,"HEART, WHITE",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom',
      '536365,71053,LANTERN,2,2010-12-01 08:26:00,1.1,17850.0,United Kingdom',
      'C536379,85123A,"HEART, WHITE",-1,2010-12-01 09:41:00,2.55,14527.0,United Kingdom',
    );
    expect(day.tickets).toMatchObject([
      { id: 'invoice-536365', kind: 'sale', total: 1750, customerId: '17850', soldAt: '2010-12-01T08:26:00.000Z' },
      { id: 'invoice-C536379', kind: 'refund', total: -255, lines: [{ quantity: -1, unitPrice: 255 }] },
    ]);
    expect(day.products).toMatchObject([
      { id: '85123A', name: 'HEART, WHITE', price: 255 },
      { id: '71053', name: 'LANTERN', price: 110 },
    ]);
    expect(day.customers.map(({ id }) => id)).toEqual(['17850', '14527']);
  });

  test('the first description found names a product, its code where there is none; odd codes become ids', () => {
    const day = readDay(
      '1,22134,,1,2010-12-01 10:00:00,0.0,,United Kingdom',
      '2,22134,LADLE,1,2010-12-01 10:00:00,0.42,,United Kingdom',
      '2,BANK CHARGES,,1,2010-12-01 10:00:00,15,,United Kingdom',
    );
    expect(day.products).toMatchObject([
      { id: '22134', name: 'LADLE', price: 42 },
      { id: 'BANK:20CHARGES', sku: 'BANK CHARGES', name: 'BANK CHARGES', price: 1500 },
    ]);
    expect(day.tickets[0]).not.toHaveProperty('customerId');
  });

  test.each([
    ['1,A,B,x,2010-12-01 10:00:00,1,,UK', 'invoice 1: "x" is no number of pieces'],
    ['1,A,B,1,2010-12-01 10:00:00,1.005,,UK', 'invoice 1: "1.005" is no price in pounds and pence'],
    ['1,A,B,1,yesterday,1.00,,UK', 'invoice 1: "yesterday" is no date and time'],
  ])('%s is refused, saying why', (row, detail) => {
    expect(dayFromCsv(`${head}\n${row}`, 'a day')).toEqual({ ok: false, detail });
  });

  test('a file of other columns is refused, naming those that are missing', () => {
    expect(dayFromCsv('name,price\na,1\n', 'a day')).toMatchObject({ detail: expect.stringContaining('InvoiceNo') });
  });
});

describe('the screen', () => {
  const write = (isTTY: boolean, use: (screen: ReturnType<typeof createScreen>) => void): string => {
    let text = '';
    use(createScreen({ isTTY, write: (more) => (text += more) }));
    return text;
  };

  test('draws one bar in place on a terminal, and a line for each tenth elsewhere', () => {
    const sellAll = (screen: ReturnType<typeof createScreen>): void => {
      for (let i = 1; i <= 100; i++) screen.progress(i, 100, 'tickets');
      screen.line('done');
    };
    expect(write(true, sellAll).match(/\n/g)).toHaveLength(2);
    const lines = write(false, sellAll).trimEnd().split('\n');
    expect(lines).toHaveLength(12);
    expect(lines.join()).not.toMatch(/[\r\u2588]/);
  });

  test('a table has its numbers to the right, words to the left', () => {
    expect(
      tableLines([
        ['name', 'n'],
        ['a', '1'],
        ['b', '10'],
      ]),
    ).toEqual(['  name    n', '  ────   ──', '  a       1', '  b      10']);
  });
});
