// A shop with a product, some of it in stock, and tills: what the stories of the till begin with, and where they look.
// They need a browser beside the lab; without one `tillMissing` says so.

import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { node } from '../built-file.ts';
import { until } from '../waiting.ts';
import { type Browser, type BrowserOptions, browserMissing, openBrowser } from './browser.ts';
import { type Appliance, allLinked, equal, type LabShop, labMissing, type Place, token } from './shop.ts';

/** Why the till's page cannot be tried here, or null. */
export const tillMissing = labMissing ?? browserMissing;
if (browserMissing) console.warn(`The till's page is not tried: ${browserMissing}`);
export const titled = (title: string): string => (tillMissing ? `${title} (skipped: ${tillMissing})` : title);

export const barcode = '4006381333931';
export const stockAtFirst = 900;

/** An admin's program beside an appliance. */
export type Desk = {
  ask<Got>(method: string, path: string, body?: unknown): Promise<Got>;
  makeTill(name: string): Promise<TillMade>;
  /** In the order of arrival there. */
  ticketsOf(terminalId: string): Promise<readonly Ticket[]>;
  stock(): Promise<number>;
};

export type TillMade = { readonly id: string; readonly token: string };
export type Ticket = { readonly id: string; readonly number: string; readonly origin: string };

function openDesk(shop: LabShop, host: number): Desk {
  const program = shop.lab.run(host, node.path, join(import.meta.dirname, 'asker-program.ts'), token);
  onTestFinished(async () => {
    program.kill();
    await program.ended;
  });
  let count = 0;
  async function ask<Got>(method: string, path: string, body?: unknown): Promise<Got> {
    const id = count++;
    program.say(JSON.stringify({ id, method, path, body }));
    const { status, answer, failure } = await program.line((line) => line.id === id);
    if (Number(status) >= 200 && Number(status) < 300) return answer as Got;
    throw new Error(`${method} ${path} was answered with ${status ?? failure}: ${JSON.stringify(answer)}`);
  }
  return {
    ask,
    makeTill: (name) => ask('POST', '/api/v1/terminals', { name }),
    ticketsOf: async (terminalId) =>
      (await ask<{ data: Ticket[] }>('GET', `/api/v1/tickets?terminalId=${terminalId}&limit=1000`)).data,
    stock: async () => (await ask<{ onHand: number }>('GET', '/api/v1/stock/coffee')).onHand,
  };
}

async function fillBooks(desk: Desk): Promise<void> {
  const coffee = { name: 'Coffee 250 g', price: 490, currency: 'EUR', barcodes: [barcode] };
  await desk.ask('PUT', '/api/v1/products/coffee', coffee);
  const delivery = { id: 'delivery', productId: 'coffee', kind: 'receipt', quantity: stockAtFirst };
  await desk.ask('POST', '/api/v1/stock/movements', delivery);
}

/** One appliance, on host 1, and what was made there. */
export async function openOne(shop: LabShop): Promise<{ readonly desk: Desk; readonly made: TillMade }> {
  await shop.place(1, 'bar').start();
  const desk = openDesk(shop, 1);
  await fillBooks(desk);
  return { desk, made: await desk.makeTill('Till 1') };
}

export type Pair = {
  readonly bar: Appliance;
  readonly cellar: Appliance;
  readonly places: { readonly bar: Place; readonly cellar: Place };
  readonly desks: { readonly bar: Desk; readonly cellar: Desk };
  /** Tills that both appliances know. */
  readonly made: readonly [TillMade, TillMade];
};

/** Two appliances on the hosts 1 and 2, linked and with equal books. */
export async function openPair(shop: LabShop): Promise<Pair> {
  const places = { bar: shop.place(1, 'bar'), cellar: shop.place(2, 'cellar') };
  const [bar, cellar] = await Promise.all([places.bar.start(), places.cellar.start()]);
  await until('linked', () => allLinked(bar, cellar));
  const desks = { bar: openDesk(shop, 1), cellar: openDesk(shop, 2) };
  await fillBooks(desks.bar);
  const made = [await desks.bar.makeTill('Till 1'), await desks.bar.makeTill('Till 2')] as const;
  await equal(bar, cellar);
  return { bar, cellar, places, desks, made };
}

/** Ends with the test, which fails where a page complained. */
export async function openTillBrowser(shop: LabShop, host: number, options: BrowserOptions): Promise<Browser> {
  const browser = await openBrowser(shop.lab, host, options);
  onTestFinished(async () => {
    await browser.close();
    expect(browser.complaints).toEqual([]);
  });
  return browser;
}

export const addressOf = (shop: LabShop, host: number): string => `http://${shop.lab.address(host)}:3030`;

/** "T-000001" and on, as the page gives them. */
export const numberOf = (count: number): string => `T-${String(count).padStart(6, '0')}`;
export const numbersTo = (count: number): string[] => Array.from({ length: count }, (_, index) => numberOf(index + 1));
