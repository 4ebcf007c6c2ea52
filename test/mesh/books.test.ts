// Books of several appliances: the same everywhere, whatever was written where and while what was cut; compared, and
// told when they are not.

import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { createMovement, type MovementBody } from '../../src/commands/create-movement.ts';
import { deleteRecord } from '../../src/commands/delete-record.ts';
import { patchRecord } from '../../src/commands/patch-record.ts';
import type { TicketLine } from '../../src/commands/ticket-body.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { until } from '../waiting.ts';
import {
  alarmsOf,
  equal,
  hasTicket,
  isLinked,
  linked,
  openAppliance,
  peerOf,
  sale,
  statusOf,
  type TestAppliance,
} from './appliances.ts';
import { expectUnharmed } from './pair.ts';
import { type Cable, openCable } from './proxy.ts';

type Parted = { bar: TestAppliance; cellar: TestAppliance; cable: Cable; heal(): Promise<void> };

/** A pair that has exchanged a product, and is cut apart. */
async function openPartedPair(): Promise<Parted> {
  const bar = await openAppliance('Bar');
  const cable = await openCable(bar.address);
  const cellar = await openAppliance('Cellar', { peers: [cable.address] });
  await linked(bar, cellar);
  await bar.put('coffee', { name: 'Coffee', price: 250 });
  await equal(bar, cellar);
  cable.cut();
  await until('apart', () => !isLinked(bar, cellar) && !isLinked(cellar, bar));
  const heal = async (): Promise<void> => {
    cable.heal();
    cellar.appliance.mesh.reconnect();
    await linked(bar, cellar);
    await equal(bar, cellar);
  };
  return { bar, cellar, cable, heal };
}

const change = (one: TestAppliance, document: JsonObject) =>
  one.run(patchRecord({ entity: 'product', id: 'coffee', patch: document, by: 'admin' }));

const product = ({ appliance }: TestAppliance) => appliance.books.record('product', 'coffee');
const onHand = ({ appliance }: TestAppliance) => appliance.books.stock('coffee')?.onHand;
const conflictsOf = ({ appliance }: TestAppliance) => appliance.observe.conflicts({ limit: 100 }).rows;

const line = (quantity: number): TicketLine => ({ productId: 'coffee', quantity, unitPrice: 250 });
const count = (one: TestAppliance, counted: number, id: string) =>
  one.run(createMovement({ id, by: 'admin', body: { productId: 'coffee', kind: 'count', counted } as MovementBody }));

describe('written while apart', () => {
  test('B2 the same ticket at both counts once, for ever: one ticket, one movement, one piece of stock', async () => {
    const { bar, cellar, heal } = await openPartedPair();
    for (const one of [bar, cellar, bar]) await one.sell('same');
    await heal();
    for (const one of [cellar, bar]) await one.sell('same');
    await expectUnharmed(bar, cellar);
    for (const one of [bar, cellar]) {
      expect(one.appliance.books.movements({ ticketId: 'same', limit: 10 }).rows).toHaveLength(1);
      expect(one.appliance.books.counts()).toMatchObject({ tickets: 3, movements: 3 });
      expect(onHand(one)).toBe(-3000);
      expect(conflictsOf(one)).toEqual([]);
    }
  });

  test('B6 two different tickets under one id: the earlier stands everywhere, the other is kept and shown', async () => {
    const { bar, cellar, heal } = await openPartedPair();
    await bar.sell('rival', { lines: [line(1)] });
    await cellar.sell('rival', { lines: [line(5)] });
    await heal();
    for (const one of [bar, cellar]) {
      expect(one.appliance.books.ticket('rival')).toMatchObject({
        hasRival: true,
        payload: { body: { lines: [{ quantity: 1 }] } },
      });
      expect(onHand(one)).toBe(-1000);
      expect(conflictsOf(one)).toMatchObject([
        {
          entity: 'ticket',
          recordId: 'rival',
          kind: 'rival',
          strategy: 'earliest_fact',
          resolvedAt: null,
          loser: { values: { lines: [{ quantity: 5 }] } },
        },
      ]);
    }
    const outcome = await cellar.run(sale('rival', { lines: [line(5)] }));
    expect(outcome).toMatchObject({ ok: false, code: 'ticket_differs' });
    await expectUnharmed(bar, cellar);
  });

  test('B4 stock is the sum of what both sold, received and counted', async () => {
    const { bar, cellar, heal } = await openPartedPair();
    await count(bar, 12, 'count-1');
    await bar.sell('b-1', { lines: [line(2)] });
    await cellar.sell('c-1', { lines: [line(3)] });
    await count(cellar, 20, 'count-2');
    await cellar.sell('c-2', { kind: 'refund', lines: [line(1)] });
    await heal();
    // 12 counted at Bar, 20 − (−3) at Cellar, less 2 and 3 sold, 1 brought back.
    for (const one of [bar, cellar]) {
      expect(onHand(one)).toBe((12 + 23 - 2 - 3 + 1) * 1000);
      const rows = one.appliance.books.movements({ productId: 'coffee', limit: 100 }).rows;
      expect(rows.reduce((sum, { quantity }) => sum + quantity, 0)).toBe(onHand(one));
    }
  });

  test('B6 two edits of one field: one wins everywhere, the other is told with both values; other fields keep both', async () => {
    const { bar, cellar, heal } = await openPartedPair();
    await change(bar, { name: 'Coffee of the bar', price: 260 });
    await change(cellar, { name: 'Coffee of the cellar', category: 'hot' });
    await heal();
    for (const one of [bar, cellar]) {
      expect(product(one)?.fields).toMatchObject({
        '/name': 'Coffee of the cellar',
        '/price': 260,
        '/category': 'hot',
      });
      expect(conflictsOf(one)).toMatchObject([
        {
          entity: 'product',
          recordId: 'coffee',
          fields: ['/name'],
          resolvedAt: null,
          strategy: 'latest_edit',
          winner: { values: { '/name': 'Coffee of the cellar' } },
          loser: { values: { '/name': 'Coffee of the bar' } },
        },
      ]);
    }
    await change(bar, { name: 'Coffee' });
    await equal(bar, cellar);
    for (const one of [bar, cellar]) expect(conflictsOf(one)[0]?.resolvedAt).not.toBeNull();
  });

  test('B5 an edit made after seeing another wins over it, though its clock is a day behind', async () => {
    const bar = await openAppliance('Bar');
    const cellar = await openAppliance('Cellar', {
      peers: [bar.address],
      clock: { now: () => Date.now() - 86_400_000 },
    });
    await linked(bar, cellar);
    await bar.put('coffee', { name: 'By Bar' });
    await equal(bar, cellar);
    await change(cellar, { name: 'By Cellar, after it' });
    await equal(bar, cellar);
    expect(product(bar)?.fields['/name']).toBe('By Cellar, after it');
    expect(conflictsOf(bar)).toEqual([]);
    await until('the clocks are found apart', () => (peerOf(bar, cellar)?.clockOffsetMs ?? 0) < -86_000_000);
    await expectUnharmed(bar, cellar);
  });

  test('B6 an edit against a deletion: the later wins, the other is told', async () => {
    const { bar, cellar, heal } = await openPartedPair();
    await change(bar, { name: 'Renamed' });
    await cellar.run(deleteRecord({ entity: 'product', id: 'coffee', by: 'admin' }));
    await heal();
    expect(product(bar)).toEqual(product(cellar));
    await expectUnharmed(bar, cellar);
  });

  test('B7 sells what the other has never heard of, and to whom', async () => {
    const { bar, cellar, heal } = await openPartedPair();
    await bar.put('new', { name: 'New' });
    await cellar.sell('unknown', { lines: [{ productId: 'new', quantity: 2 }], customerId: 'nobody' });
    expect(cellar.appliance.books.ticket('unknown')?.payload.flags).toEqual(
      expect.arrayContaining(['negative_stock', 'unknown_customer', 'unknown_product']),
    );
    await heal();
    expect(bar.appliance.books.stock('new')?.onHand).toBe(-2000);
  });
});

describe('compared', () => {
  test('B11 equal books are said to be, with the time, again and again; only once they were compared', async () => {
    const { bar, cellar, heal } = await openPartedPair();
    await bar.sell('apart');
    const before = Date.now();
    expect(statusOf(bar).verifiedEqualAt ?? 0).toBeLessThan(before);
    expect(peerOf(bar, cellar)?.pending).toBeGreaterThan(0);
    await heal();
    await until(
      'compared',
      () => (statusOf(bar).verifiedEqualAt ?? 0) >= before && (statusOf(cellar).verifiedEqualAt ?? 0) >= before,
    );
    const first = statusOf(bar).verifiedEqualAt ?? 0;
    await until('compared again', () => (statusOf(bar).verifiedEqualAt ?? 0) > first);
    expect(peerOf(bar, cellar)).toMatchObject({ pending: 0, behind: 0, state: 'connected', lastError: null });
  });

  test('B3 stock that somebody edited in one file is told at both, by name, and nothing else breaks', async () => {
    const { bar, cellar: before, cable, heal } = await openPartedPair();
    await bar.sell('first');
    await heal();
    await before.stop();
    edit(before, "INSERT OR REPLACE INTO stock VALUES ('coffee', 99000, 1, 0)");
    const folder = dirname(before.databasePath);
    const cellar = await openAppliance('Cellar', {
      who: before.who,
      folder,
      isFirstStart: false,
      peers: [cable.address],
    });
    await linked(bar, cellar);
    await cellar.sell('touches-it');
    for (const [one, other] of [
      [bar, cellar],
      [cellar, bar],
    ] as const) {
      const told = () => alarmsOf(one, 'books_differ')[0]?.detail ?? '';
      await until(`told at ${one.name}, with the part and the row`, () => told().includes('stock (coffee)'));
      expect(told()).toContain(other.name);
      expect(told()).toContain('verify');
    }
    await bar.sell('goes-on');
    await until('it arrives', () => hasTicket(cellar, 'goes-on'));
    expect(bar.appliance.books.digests().tickets).toBe(cellar.appliance.books.digests().tickets);
    expect(isLinked(bar, cellar)).toBe(true);
  });

  test('B3 stock that somebody edits while it is in use is written right again by the next sale', async () => {
    const { bar, cellar, heal } = await openPartedPair();
    await cellar.sell('first');
    edit(cellar, "INSERT OR REPLACE INTO stock VALUES ('coffee', 99000, 1, 0)");
    await cellar.sell('touches-it');
    await heal();
    expect([onHand(bar), onHand(cellar)]).toEqual([-2000, -2000]);
    expect(alarmsOf(bar)).toEqual([]);
  });
});

/** As somebody would with a tool. */
function edit({ databasePath }: TestAppliance, sql: string): void {
  const database = new Database(databasePath);
  try {
    expect(database.prepare(sql).run().changes).toBe(1);
  } finally {
    database.close();
  }
}
