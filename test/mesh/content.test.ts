// Ops that are well sealed and say odd things: of another version, of a wrong clock, or made to hurt. All are kept and
// passed on as they came; none stops those behind it.

import crypto from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { putRecord } from '../../src/commands/put-record.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { stampMsMax } from '../../src/core/limits.ts';
import { createHttpApp } from '../../src/edges/http/app.ts';
import { systemClock, systemRandom, systemTimers } from '../../src/edges/system.ts';
import { silentLog } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { alarmsOf, equal, hasTicket, linked, openAppliance, type TestAppliance } from './appliances.ts';
import { createAuthor, frameOf, productOp, ticketOp, type Written } from './author.ts';
import { expectUnharmed, openPairOfAppliances } from './pair.ts';
import { enter } from './stranger.ts';

/** A line Bar–Cellar–Attic; the stranger is linked to Bar alone. */
async function openLine() {
  const { bar, cellar } = await openPairOfAppliances();
  const attic = await openAppliance('Attic', { peers: [cellar.address] });
  await linked(attic, cellar);
  const stranger = await enter(bar);
  const author = createAuthor(stranger.who);
  const write = async (...ops: Written[]): Promise<void> => {
    stranger.send(frameOf(author, author.write(ops)));
    await until('all hold what was written', () =>
      [bar, cellar, attic].every((one) => one.appliance.books.heads()[author.origin] === author.head()),
    );
  };
  return { bar, cellar, attic, author, write };
}

const nameOf = ({ appliance }: TestAppliance, id: string) => appliance.books.record('product', id)?.fields['/name'];

/** As an admin reads it over HTTP. */
const readOver = async ({ appliance }: TestAppliance, path: string): Promise<Response> =>
  createHttpApp(appliance, {
    version: '0.0.0-test',
    clock: systemClock,
    rateLimit: false,
    timers: systemTimers,
    random: systemRandom,
    log: silentLog,
    adminTokenHashes: () => [crypto.hash('sha256', 'admin')],
    publicFiles: new Map(),
  }).request(path, { headers: { authorization: 'Bearer admin' } });

const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('what we do not understand', () => {
  test('is kept and relayed to a third appliance, and not shown: a new kind of thing, ids and payloads of another form', async () => {
    const { bar, cellar, attic, author, write } = await openLine();
    await write(
      { entity: 'loyalty_card', id: 'card-1', payload: { points: 3 } },
      { entity: 'loyalty_card', id: 'card-2', payload: { set: { '/points': 3 } }, seen: {} },
      { entity: 'ticket', id: 'a b\nc', payload: { body: {} } },
      { entity: 'ticket', id: '\ud800', payload: { body: {} } },
      { entity: 'ticket', id: 'with-vector', payload: ticketOp('with-vector').payload, seen: {} },
      { entity: 'product', id: 'without-vector', payload: { set: { '/name': 'x' } } },
      {
        entity: 'movement',
        id: 'odd-1',
        payload: { body: { id: 'odd-1' }, productId: 'p', kind: 'sale', quantity: 0.5 },
      },
      { entity: 'fork', id: 'mine', payload: { origin: author.origin, common: 'x', discarded: [1] } },
      { entity: 'fork', id: 'another', payload: { origin: `${'b'.repeat(26)}.1`, common: 0, discarded: [] } },
    );
    await write(ticketOp('behind-it'));
    for (const one of [bar, cellar, attic]) {
      expect(hasTicket(one, 'behind-it')).toBe(true);
      expect(hasTicket(one, 'a b\nc')).toBe(false);
      expect(hasTicket(one, 'with-vector')).toBe(false);
      expect(one.appliance.books.record('product', 'without-vector')).toBeUndefined();
      expect(one.appliance.books.counts()).toEqual({ products: 0, customers: 0, tickets: 1, movements: 1 });
      expect(alarmsOf(one)).toEqual([]);
    }
    await expectUnharmed(bar, attic);
  });

  test.each<[string, JsonObject | string]>([
    ['an empty set', { set: {} }],
    ['a set that is a list', { set: [1] as unknown as JsonObject }],
    ['no set', { colour: 'red' }],
    ['no object', '[]'],
    ['no JSON', 'set everything'],
    ['a moment of making beyond time', { set: { '/name': 'x', createdAt: 1e300 } }],
    ['nesting of 300,000', `{"set":{"/a":${deep(300_000)}}}`],
    ['nesting of 300,000 beside the set', `{"set":{"/a":1},"by":${deep(300_000)}}`],
  ])('B7 a product whose op has %s does not show and stops nothing', async (_what, payload) => {
    const { bar, cellar, attic, write } = await openLine();
    await bar.put('tea', { name: 'Tea' });
    await write({ entity: 'product', id: 'tea', payload, seen: {} }, productOp('cup', { '/name': 'Cup' }));
    await equal(bar, cellar, attic);
    for (const one of [bar, cellar, attic]) {
      expect([nameOf(one, 'tea'), nameOf(one, 'cup')]).toEqual(['Tea', 'Cup']);
      expect(alarmsOf(one)).toEqual([]);
    }
    await expectUnharmed(bar, attic);
  });

  test('D1 names that would reach a prototype are members like others, and reach none', async () => {
    const { bar, cellar, attic, write } = await openLine();
    const set =
      '{"__proto__":{"a":1},"/__proto__":{"b":2},"/attributes/__proto__":{"c":3},"constructor":4,"/name":"Tea"}';
    await write({ entity: 'product', id: 'tea', payload: `{"set":${set}}`, seen: {} });
    const rival = '{"__proto__":{"a":9},"/name":"Other"}';
    const second = createAuthor((await enter(bar)).who);
    const stranger = await enter(bar, { by: second.who });
    stranger.send(
      frameOf(second, second.write([{ entity: 'product', id: 'tea', payload: `{"set":${rival}}`, seen: {} }])),
    );
    await until('the rival edit is everywhere', () =>
      [bar, cellar, attic].every((one) => one.appliance.books.heads()[second.origin] === 1),
    );
    await equal(bar, cellar, attic);
    expect(({} as Record<string, unknown>).a ?? ({} as Record<string, unknown>).b).toBeUndefined();
    for (const one of [bar, cellar, attic]) {
      expect(Object.keys(one.appliance.books.record('product', 'tea')?.fields ?? {})).toContain('/name');
      expect(one.appliance.observe.conflicts({ limit: 10 }).rows[0]?.fields).toContain('/name');
    }
    await expectUnharmed(bar, attic);
  });

  test('B7 tickets that make no sense are listed by every appliance, and those behind them too', async () => {
    const { bar, cellar, attic, write } = await openLine();
    const odd = (id: string, payload: JsonObject): Written => ({
      id,
      payload: { body: { id }, products: [], flags: [], receivedAt: 0, ...payload },
    });
    await write(
      odd('odd-1', { receivedAt: 1e300 }),
      odd('odd-2', { flags: [{ not: 'text' }, 7] }),
      odd('odd-3', {
        body: { id: 'odd-3', lines: 'none', soldAt: {}, terminalId: ['x'], number: 1e300, total: 'much' },
      }),
      odd('odd-4', {
        body: { id: 'odd-4', lines: [null, 7, { quantity: 'two' }, { quantity: 1e300 }] },
        products: ['p', 'p', 'p', 'p'],
      }),
      odd('odd-5', { body: { id: 'odd-5', lines: [{ quantity: 1e9 }] }, products: ['p'] }),
      ticketOp('sane'),
    );
    await equal(bar, cellar, attic);
    expect(attic.appliance.books.tickets({ limit: 10 }).rows).toHaveLength(6);
    for (const path of ['tickets', 'stock', 'stock/movements', 'changes']) {
      const listed = await readOver(attic, `/api/v1/${path}`);
      expect([path, listed.status]).toEqual([path, 200]);
    }
    await expectUnharmed(bar, attic);
  });
});

describe('clocks', () => {
  test('C10 a product stamped in 2099 is kept; who has seen it and edits later wins (B5)', async () => {
    const { bar, cellar, attic, write } = await openLine();
    await write({ ...productOp('tea', { '/name': 'From the future' }), stampMs: Date.UTC(2099, 0, 1) });
    await attic.put('tea', { name: 'Tea' });
    await until('the later edit is everywhere', () =>
      [bar, cellar, attic].every((one) => nameOf(one, 'tea') === 'Tea'),
    );
    await equal(bar, cellar, attic);
    expect(bar.appliance.observe.conflicts({ limit: 10 }).rows).toEqual([]);
    await expectUnharmed(bar, attic);
  });

  test('C10 times that are shown stay right after an op of 2099, and its author is named', async () => {
    const { bar, attic, write } = await openLine();
    await write({ ...productOp('tea', { '/name': 'From the future' }), stampMs: Date.UTC(2099, 0, 1) });
    const before = Date.now();
    await attic.sell('now-1');
    await bar.put('cup', { name: 'Cup' });
    expect(attic.appliance.books.ticket('now-1')?.payload.receivedAt).toBeLessThan(before + 60_000);
    expect(bar.appliance.books.record('product', 'cup')?.createdAt).toBeLessThan(before + 60_000);
    expect(bar.appliance.books.record('product', 'cup')?.updatedAt).toBeLessThan(before + 60_000);
    expect(attic.appliance.books.stock('coffee')?.updatedAt).toBeLessThan(before + 60_000);
    expect(alarmsOf(bar).map(({ detail }) => detail)).toEqual([expect.stringContaining('stranger')]);
  });

  test('C10 at the very ceiling of stamps edits still follow one another, everywhere in one order', async () => {
    const { bar, cellar, attic, write } = await openLine();
    await write({
      ...productOp('tea', { '/name': 'At the ceiling' }),
      header: JSON.stringify({
        stamp: `${stampMsMax.toString(16).padStart(12, '0')}ffff`,
        entity: 'product',
        id: 'tea',
        seen: {},
      }),
    });
    for (const name of ['One', 'Two', 'Three']) await attic.put('tea', { name });
    await bar.run(putRecord({ entity: 'product', id: 'cup', document: { name: 'Cup' }, by: 'admin', mode: 'put' }));
    await equal(bar, cellar, attic);
    for (const one of [bar, cellar, attic]) expect([nameOf(one, 'tea'), nameOf(one, 'cup')]).toEqual(['Three', 'Cup']);
    await expectUnharmed(bar, attic);
  });
});
