// The till's page in a real browser, on hosts of a network: what a person at the till sees and keeps while appliances die,
// cables are pulled and proxies block. On addresses of the LAN, where browsers allow pages less than on loopback.

import { describe, expect, test } from 'vitest';
import { until } from '../waiting.ts';
import { inPage } from './browser.ts';
import { figure, withinBounds } from './figures.ts';
import { equal, useLab } from './shop.ts';
import { openTill, type Till } from './till-page.ts';
import {
  addressOf,
  barcode,
  numberOf,
  numbersTo,
  openOne,
  openPair,
  openTillBrowser,
  stockAtFirst,
  type TillMade,
  tillMissing,
  titled,
} from './till-shop.ts';

const soldSeenMs = 2_000;
/** Sends, and takes in what was sent, after a fault of some seconds. */
const settleMsMax = 60_000;
const timeout = 200_000;

describe.skipIf(tillMissing !== null)(titled('two tills at two appliances'), () => {
  const shop = useLab(4, '10.87.43');

  test('one sells, the other sees the stock change at once, on pages that are no secure context', { timeout }, () =>
    withinBounds(shop, async () => {
      const { made } = await openPair(shop);
      const openAt = async (host: number, { id, token }: TillMade): Promise<Till> => {
        const browser = await openTillBrowser(shop, host + 2, { folder: id });
        const till = await openTill(browser, shop.lab.address(host), token);
        await till.shows({ state: 'online', transport: 'websocket', appliance: addressOf(shop, host), away: 'false' });
        await till.scan(barcode);
        await until('the stock is shown', async () => (await till.stockOf('coffee')) === String(stockAtFirst));
        return till;
      };
      const [one, other] = await Promise.all([openAt(1, made[0]), openAt(2, made[1])]);
      for (const { page } of [one, other])
        expect(await inPage(page, 'return [isSecureContext, typeof crypto.randomUUID]')).toEqual([false, 'undefined']);
      const since = performance.now();
      await one.page.keyboard.press('Control+Enter');
      const seen = await figure('sold at one till, seen at the other', { since, msMax: soldSeenMs }, async () => {
        return (await other.stockOf('coffee')) === String(stockAtFirst - 1);
      });
      await one.page.locator('#last-sale[data-kept=appliance]', { hasText: numberOf(1) }).waitFor();
      await until('its own stock follows', async () => (await one.stockOf('coffee')) === String(stockAtFirst - 1));
      expect(await one.page.locator('#total').textContent()).toBe('€0.00');
      return [seen];
    }),
  );
});

describe.skipIf(tillMissing !== null)(titled('a till whose appliance dies'), () => {
  const shop = useLab(3, '10.87.44');

  test('B1 B2 B7 of 200 sales in the middle of which it dies, each counts once, in order, and the till goes home', {
    timeout,
  }, async () => {
    const { bar, cellar, places, desks, made } = await openPair(shop);
    const [{ id, token }] = made;
    const browser = await openTillBrowser(shop, 3, { folder: 'till' });
    const till = await openTill(browser, shop.lab.address(1), token);
    await till.shows({ state: 'online', appliance: addressOf(shop, 1) });
    const known = () => till.inManager<string[]>('return manager.appliances()');
    await until('it knows the other', async () => (await known()).includes(addressOf(shop, 2)));
    for (let count = 1; count <= 200; count++) {
      await till.sell(barcode);
      if (count === 80) bar.signal('SIGKILL');
    }
    await bar.ended;
    await till.hasSold(numberOf(200));
    await till.shows({ state: 'online', away: 'true', appliance: addressOf(shop, 2), pending: 0 }, settleMsMax);
    const shown = await till.shown();
    expect(shown.some(({ words }) => words.includes('in place of its own appliance'))).toBe(true);
    expect(Math.max(...shown.map(({ pending }) => pending))).toBeGreaterThan(0);

    const again = await places.bar.start();
    await till.shows({ state: 'online', away: 'false', appliance: addressOf(shop, 1), pending: 0 }, settleMsMax);
    await equal(again, cellar);
    for (const desk of Object.values(desks)) {
      const tickets = await desk.ticketsOf(id);
      expect(tickets.map(({ number }) => number).sort()).toEqual(numbersTo(200));
      expect(await desk.stock()).toBe(stockAtFirst - 200);
      for (const { replicaId } of [bar, cellar]) {
        const taken = tickets.filter(({ origin }) => origin === replicaId).map(({ number }) => number);
        expect(taken.length).toBeGreaterThan(0);
        expect(taken).toEqual([...taken].sort());
      }
    }
  });
});

describe.skipIf(tillMissing !== null)(titled('a till that is alone'), () => {
  const shop = useLab(3, '10.87.45');

  test.for(['close', 'kill'] as const)(
    'B1 B2 sells 20, its browser ends (%s) before any was sent: each is sent when the page is opened again',
    { timeout },
    async (end) => {
      const { bar, cellar, desks, made } = await openPair(shop);
      const [{ id, token }] = made;
      const first = await openTillBrowser(shop, 3, { folder: end });
      const till = await openTill(first, shop.lab.address(1), token);
      await till.shows({ state: 'online', appliance: addressOf(shop, 1) });
      await till.scan(barcode);
      await until('the stock is shown', async () => (await till.stockOf('coffee')) === String(stockAtFirst));
      for (const host of ['1', '2']) shop.lab.fault('unplug', host);
      await till.page.keyboard.press('Control+Enter');
      for (let count = 2; count <= 20; count++) await till.sell(barcode);
      await till.hasSold(numberOf(20));
      await till.shows({ state: 'offline', pending: 20 }, settleMsMax);
      await first[end]();
      for (const desk of Object.values(desks)) expect(await desk.ticketsOf(id)).toEqual([]);
      for (const host of ['1', '2']) shop.lab.fault('plug', host);

      const second = await openTillBrowser(shop, 3, { folder: end });
      const again = await openTill(second, shop.lab.address(1), token);
      await again.shows({ state: 'online', pending: 0 }, settleMsMax);
      await equal(bar, cellar);
      for (const desk of Object.values(desks)) {
        expect((await desk.ticketsOf(id)).map(({ number }) => number)).toEqual(numbersTo(20));
        expect(await desk.stock()).toBe(stockAtFirst - 20);
      }
    },
  );
});

describe.skipIf(tillMissing !== null)(titled('a till at its appliance'), () => {
  const shop = useLab(2, '10.87.47');

  test('B7 a ticket that is refused is shown with its reason and holds up nothing; a person sends it again, or forgets it', async () => {
    const { desk, made } = await openOne(shop);
    const { id, token } = made;
    const till = await openTill(await openTillBrowser(shop, 2, { folder: 'till' }), shop.lab.address(1), token);
    await till.shows({ state: 'online' });
    await till.sell(barcode);
    await till.page.locator('#last-sale[data-kept=appliance]', { hasText: numberOf(1) }).waitFor();
    const [known] = await desk.ticketsOf(id);
    const refused = [
      { id: 'nonsense', number: 'X-1', kind: 'nonsense', lines: [] },
      { id: known?.id, number: 'X-2', lines: [], total: 1 },
    ];
    for (const ticket of refused) await till.inManager('await manager.sell(argument)', ticket);
    for (const count of [2, 3]) {
      await till.sell(barcode);
      await till.page.locator('#last-sale[data-kept=appliance]', { hasText: numberOf(count) }).waitFor();
    }
    await till.shows({ pending: 0 });
    const rows = till.page.locator('#rejected li');
    await until('both are shown', async () => (await rows.count()) === 2);
    expect(await rows.nth(0).textContent()).toMatch(/X-1.*kind/s);
    expect(await rows.nth(1).textContent()).toContain('X-2');
    expect(await rows.nth(1).getAttribute('data-code')).toBe('ticket_differs');
    expect((await desk.ticketsOf(id)).map(({ number }) => number)).toEqual(numbersTo(3));

    const drawnAt = () => till.page.locator('#rejected').getAttribute('data-key');
    const before = await drawnAt();
    await rows.nth(0).getByRole('button', { name: 'Send again' }).click();
    await until('it is refused again', async () => (await rows.count()) === 2 && (await drawnAt()) !== before);
    till.page.on('dialog', (dialog) => void dialog.accept());
    // By keyboard, which goes on at the next one, and at the barcode after the last.
    const [first, last] = (await rows.locator('.what').allTextContents()).map((number) => `Forget: ${number}`);
    await till.page.getByRole('button', { name: first, exact: true }).press('Enter');
    await till.page.locator(`[aria-label="${last}"]:focus`).press('Enter');
    await till.page.locator('#barcode:focus').waitFor();
    expect(await rows.count()).toBe(0);
    expect(await till.page.locator('#refused').isVisible()).toBe(false);
    expect((await desk.ticketsOf(id)).map(({ number }) => number)).toEqual(numbersTo(3));
  });

  test('a barcode stands for what the books say now; a name is text, whatever is in it', async () => {
    const { desk, made } = await openOne(shop);
    const till = await openTill(await openTillBrowser(shop, 2, { folder: 'books' }), shop.lab.address(1), made.token);
    await till.shows({ state: 'online', transport: 'websocket' });
    const name = `Coffee <img src=x onerror="document.title='harmed'">`;
    const hostile = { name, price: 100, currency: 'EUR', barcodes: ['77123456'] };
    let onHand = 0;
    /** Changes are told in order: when the stock is shown, what was said before it has been heard. */
    const change = async (id: string, product: object): Promise<void> => {
      await desk.ask('PUT', `/api/v1/products/${id}`, product);
      const one = { id: `one-${++onHand}`, productId: 'hostile', kind: 'receipt', quantity: 1 };
      await desk.ask('POST', '/api/v1/stock/movements', one);
    };
    const scanned = async (): Promise<(string | null)[]> => {
      if (onHand > 1) await until('told', async () => (await till.stockOf('hostile')) === String(onHand));
      await till.scan('77123456');
      const line = till.page.locator('#basket li');
      const shown = [await line.locator('.name').textContent(), await line.locator('.price').inputValue()];
      await line.getByRole('button', { name: 'Remove' }).click();
      return shown;
    };
    await change('hostile', hostile);
    expect(await scanned()).toEqual([name, '1.00']);
    expect(await till.page.locator('#stock .name').textContent()).toBe(name);
    expect([await till.page.title(), await till.page.locator('img').count()]).toEqual(['Till', 0]);

    await change('hostile', { ...hostile, archived: true });
    expect(await scanned()).toEqual(['Unknown: 77123456', '']);
    await change('hostile', { ...hostile, archived: false, price: 110 });
    expect(await scanned()).toEqual([name, '1.10']);
    await change('hostile', { ...hostile, barcodes: [] });
    await change('tea', { ...hostile, name: 'Tea', price: 900 });
    expect(await scanned()).toEqual(['Tea', '9.00']);
  });

  test('money has the digits of ISO 4217, whatever the browser shows, and half a cent is rounded up', async () => {
    await shop.place(1, 'bar').start();
    const page = await (await openTillBrowser(shop, 2, { folder: 'money' })).newPage();
    await page.goto(`${addressOf(shop, 1)}/till.html`);
    const told = `
      const { amountOf, decimal, minorUnits, money } = await import('/till-money.js');
      const of = (act, ...cases) => cases.map(([first, currency]) => act(first, currency));
      return {
        shown: of(money, [49000, 'HUF'], [500, 'JPY'], [1500, 'KWD'], [490, 'EUR']),
        ready: of(decimal, [123456, 'RSD'], [500, 'KRW'], [1500, 'TND']),
        typed: of(minorUnits, ['490,5', 'HUF'], ['500', 'JPY'], ['500.0', 'JPY'], ['1.5', 'BHD']),
        scanned: of(minorUnits, ['1234567', 'EUR'], ['1234567.', 'EUR'], ['123456', 'EUR']),
        amounts: [1.015, 8.045, 2].map((quantity) => amountOf({ quantity, unitPrice: 100 })),
      };`;
    expect(await inPage(page, told)).toEqual({
      shown: ['HUF\u00a0490.00', '¥500', 'KWD\u00a01.500', '€4.90'],
      ready: ['1234.56', '500', '1.500'],
      typed: [49050, 500, null, 1500],
      scanned: [null, 123456700, 12345600],
      amounts: [102, 805, 200],
    });
  });

  test('B7 a barcode that nobody knows is sold at a price typed by hand, on a small screen, in French', async () => {
    const { desk, made } = await openOne(shop);
    const { id, token } = made;
    const small = { folder: 'small', locale: 'fr-FR', viewport: { width: 360, height: 740 } };
    const { page, ...till } = await openTill(await openTillBrowser(shop, 2, small), shop.lab.address(1), token);
    await till.shows({ state: 'online' });
    await till.scan('12345');
    await page.locator('#basket .price:focus').waitFor();
    await page.keyboard.press('Control+Enter');
    expect(await page.locator('#basket .price:invalid').count()).toBe(1);
    // A scanner types where one is; what it typed is no price, and is typed over.
    await page.keyboard.insertText('96385074');
    await page.keyboard.press('Enter');
    expect(await inPage(page, 'return document.activeElement.validationMessage')).toMatch(/code-barres/);
    await page.keyboard.press('Control+Enter');
    await page.keyboard.insertText('1,20');
    await page.keyboard.press('Enter');
    // Sold without the Enter after the barcode.
    await page.locator('#barcode:focus').fill(barcode);
    await page.keyboard.press('Control+Enter');
    await page.locator('#last-sale[data-kept=appliance]', { hasText: numberOf(1) }).waitFor();
    expect(await page.locator('#last-sale').textContent()).toMatch(/6,10\s€.*confirmée/);
    expect(await desk.ticketsOf(id)).toMatchObject([
      {
        currency: 'EUR',
        lines: [
          { barcode: '12345', unitPrice: 120, total: 120 },
          { productId: 'coffee', total: 490 },
        ],
        payments: [{ method: 'cash', amount: 610 }],
        total: 610,
        flags: ['unknown_product'],
      },
    ]);
    expect(await inPage(page, 'return document.documentElement.lang')).toBe('fr');
    expect(await inPage(page, 'return document.documentElement.scrollWidth')).toBe(360);
    expect(await page.getByRole('button', { name: 'Vendre' }).count()).toBe(1);
  });
});
