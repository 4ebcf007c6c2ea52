// A newcomer of whom 100,000 small products are missing: once where the snapshot must be made first, once where it is
// ready. Both processes run already; the time is from the word to link, so the handshakes are in it, to the moment in which
// the count of the newcomer is full. Beside it the same bytes over a bare link into a file.

import { bytesReceived, mustBeEqual } from './catch-up.ts';
import { type Figure, inMs, type Row, type Setting } from './figure.ts';
import type { BenchAppliance, Lab } from './lab.ts';
import { meshAddress, postAll, untilCount } from './shop.ts';
import { medianOf } from './statistics.ts';
import { smallProduct } from './tickets.ts';

export const newcomer: Figure = { name: 'newcomer', run };

const smallProductCount = 100_000;
const msMax = 600;
const ratioMax = 8;

async function run({ lab, link, quick, note }: Setting): Promise<Row[]> {
  const count = quick ? 20_000 : smallProductCount;
  const folder = lab.folder();
  const first = await lab.start('full', { folder });
  await postAll(
    first.admin,
    '/api/v1/products',
    Array.from({ length: count }, (_, index) => smallProduct(index)),
  );
  await first.stop();
  const anew: number[] = [];
  const ready: number[] = [];
  let bytes = 0;
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    // Started again, it has no snapshot.
    const full = await lab.start('full', { folder });
    for (const times of [anew, ready]) {
      const taken = await take(lab, full, count);
      times.push(taken.ms);
      bytes = taken.bytes;
    }
    await full.stop();
  }
  note(
    `${count} small products, the snapshot made anew: ${anew.map(inMs).join(', ')}; ready: ${ready.map(inMs).join(', ')}`,
  );
  const bareMs = await link.transferMs(bytes);
  const row = (what: string, times: readonly number[]): Row => {
    const ms = medianOf([...times]);
    return {
      what: `${count.toLocaleString('en')} small products to a newcomer, ${what}`,
      measured: inMs(ms),
      beside: `${inMs(bareMs)} bare link, ${(bytes / 1e6).toFixed(1)} MB and one fsync`,
      ratio: ms / bareMs,
      wanted: quick ? `≤ ${ratioMax} ×` : `≤ ${msMax} ms`,
      passed: quick ? ms / bareMs <= ratioMax : ms <= msMax,
    };
  };
  return [row('snapshot made anew', anew), row('snapshot ready', ready)];
}

async function take(lab: Lab, full: BenchAppliance, count: number): Promise<{ ms: number; bytes: number }> {
  const fresh = await lab.start('fresh');
  await fresh.admin.post('/api/v1/p2p/toggle', { enabled: false });
  await fresh.admin.post('/api/v1/peers', { address: await meshAddress(full) });
  const startedAt = performance.now();
  await fresh.admin.post('/api/v1/p2p/toggle', { enabled: true });
  const ms = (await untilCount(fresh, 'products', count)) - startedAt;
  await mustBeEqual(full, fresh);
  const bytes = await bytesReceived(fresh);
  await fresh.stop();
  return { ms, bytes };
}
