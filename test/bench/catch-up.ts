// A fresh appliance that joins one with 1,000 products of 1 KB, and one that was cut off while 5,000 tickets of 1 KB were
// taken in over 32 connections. Both processes run already; the time is from the word to link, so the handshakes are in
// it, to the moment in which the count of the newcomer is full. Beside it the same bytes over a bare link into a file.

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Figure, inMs, type Row, type Setting } from './figure.ts';
import type { BenchAppliance } from './lab.ts';
import { connectionCount, linkedPair, makeTills, meshAddress, postAll, untilCount } from './shop.ts';
import { medianOf } from './statistics.ts';
import { largeProducts, productCount, products } from './tickets.ts';

export const catchUp: Figure = { name: 'catch-up', run };

const missedCount = 5000;

async function run(setting: Setting): Promise<Row[]> {
  return [await newcomer(setting), await afterPartition(setting)];
}

async function newcomer({ lab, link, quick, note }: Setting): Promise<Row> {
  const full = await lab.start('full');
  await postAll(full.admin, '/api/v1/products', largeProducts(productCount));
  const times: number[] = [];
  let bytes = 0;
  for (let round = 0; round < (quick ? 2 : 5); round++) {
    const fresh = await lab.start(`fresh-${round}`);
    await fresh.admin.post('/api/v1/p2p/toggle', { enabled: false });
    await fresh.admin.post('/api/v1/peers', { address: await meshAddress(full) });
    const startedAt = performance.now();
    await fresh.admin.post('/api/v1/p2p/toggle', { enabled: true });
    times.push((await untilCount(fresh, 'products', productCount)) - startedAt);
    await mustBeEqual(full, fresh);
    bytes = await bytesReceived(fresh);
    await fresh.stop();
  }
  note(`1,000 products: ${times.map(inMs).join(', ')}`);
  return row(
    '1,000 products of 1 KB to a fresh peer',
    medianOf(times),
    await link.transferMs(bytes),
    bytes,
    150,
    quick,
  );
}

async function afterPartition({ lab, link, quick, note }: Setting): Promise<Row> {
  const [near, far] = await linkedPair(lab);
  await postAll(near.admin, '/api/v1/products', products(productCount));
  const tokens = await makeTills(near.admin, connectionCount);
  const warm = await lab.load({ port: near.port, tokens, seconds: 60, ticketsMax: 2000 });
  let count = warm.acknowledged;
  const times: number[] = [];
  let bytes = 0;
  for (let round = 0; round < (quick ? 2 : 5); round++) {
    await untilCount(far, 'tickets', count);
    await far.admin.post('/api/v1/p2p/toggle', { enabled: false });
    count += (await lab.load({ port: near.port, tokens, seconds: 60, ticketsMax: missedCount })).acknowledged;
    const before = await bytesReceived(far);
    const startedAt = performance.now();
    await far.admin.post('/api/v1/p2p/toggle', { enabled: true });
    times.push((await untilCount(far, 'tickets', count)) - startedAt);
    await mustBeEqual(near, far);
    bytes = (await bytesReceived(far)) - before;
  }
  note(`5,000 missed tickets: ${times.map(inMs).join(', ')}`);
  return row('5,000 missed tickets of 1 KB', medianOf(times), await link.transferMs(bytes), bytes, 400, quick);
}

function row(what: string, ms: number, bareMs: number, bytes: number, msMax: number, quick: boolean): Row {
  const ratioMax = 60;
  return {
    what,
    measured: inMs(ms),
    beside: `${inMs(bareMs)} bare link, ${(bytes / 1e6).toFixed(1)} MB and one fsync`,
    ratio: ms / bareMs,
    wanted: quick ? `≤ ${ratioMax} ×` : `< ${msMax} ms`,
    passed: quick ? ms / bareMs <= ratioMax : ms < msMax,
  };
}

/** Soon: what a newcomer says of its own, whom it trusts, follows its taking of the books. */
export async function mustBeEqual(one: BenchAppliance, other: BenchAppliance): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const [a, b] = await Promise.all([one, other].map(({ admin }) => admin.get('/api/v1/digest')));
    if (isDeepStrictEqual(a, b)) return;
    if (performance.now() > deadline)
      throw new Error(`${one.name} and ${other.name} have as many rows, but other books: ${JSON.stringify([a, b])}`);
    await sleep(20);
  }
}

export const bytesReceived = async ({ admin }: BenchAppliance): Promise<number> =>
  (await admin.get<{ totalBytesReceived: number }>('/api/v1/p2p/stats')).totalBytesReceived;
