// What is odd about a ticket's figures and times: the till's are law, these only raise a flag (B7).

import { describe, expect, test } from 'vitest';
import type { TicketBody, TicketLine } from '../../src/commands/ticket-body.ts';
import { figureFlags, isClockSuspect, isLineTotalOff } from '../../src/commands/ticket-flags.ts';

const line = (more: Partial<TicketLine>): TicketLine => ({ quantity: 1, ...more }) as TicketLine;
const ticket = (more: object): TicketBody => ({ kind: 'sale', lines: [], ...more }) as unknown as TicketBody;

describe('a line total', () => {
  test.each<[string, Partial<TicketLine>, boolean]>([
    ['adds up', { quantity: 3, unitPrice: 250, total: 750 }, false],
    ['adds up with its discount', { quantity: 3, unitPrice: 250, discount: 50, total: 700 }, false],
    ['is rounded up', { quantity: 0.333, unitPrice: 1000, total: 334 }, false],
    ['is rounded down', { quantity: 1.5, unitPrice: 333, total: 499 }, false],
    ['is two cents off', { quantity: 1, unitPrice: 250, total: 252 }, true],
    ['leaves the discount out', { quantity: 1, unitPrice: 250, discount: 50, total: 250 }, true],
    ['says nothing of the price', { quantity: 1, total: 250 }, false],
    ['of a return in a sale', { quantity: -1, unitPrice: 250, total: -250 }, false],
    ['of a return with the discount', { quantity: -1, unitPrice: 250, discount: 50, total: -200 }, false],
  ])('%s', (_name, sent, expected) => {
    expect(isLineTotalOff(line(sent), false)).toBe(expected);
  });

  test('of a refund adds up with either sign', () => {
    for (const quantity of [-2, 2]) {
      for (const total of [-500, 500])
        expect(isLineTotalOff(line({ quantity, unitPrice: 250, total }), true)).toBe(false);
    }
    expect(isLineTotalOff(line({ quantity: -2, unitPrice: 250, total: -250 }), true)).toBe(true);
  });
});

describe('a ticket', () => {
  const lines = [line({ unitPrice: 250, total: 250 }), line({ unitPrice: 100, quantity: 2, total: 200 })];

  test.each<[string, object, string[]]>([
    ['that adds up', { lines, total: 450, payments: [{ amount: 450 }] }, []],
    ['paid in two ways, with change', { lines, total: 450, payments: [{ amount: 1000 }, { amount: -550 }] }, []],
    ['a cent off', { lines, total: 451 }, ['total_mismatch']],
    ['paid too little', { lines, total: 450, payments: [{ amount: 400 }] }, ['payment_mismatch']],
    ['not paid', { lines, total: 450, payments: [] }, ['payment_mismatch']],
    ['that says nothing of payments', { lines, total: 450 }, []],
    ['without a total, paid as its lines', { lines, payments: [{ amount: 450 }] }, []],
    ['without a total, paid otherwise', { lines, payments: [{ amount: 1 }] }, ['payment_mismatch']],
    ['whose lines have prices alone, rounded', { lines: [line({ quantity: 0.333, unitPrice: 1000 })], total: 334 }, []],
    ['whose lines say too little to tell', { lines: [line({ name: 'Bread' })], total: 450 }, []],
    ['with a total and no lines', { total: 450 }, ['total_mismatch']],
    ['with nothing', {}, []],
    [
      'refunded, all negative',
      {
        kind: 'refund',
        lines: [line({ quantity: -1, unitPrice: 250, total: -250 })],
        total: -250,
        payments: [{ amount: -250 }],
      },
      [],
    ],
    [
      'refunded, lines positive',
      { kind: 'refund', lines: [line({ unitPrice: 250, total: 250 })], total: -250, payments: [{ amount: 250 }] },
      [],
    ],
    [
      'refunded wrongly',
      { kind: 'refund', lines: [line({ unitPrice: 250, total: 250 })], total: -200 },
      ['total_mismatch'],
    ],
  ])('%s', (_name, sent, flags) => {
    expect(figureFlags(ticket(sent))).toEqual(flags);
  });
});

describe('the clock', () => {
  const now = Date.UTC(2026, 10, 20, 9);
  const at = (offsetMs: number) => new Date(now + offsetMs).toISOString();
  const [minute, day] = [60_000, 86_400_000];

  test.each<[string, string | undefined, number, boolean]>([
    ['says now', at(0), 0, false],
    ['of the till is five minutes ahead', at(5 * minute), 0, false],
    ['of the till is an hour ahead', at(60 * minute), 0, true],
    ['of the till was cut off for a week', at(-7 * day), 0, false],
    ['of the till says last year', at(-365 * day), 0, true],
    ['of the till says nothing', undefined, 0, false],
    ['of the appliance is a minute off the mesh', at(0), minute, false],
    ['of the appliance is two minutes off the mesh', undefined, -2 * minute, true],
  ])('%s', (_name, soldAt, offMs, expected) => {
    expect(isClockSuspect(soldAt, now + offMs, now)).toBe(expected);
  });
});
