// Three real appliances on loopback, a till at each, and a trading day: one appliance is cut off from the others for a
// third of it and sells on. At the end the books are compared with each other and with what the tills handed in.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Api,
  type ApplianceProcess,
  createApi,
  type Executable,
  getAll,
  startAppliance,
  until,
} from './appliance-process.ts';
import { type Day, type Ticket, turnoverOf } from './day.ts';
import type { Screen } from './screen.ts';

export type Shop = ApplianceProcess & { readonly admin: Api; readonly till: Api };

/** What one appliance's books say. Money in minor units, stock in pieces or kilograms. */
export type Figures = { name: string; tickets: number; turnover: number; stock: number; digest: string };

export type Played = {
  readonly figures: Figures[];
  /** What the tills handed in. */
  readonly expected: { tickets: number; turnover: number; stock: number };
  readonly phases: { name: string; ms: number }[];
  readonly isEqual: boolean;
};

type Inspect = (shops: readonly Shop[]) => Promise<void>;

const names = ['North', 'South', 'Cellar'] as const;
const equalMsMax = 120_000;

/** `inspect` is called at the end, while all three still run. Rejects when an appliance fails; nothing is left running. */
export async function playDay(executable: Executable, day: Day, screen: Screen, inspect?: Inspect): Promise<Played> {
  const folder = await mkdtemp(join(tmpdir(), 'tillmesh-demo-'));
  const shops: Shop[] = [];
  const phases: Played['phases'] = [];
  const timed = async (name: string, run: () => Promise<void>): Promise<void> => {
    const startedAt = performance.now();
    await run();
    phases.push({ name, ms: performance.now() - startedAt });
  };
  try {
    await timed('start three appliances, link them', () => startShops(executable, folder, shops));
    for (const { name, url } of shops) screen.line(`  ${name.padEnd(8)}${url}`);
    await timed('products, customers and stock, on all three', () => fillShelves(day, shops));
    await tradeDay(day, shops, screen, timed);
    await timed('until the three books are equal', () => untilEqual(shops));
    const played = await readFigures(day, shops, phases);
    await inspect?.(shops);
    return played;
  } finally {
    await Promise.all(shops.map((shop) => shop.stop()));
    await rm(folder, { recursive: true, force: true });
  }
}

/** Each dials those started before it, by their mesh ports. They trust each other by the same shop key. */
async function startShops(executable: Executable, folder: string, shops: Shop[]): Promise<void> {
  const adminToken = randomBytes(24).toString('base64url');
  const env = { TILLMESH_SHOP_KEY: randomBytes(32).toString('base64url'), TILLMESH_ADMIN_TOKEN: adminToken };
  const meshAddresses: string[] = [];
  for (const name of names) {
    const peers = meshAddresses.flatMap((address) => ['--peer', address]);
    const args = ['--data', join(folder, name), '--port', '0', '--mesh-port', '0', '--no-mdns', '--rate-limit', 'off'];
    const started = await startAppliance(executable, name, [...args, '--log-level', 'warn', ...peers], env);
    const admin = createApi(started.url, adminToken);
    // Without its till yet, so that it is stopped whatever comes next.
    shops.push({ ...started, admin, till: admin });
    const { token } = await admin.post<{ token: string }>('/api/v1/terminals', { name: `Till of ${name}` });
    shops[shops.length - 1] = { ...started, admin, till: createApi(started.url, token) };
    meshAddresses.push(`127.0.0.1:${(await meshStatus(admin)).meshPort}`);
  }
  await until('all three linked', 30_000, async () => (await linkCounts(shops)).every((count) => count === 2));
}

const meshStatus = (api: Api) => api.get<{ meshPort: number; connected: number }>('/api/v1/p2p/status');
const linkCounts = (shops: readonly Shop[]) =>
  Promise.all(shops.map(async ({ admin }) => (await meshStatus(admin)).connected));

/** Everything is entered at the first appliance; the others have it from there. */
async function fillShelves(day: Day, shops: readonly Shop[]): Promise<void> {
  const [first] = shops;
  if (!first) return;
  await sendBatch(first.admin, '/api/v1/products/batch', day.products);
  await sendBatch(first.admin, '/api/v1/customers/batch', day.customers);
  await inParallel(day.receipts, 16, async ({ productId, quantity }) => {
    const movement = {
      id: `opening-${productId}`.slice(0, 64),
      productId,
      kind: 'receipt',
      quantity,
      reason: 'opening stock',
    };
    await first.admin.post('/api/v1/stock/movements', movement);
  });
  await untilEqual(shops);
}

async function sendBatch(api: Api, path: string, items: readonly unknown[]): Promise<void> {
  for (let from = 0; from < items.length; from += 1000) {
    await api.post(path, { items: items.slice(from, from + 1000) });
  }
}

async function tradeDay(
  day: Day,
  shops: readonly Shop[],
  screen: Screen,
  timed: (name: string, run: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { tickets } = day;
  const third = Math.ceil(tickets.length / 3);
  const cutOff = shops[shops.length - 1];
  if (!cutOff) return;
  const toggle = (enabled: boolean): Promise<unknown> => cutOff.admin.post('/api/v1/p2p/toggle', { enabled });
  const trade = (from: number, to: number, note: string): Promise<void> => sell(tickets, from, to, shops, screen, note);

  await timed('morning: three tills sell, all linked', () => trade(0, third, 'all linked'));
  await toggle(false);
  await until(`${cutOff.name} cut off`, 10_000, async () => (await meshStatus(cutOff.admin)).connected === 0);
  screen.line(`  ${cutOff.name} is cut off: its mesh is turned off (POST /api/v1/p2p/toggle), its till sells on.`);
  await timed(`midday: ${cutOff.name} alone`, () => trade(third, 2 * third, `${cutOff.name} cut off`));
  for (const { name, admin } of shops) {
    const { counts } = await admin.get<{ counts: { tickets: number } }>('/api/v1/gossip/info');
    screen.line(`  ${name.padEnd(8)}knows ${counts.tickets} of ${Math.min(2 * third, tickets.length)} tickets`);
  }
  await toggle(true);
  screen.line(`  ${cutOff.name} is turned on again; the tills do not wait for it.`);
  await timed('afternoon: catching up while selling', () => trade(2 * third, tickets.length, 'linked again'));
}

/** Three tills at once, each at its own appliance, each one ticket after the other. */
async function sell(
  tickets: readonly Ticket[],
  from: number,
  to: number,
  shops: readonly Shop[],
  screen: Screen,
  note: string,
): Promise<void> {
  const last = Math.min(to, tickets.length);
  let done = from;
  await Promise.all(
    shops.map(async ({ till }, place) => {
      for (let i = from; i < last; i++) {
        if (i % shops.length !== place) continue;
        await till.post('/api/v1/tickets', tickets[i]);
        screen.progress(++done, tickets.length, `tickets, ${note}`);
      }
    }),
  );
}

type Digests = Record<'products' | 'customers' | 'tickets' | 'movements' | 'stock', string>;

async function digestOf({ admin }: Shop): Promise<string> {
  const { products, customers, tickets, movements, stock } = await admin.get<Digests>('/api/v1/digest');
  return [tickets, products, customers, movements, stock].join(' ');
}

const untilEqual = (shops: readonly Shop[]): Promise<void> =>
  until('equal books', equalMsMax, async () => new Set(await Promise.all(shops.map(digestOf))).size === 1);

async function readFigures(day: Day, shops: readonly Shop[], phases: Played['phases']): Promise<Played> {
  const figures: Figures[] = [];
  for (const shop of shops) {
    const tickets = await getAll<{ total: number }>(shop.admin, '/api/v1/tickets');
    const levels = await getAll<{ onHand: number }>(shop.admin, '/api/v1/stock');
    figures.push({
      name: shop.name,
      tickets: tickets.length,
      turnover: turnoverOf(tickets),
      stock: sumOfQuantities(levels.map(({ onHand }) => onHand)),
      digest: await digestOf(shop),
    });
  }
  const expected = {
    tickets: day.tickets.length,
    turnover: turnoverOf(day.tickets),
    stock: sumOfQuantities([
      ...day.receipts.map(({ quantity }) => quantity),
      ...day.tickets.flatMap(({ lines }) => lines.map(({ quantity }) => -quantity)),
    ]),
  };
  const isEqual = figures.every(
    ({ tickets, turnover, stock, digest }) =>
      tickets === expected.tickets &&
      turnover === expected.turnover &&
      stock === expected.stock &&
      digest === figures[0]?.digest,
  );
  return { figures, expected, phases, isEqual };
}

/** In thousandths, exact. */
const sumOfQuantities = (quantities: readonly number[]): number =>
  quantities.reduce((sum, quantity) => sum + Math.round(quantity * 1000), 0) / 1000;

async function inParallel<Item>(
  items: readonly Item[],
  width: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of iterator) await run(item);
    }),
  );
}
