// What a person does at the till's page, and sees there; and what its connection knows, asked in the page as one of its
// scripts would.

import type { Page } from 'playwright-core';
import { until } from '../waiting.ts';
import { type Browser, inPage } from './browser.ts';

export type Shown = {
  readonly state: string;
  readonly transport: string;
  readonly appliance: string;
  readonly away: string;
  /** The sentence. */
  readonly words: string;
  /** The badge. */
  readonly pending: number;
};

export type Till = {
  readonly page: Page;
  /** Types it into its field and presses Enter. */
  scan(barcode: string): Promise<void>;
  /** One of it, by keyboard. Resolves before it is sold: a person does not wait either. */
  sell(barcode: string): Promise<void>;
  /** That the sale of this number is written on the till, or further. */
  hasSold(number: string): Promise<void>;
  /** Until it stands so. */
  shows(what: Partial<Shown>, msMax?: number): Promise<void>;
  /** All that it has shown so far, in order. */
  shown(): Promise<readonly Shown[]>;
  /** In the page, as the body of an async function of `manager`, the page's own, and `argument`. */
  inManager<Got>(body: string, argument?: unknown): Promise<Got>;
  stockOf(productId: string): Promise<string>;
};

/** Opens the page that the appliance at `address` serves; enters the token where the browser has not kept it. */
export async function openTill(browser: Browser, address: string, token: string): Promise<Till> {
  const page = await browser.newPage();
  await page.goto(`http://${address}:3030/till.html`);
  await inPage(page, watchState);
  await page.locator('#token-form:not([hidden]), #counter:not([hidden])').waitFor();
  if (await page.locator('#token').isVisible()) {
    await page.locator('#token').fill(token);
    await page.locator('#token').press('Enter');
  }
  const shown = () => inPage<Shown[]>(page, 'return shown');
  const scan = async (barcode: string): Promise<void> => {
    await page.locator('#barcode').fill(barcode);
    await page.locator('#barcode').press('Enter');
  };
  return {
    page,
    scan,
    shown,
    async sell(barcode) {
      // As a scanner does: it types wherever one is, which is the barcode after each sale.
      await page.keyboard.insertText(barcode);
      await page.keyboard.press('Enter');
      await page.keyboard.press('Control+Enter');
    },
    hasSold: (number) => page.locator('#last-sale', { hasText: number }).waitFor(),
    async shows(what, msMax) {
      let last: Shown | undefined;
      const isSo = async (): Promise<boolean> => {
        last = (await shown()).at(-1);
        return Object.entries(what).every(([name, value]) => last?.[name as keyof Shown] === value);
      };
      await until(`the page shows ${JSON.stringify(what)}`, isSo, msMax).catch((error: Error) => {
        throw new Error(`${error.message}, but ${JSON.stringify(last)}`);
      });
    },
    inManager: (body, argument = null) =>
      inPage(
        page,
        `const manager = (await import('/client.js')).getConnectionManager(argument.options); ${managerBody(body)}`,
        {
          options: { token, topics: ['stock', 'products'] },
          argument,
        },
      ),
    stockOf: async (productId) => (await page.locator(`[data-stock-of="${productId}"]`).textContent()) ?? '',
  };
}

/** The page's own argument holds the options, too. */
const managerBody = (body: string): string => `return (async (argument) => { ${body} })(argument.argument);`;

/** Keeps what the page shows, as often as it changes, before anybody could look. */
const watchState = `
  const [state, pending] = ['state', 'pending'].map((id) => document.getElementById(id));
  globalThis.shown = [];
  const note = () => {
    const { state: name, transport, appliance, away } = state.dataset;
    shown.push({ state: name, transport, appliance, away, words: state.textContent, pending: Number(pending.dataset.count) });
  };
  note();
  const watcher = new MutationObserver(note);
  for (const element of [state, pending]) watcher.observe(element, { attributes: true, childList: true });
`;
