// A till whose network lets no WebSocket through, or forgets those that are open: it is told everything all the same, each
// thing once, and by WebSocket again as soon as that goes.

import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { node } from '../built-file.ts';
import { until } from '../waiting.ts';
import { useLab } from './shop.ts';
import { openTill } from './till-page.ts';
import {
  addressOf,
  barcode,
  numberOf,
  openOne,
  openTillBrowser,
  stockAtFirst,
  tillMissing,
  titled,
} from './till-shop.ts';

const settleMsMax = 60_000;
/** Who was refused a WebSocket often asks again once a minute. */
const websocketMsMax = 90_000;
/** More than a long wait needs; it is told meanwhile, so that it falls into every moment of a change. */
const toldMax = 150;
const timeout = 200_000;

describe.skipIf(tillMissing !== null)(titled('a till behind a proxy'), () => {
  const shop = useLab(3, '10.87.46');

  test.for(['refuse', 'swallow'])(
    'that blocks WebSockets (%s) is told everything by polling, and goes to WebSocket as soon as it may',
    { timeout },
    async (mode) => {
      const { desk, made } = await openOne(shop);
      const { id, token } = made;
      // The till reaches its appliance through the proxy alone.
      shop.lab.fault('partition', '1', '3');
      const proxy = shop.lab.run(2, node.path, join(import.meta.dirname, 'proxy-program.ts'), shop.lab.address(1));
      onTestFinished(async () => {
        proxy.kill();
        await proxy.ended;
      });
      await proxy.line((line) => line.ready === true);
      const become = async (word: string): Promise<void> => {
        proxy.say(word);
        await proxy.line((line) => line.now === word);
      };
      await become(mode);
      const till = await openTill(await openTillBrowser(shop, 3, { folder: mode }), shop.lab.address(2), token);
      await till.shows({ state: 'online', transport: 'polling', appliance: addressOf(shop, 2) }, settleMsMax);
      await proxy.line((line) => line.upgrade === mode);
      await till.inManager(keepTold);
      await till.sell(barcode);
      await till.page.locator('#last-sale[data-kept=appliance]').waitFor();
      await until('the stock is told', async () => (await till.stockOf('coffee')) === String(stockAtFirst - 1));

      let count = 0;
      const tell = async (): Promise<void> => {
        count++;
        await desk.ask('PUT', `/api/v1/products/told-${count}`, { name: `Told ${count}` });
        await desk.ask('POST', '/api/sync/broadcast', { type: 'user.action', payload: { count } });
      };
      for (let told = 0; told < 5; told++) await tell();
      await until('told by polling', async () => (await till.inManager<Told>('return told')).length >= 10);
      expect((await till.shown()).some(({ transport }) => transport === 'websocket')).toBe(false);
      const tellUntil = (transport: string): Promise<void> => {
        const countMax = count + toldMax;
        const isSo = async (): Promise<boolean> => {
          if (count < countMax) await tell();
          return (await till.shown()).at(-1)?.transport === transport;
        };
        return until(`messages come by ${transport}`, isSo, websocketMsMax);
      };
      await become('pass');
      await tellUntil('websocket');
      await proxy.line((line) => line.upgrade === 'pass');
      // The open one falls silent, as behind a router that has forgotten it.
      await become('swallow');
      await tellUntil('polling');
      await become('pass');
      await tellUntil('websocket');
      for (let told = 0; told < 5; told++) await tell();
      await until('all is told', async () => (await till.inManager<Told>('return told')).length >= 2 * count);
      const told = await till.inManager<Told>('return told');
      const numbers = Array.from({ length: count }, (_, index) => index + 1);
      expect(told.filter(({ type }) => type === 'user.action').map(({ of }) => of)).toEqual(numbers);
      expect(told.filter(({ type }) => type === 'data.updated').map(({ of }) => of)).toEqual(
        numbers.map((number) => `told-${number}`),
      );
      expect(new Set(told.map(({ id }) => id)).size).toBe(2 * count);
      expect((await desk.ticketsOf(id)).map(({ number }) => number)).toEqual([numberOf(1)]);
    },
  );
});

type Told = readonly { readonly id: string; readonly type: string; readonly of: unknown }[];

/** Of what the desk tells; a resync would be among them. */
const keepTold = `
  globalThis.told = [];
  manager.onMessage(({ id, type, payload }) => {
    if (type === 'data.updated' && !payload.id.startsWith('told-')) return;
    told.push({ id, type, of: type === 'data.updated' ? payload.id : payload?.count });
  });
`;
