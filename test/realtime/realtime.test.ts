// The service behind both transports: a reader that stops and goes on anywhere hears everything once, in one order; nothing
// that breaks above or below it, not even the disk, harms anybody else.

import { describe, expect, test } from 'vitest';
import type { Failure } from '../../src/core/command.ts';
import { livePumpReadsMax, liveSweepMs } from '../../src/core/limits.ts';
import { entryText } from '../../src/edges/http/live-documents.ts';
import { systemTimers } from '../../src/edges/system.ts';
import type { ListenerEvents } from '../../src/realtime/hub.ts';
import type { Audience, Interest } from '../../src/realtime/message.ts';
import type { Realtime } from '../../src/realtime/realtime.ts';
import type { Entry } from '../../src/realtime/stream.ts';
import { openShop, type TestShop } from '../http/appliance.ts';
import { createFaultyDisk } from '../storage/opened.ts';
import { until } from '../waiting.ts';

const interest: Interest = { user: 'u', topics: new Set(['k']) };
const note = (realtime: Realtime, payload: string | number, to: Audience = 'all') =>
  realtime.publish({ type: 'note', payload, to });

function listen({ appliance: { realtime } }: TestShop, events: Partial<ListenerEvents> = {}, cursor?: string) {
  const start = realtime.placeOf(cursor);
  if (!start.ok) throw new Error(start.detail);
  const heard: string[] = [];
  const listener = realtime.listen(start, interest, {
    isReady: () => true,
    entries(entries) {
      heard.push(...entries.map((entry) => (entry.kind === 'message' ? entry.message.payload : entry.change.id)));
      return entries.length;
    },
    lost: () => {},
    refusalNow: () => undefined,
    refused: () => {},
    ...events,
  });
  return { heard, listener };
}

/** Numbers that look like chance, the same for the same seed. */
function diceOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('a reader that stops and goes on anywhere, reading and listening in turns', () => {
  test.each([1, 2, 3, 4])(
    'hears every message of his once and in order, and each record as it is at last (seed %i)',
    async (seed) => {
      const dice = diceOf(seed);
      const shop = openShop();
      const { realtime } = shop.appliance;
      let cursor = realtime.cursorOf(placeOf(realtime).place);
      const told: { type: string; cursor: string; payload: { section: string; id: string; data: unknown } }[] = [];
      const take = (entry: Entry): void => {
        told.push(JSON.parse(entryText(entry)));
        cursor = entry.cursor;
      };

      /** One turn: some are taken, and the place is where he stopped. */
      async function readSome(): Promise<void> {
        const start = placeOf(realtime, cursor);
        expect(start.lost).toBeUndefined();
        if (dice(2) === 0) {
          const { entries, place } = realtime.read(start.place, interest);
          const count = dice(3) === 0 ? dice(entries.length + 1) : entries.length;
          entries.slice(0, count).forEach(take);
          if (count === entries.length) cursor = realtime.cursorOf(place);
          return;
        }
        let room = 1 + dice(30);
        const { listener } = listen(
          shop,
          {
            isReady: () => room > 0,
            entries(entries) {
              const taken = entries.slice(0, room);
              taken.forEach(take);
              room -= taken.length;
              return taken.length;
            },
            lost: (lost) => expect.fail(`told that ${lost} are lost`),
          },
          cursor,
        );
        for (let turns = dice(4); turns >= 0; turns--) await turnOfLoop();
        if (room > 0) cursor = realtime.cursorOf(listener.place());
        listener.end();
      }

      const said: string[] = [];
      for (let step = 0; step < 60; step++) {
        const asked: Promise<unknown>[] = [];
        for (let count = dice(5); count >= 0; count--) asked.push(doSomething(shop, dice, `${step}-${count}`, said));
        if (dice(3) > 0) await Promise.all(asked);
        await readSome();
        await Promise.all(asked);
      }
      for (let before = ''; before !== cursor; ) {
        before = cursor;
        await readSome();
      }
      const rest = realtime.read(placeOf(realtime, cursor).place, interest);
      rest.entries.forEach(take);
      expect(told.filter(({ type }) => type === 'note').map(({ payload }) => payload)).toEqual(said);
      expect(new Set(told.map((message) => message.cursor)).size).toBe(told.length);
      const last = new Map(told.map(({ payload: { section, id, data } }) => [`${section}/${id}`, data]));
      for (const section of ['products', 'stock']) {
        const { data } = (await shop.ask('GET', `/api/v1/${section}?limit=100`)).json;
        expect(data.length).toBeGreaterThan(2);
        for (const row of data) expect(last.get(`${section}/${row.id ?? row.productId}`)).toEqual(row);
      }
    },
  );
});

const turnOfLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function placeOf(realtime: Realtime, cursor?: string) {
  const found = realtime.placeOf(cursor);
  if (!found.ok) throw new Error(found.detail);
  return found;
}

/** `said`: what the reader must hear of it. */
async function doSomething(
  shop: TestShop,
  dice: (below: number) => number,
  name: string,
  said: string[],
): Promise<void> {
  const product = `p${dice(6)}`;
  const what = dice(5);
  if (what === 0) return void (await shop.ask('PUT', `/api/v1/products/${product}`, { name }));
  if (what === 1) return void (await shop.ask('DELETE', `/api/v1/products/${product}`));
  if (what === 2) {
    const lines = Array.from({ length: 1 + dice(60) }, (_, n) => ({ productId: `p${n % 7}`, quantity: 1 }));
    return void (await shop.ask('POST', '/api/v1/tickets', { id: `t-${name}`, lines }));
  }
  const audiences: Audience[] = ['all', { user: 'u' }, { user: 'v' }, { topics: ['k', 'x'] }, { topics: ['x'] }];
  const to = audiences[dice(5)] ?? 'all';
  note(shop.appliance.realtime, name, to);
  const isHis = to === 'all' || ('user' in to ? to.user === 'u' : to.topics.includes('k'));
  if (isHis) said.push(name);
}

describe('what breaks harms nobody else', () => {
  test('a listener that throws when it is told something, or sent away', async () => {
    const shop = openShop();
    const broken = () => {
      throw new Error('broken');
    };
    listen(shop, { entries: broken });
    const { heard } = listen(shop);
    note(shop.appliance.realtime, 1);
    await until('the other hears of it', () => heard.length === 1);
    expect(shop.log.filter(({ message }) => message === 'a listener broke')).toHaveLength(1);
    const refusal: Failure = { ok: false, code: 'x', detail: '' };
    listen(shop, { refusalNow: () => refusal, refused: broken });
    shop.appliance.realtime.recheck();
    expect(shop.log.filter(({ message }) => message === 'a listener broke')).toHaveLength(2);
  });

  test('B10 one that cannot be looked at keeps nobody else in, and is looked at again', async () => {
    const shop = openShop();
    let [isBad, isOut] = [true, false];
    const refusal: Failure = { ok: false, code: 'x', detail: '' };
    const [refused, unsure]: string[][] = [[], []];
    listen(shop, {
      refusalNow() {
        if (isBad) throw new Error('disk I/O error');
        return isOut ? refusal : undefined;
      },
      refused: ({ code }) => unsure?.push(code),
    });
    listen(shop, { refusalNow: () => refusal, refused: ({ code }) => refused?.push(code) });
    await shop.ask('PUT', '/api/v1/products/x', { name: 'x' });
    await until('one is out', () => refused?.length === 1);
    [isBad, isOut] = [false, true];
    await shop.ask('PUT', '/api/v1/tickets/t', { lines: [] });
    await until('the other, too', () => unsure?.length === 1);
  });

  test('B7 while the disk is away nothing throws, one line is logged, and what needs no books is told', async () => {
    const disk = createFaultyDisk();
    const sweeps: (() => void)[] = [];
    const timers = {
      ...systemTimers,
      after(delayMs: number, run: () => void) {
        if (delayMs !== liveSweepMs) return systemTimers.after(delayMs, run);
        sweeps.push(run);
        return { cancel: () => {} };
      },
    };
    const shop = openShop({ ports: { openDatabase: disk.openDatabase, timers } });
    const { token } = await shop.makeTill();
    const { realtime } = shop.appliance;
    const listeners = Array.from({ length: 20 }, () => listen(shop));
    const polling = shop.ask('GET', '/api/sync/poll?wait=20', undefined, { token });
    await until('all listen', () => realtime.listening() === 21);
    disk.setGone(true);
    disk.arm('commit fails');
    expect((await shop.ask('PUT', '/api/v1/products/x', { name: 'x' })).status).toBe(503);
    for (let n = 0; n < 10; n++) note(realtime, n);
    await until('all hear of it', () => listeners.every(({ heard }) => heard.length === 10));
    for (const sweep of sweeps.splice(0)) sweep();
    expect(sweeps).toHaveLength(1);
    expect((await polling).json.count).toBe(10);
    expect(shop.log.filter(({ message }) => message.startsWith('what changed cannot be read')).length).toBeLessThan(2);
    disk.setGone(false);
  });

  test('what no peer could take is not published', () => {
    const { realtime } = openShop().appliance;
    const topics = Array.from({ length: 17 }, (_, n) => `t${n}`);
    const bad = [
      { to: { topics: [] } },
      { to: { topics } },
      { to: { user: '' } },
      { to: { topics: ['a b'] } },
    ] as const;
    for (const one of bad) expect(realtime.publish({ type: 'note', payload: 1, ...one })).toMatchObject({ ok: false });
    for (const correlationId of ['', 'c'.repeat(129)])
      expect(realtime.publish({ type: 'note', payload: 1, to: 'all', correlationId })).toMatchObject({ ok: false });
    expect(realtime.status().messages).toBe(0);
  });

  test('B8 many who stand apart are served a few at a turn, and all in the end', async () => {
    const shop = openShop();
    const cursors: string[] = [];
    for (let n = 0; n < 40; n++) {
      await shop.ask('PUT', `/api/v1/products/p${n}`, { name: 'x' });
      cursors.push(shop.appliance.realtime.cursorOf(placeOf(shop.appliance.realtime).place));
    }
    let [served, most] = [0, 0];
    const entries = (list: readonly Entry[]): number => {
      served += 1;
      most = Math.max(most, served);
      setImmediate(() => {
        served = 0;
      });
      return list.length;
    };
    const places = cursors.map((cursor) => listen(shop, { entries }, cursor).listener);
    const end = cursors.at(-1);
    await until('all are at the end', () =>
      places.every((listener) => shop.appliance.realtime.cursorOf(listener.place()) === end),
    );
    expect(most).toBeLessThanOrEqual(livePumpReadsMax);
    expect(most).toBeGreaterThan(1);
  });
});
