// From the moment in which a till sends a ticket to one appliance to the moment in which a client that waits at the other
// has it. One at a time, both appliances otherwise at rest.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, inMs, type Row, type Setting } from './figure.ts';
import type { BenchAppliance } from './lab.ts';
import { openRawConnection, type RawConnection, requestBytes } from './raw-connection.ts';
import { linkedPair, makeTills, postAll } from './shop.ts';
import { quantileOf } from './statistics.ts';
import { productCount, products, ticket } from './tickets.ts';

export const readable: Figure = { name: 'readable', run };

async function run({ lab, link, quick }: Setting): Promise<Row[]> {
  const [near, far] = await linkedPair(lab);
  await postAll(near.admin, '/api/v1/products', products(productCount));
  const [token = ''] = await makeTills(near.admin, 1);
  const count = quick ? 150 : 600;
  const times = await measure(near, far, token, count);
  const bare = await link.roundTripsWithFsync(count);
  const row = (share: number, msMax: number, ratioMax: number): Row => {
    const [measured, limit] = [quantileOf(times, share), quantileOf(bare, share)];
    return {
      what: `change readable on the peer, p${share * 100}`,
      measured: inMs(measured),
      beside: `${inMs(limit)} bare TLS WebSocket and one fsync`,
      ratio: measured / limit,
      wanted: quick ? `≤ ${ratioMax} ×` : `< ${msMax} ms`,
      passed: quick ? measured / limit <= ratioMax : measured < msMax,
    };
  };
  return [row(0.5, 5, 25), row(0.99, 20, 40)];
}

async function measure(near: BenchAppliance, far: BenchAppliance, token: string, count: number): Promise<number[]> {
  const writer = await openRawConnection(near.port);
  const reader = await openRawConnection(far.port);
  const warmUpCount = 50;
  const times: number[] = [];
  let cursor = await endOfFeed(reader, far);
  for (let index = 0; index < count + warmUpCount; index++) {
    const body = ticket({ run: 0, till: 0 }, index, Date.now());
    const path = `/api/v1/changes?after=${cursor}&wait=20&entities=ticket`;
    const waiting = reader.ask(requestBytes('GET', path, far.adminToken));
    // Spread, so that it falls on no rhythm of the appliances; and the reader is waiting for certain.
    await sleep(5 + (index % 17));
    const startedAt = performance.now();
    const written = writer.ask(requestBytes('POST', '/api/v1/tickets', token, body));
    const page = JSON.parse((await waiting).body.toString()) as Page;
    const tookMs = performance.now() - startedAt;
    if (page.data[0]?.id !== body.id)
      throw new Error(`waited for ${body.id}, got ${JSON.stringify(page).slice(0, 200)}`);
    cursor = page.next;
    if ((await written).status !== 201) throw new Error('a ticket was not taken in');
    if (index >= warmUpCount) times.push(tookMs);
  }
  writer.end();
  reader.end();
  return times;
}

type Page = { data: { id: string }[]; next: string };

async function endOfFeed(reader: RawConnection, { adminToken }: BenchAppliance): Promise<string> {
  for (let cursor = ''; ; ) {
    const path = `/api/v1/changes?limit=1000&entities=ticket${cursor && `&after=${cursor}`}`;
    const { body } = await reader.ask(requestBytes('GET', path, adminToken));
    const { data, next } = JSON.parse(body.toString()) as Page;
    if (data.length === 0 && next === cursor) return cursor;
    cursor = next;
  }
}
