// Real trading days of a real shop, played through the built file by the demo's three tills, one appliance cut off for a
// third of the day; the books of each are compared with figures reckoned from the CSV here, by other code.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { getAll } from '../src/demo/appliance-process.ts';
import { dayFromCsv } from '../src/demo/csv.ts';
import { playDay, type Shop } from '../src/demo/play-day.ts';
import { createScreen } from '../src/demo/screen.ts';
import { node, runToEnd } from './built-file.ts';

const root = join(import.meta.dirname, '..');
const builtFile = join(root, 'dist/tillmesh.mjs');
const daysFolder = join(root, '../shared/data/trading-days');
const areDaysHere = existsSync(daysFolder);
if (!areDaysHere) console.warn(`real days are not played: ${daysFolder} is not here`);

type Reckoned = { tickets: number; refunds: number; pence: number; soldByCode: Map<string, number> };

/** From the text, character by character, with no library and no float. */
function reckon(csv: string): Reckoned {
  const invoices = new Set<string>();
  const soldByCode = new Map<string, number>();
  let pence = 0;
  for (const line of csv.trimEnd().split('\n').slice(1)) {
    const [invoice = '', code = '', , quantity = '', , price = ''] = cellsOf(line);
    const [pounds = '', hundredths = ''] = price.split('.');
    invoices.add(invoice);
    soldByCode.set(code, (soldByCode.get(code) ?? 0) + Number.parseInt(quantity, 10));
    pence += Number.parseInt(quantity, 10) * Number.parseInt(pounds + `${hundredths}00`.slice(0, 2), 10);
  }
  const refunds = [...invoices].filter((invoice) => invoice.startsWith('C')).length;
  return { tickets: invoices.size, refunds, pence, soldByCode };
}

function cellsOf(line: string): string[] {
  const cells = [''];
  let isQuoted = false;
  for (const character of line) {
    if (character === '"') isQuoted = !isQuoted;
    else if (character === ',' && !isQuoted) cells.push('');
    else cells[cells.length - 1] += character;
  }
  return cells;
}

type Ticket = { kind: string; total: number };
type Movement = { productId: string; kind: string; quantity: number };
type Product = { id: string; sku: string };

async function compare({ admin }: Shop, reckoned: Reckoned): Promise<void> {
  const tickets = await getAll<Ticket>(admin, '/api/v1/tickets');
  expect(tickets).toHaveLength(reckoned.tickets);
  expect(tickets.filter(({ kind }) => kind === 'refund')).toHaveLength(reckoned.refunds);
  expect(tickets.reduce((sum, { total }) => sum + total, 0)).toBe(reckoned.pence);

  const codeById = new Map((await getAll<Product>(admin, '/api/v1/products')).map(({ id, sku }) => [id, sku]));
  expect([...codeById.values()].sort()).toEqual([...reckoned.soldByCode.keys()].sort());
  const movements = await getAll<Movement>(admin, '/api/v1/stock/movements');
  const receivedById = new Map(
    movements.filter(({ kind }) => kind === 'receipt').map(({ productId, quantity }) => [productId, quantity]),
  );
  const movedById = new Map<string, number>();
  for (const { productId, quantity } of movements) {
    movedById.set(productId, (movedById.get(productId) ?? 0) + quantity);
  }
  const levels = await getAll<{ productId: string; onHand: number }>(admin, '/api/v1/stock');
  expect(levels).toHaveLength(reckoned.soldByCode.size);
  for (const { productId, onHand } of levels) {
    const sold = reckoned.soldByCode.get(codeById.get(productId) ?? '') ?? Number.NaN;
    expect([productId, onHand]).toEqual([productId, (receivedById.get(productId) ?? 0) - sold]);
    expect([productId, onHand]).toEqual([productId, movedById.get(productId)]);
  }
}

describe.skipIf(!areDaysHere)('a real day, one of three appliances cut off for a third of it', () => {
  test.each(['2010-12-01.csv', '2010-12-02.csv'])(
    'B2 B3 B4 %s: tickets, turnover and stock as reckoned',
    async (name) => {
      const csv = readFileSync(join(daysFolder, name), 'utf8');
      const reckoned = reckon(csv);
      const read = dayFromCsv(csv, name);
      if (!read.ok) throw new Error(read.detail);
      const said: string[] = [];
      const screen = createScreen({ write: (text) => said.push(text) });
      const compared: string[] = [];

      const played = await playDay([node.path, builtFile], read.day, screen, async (shops) => {
        for (const shop of shops) {
          await compare(shop, reckoned);
          compared.push(shop.name);
        }
      });

      expect(compared).toEqual(['North', 'South', 'Cellar']);
      expect(played.isEqual).toBe(true);
      expect(new Set(played.figures.map(({ digest }) => digest)).size).toBe(1);
      // The cut happened: at its end nobody knew all tickets sold until then.
      const known = [...said.join('').matchAll(/knows (\d+) of (\d+) tickets/g)];
      expect(known).toHaveLength(3);
      for (const [, tickets, of] of known) expect(Number(tickets)).toBeLessThan(Number(of));
    },
  );
});

test('the command demo plays a generated day and ends with three equal books', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-test-'));
  try {
    const command = [node.path, builtFile, 'demo', '--tickets', '60', '--seed', '7'] as const;
    const ended = await runToEnd(command, { folder, msMax: 90_000 });
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout.match(/^ {2}(North|South|Cellar) .* 60 .*€.* [0-9a-f]{12} {3}yes$/gm)).toHaveLength(3);
    expect(ended.stdout).toContain('The three books are equal');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the command demo says what is wrong with a CSV, and leaves nothing behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-test-'));
  try {
    const ended = await runToEnd([node.path, builtFile, 'demo', '--csv', join(root, 'package.json')], { folder });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('the columns InvoiceNo');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
