// Tills that listen: how long a message takes to reach five hundred of them, beside what the WebSocket library alone takes;
// and what it costs the appliance that some of them do not read.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { liveQueueBytesMax, liveSocketBytesMax } from '../../src/core/limits.ts';
import { type Figure, inMs, perSecond, type Row, type Setting } from './figure.ts';
import type { BenchAppliance, Lab } from './lab.ts';
import { openRawConnection, requestBytes } from './raw-connection.ts';
import { connectionCount, makeTills, postAll } from './shop.ts';
import { quantileOf } from './statistics.ts';
import { productCount, products } from './tickets.ts';

export const live: Figure = { name: 'live', run };
export const listenedSales: Figure = { name: 'listened-sales', run: measureListenedSales };
export const slowReaders: Figure = { name: 'slow-readers', run: measureSlowReaders };

const clientCount = 500;

async function run({ lab, quick }: Setting): Promise<Row[]> {
  const messageCount = quick ? 40 : 200;
  const bare = await lab.child('bare-broadcast.ts', []);
  const barePort = (bare.said as { port: number }).port;
  const appliance = await lab.start('listened to');
  // In turns, so that an hour in which the machine is slow is slow for both.
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < 2; round++) {
    theirs.push(...(await hear(lab, barePort, messageCount / 2, 'none')));
    ours.push(...(await hear(lab, appliance.port, messageCount / 2, appliance.adminToken)));
  }
  return [0.5, 0.99].map((share) => {
    const [measured, limit] = [quantileOf(ours, share), quantileOf(theirs, share)];
    const ratioMax = quick ? 6 : 3;
    return {
      what: `a message at ${clientCount} clients, p${share * 100}`,
      measured: inMs(measured),
      beside: `${inMs(limit)} bare ws broadcast`,
      ratio: measured / limit,
      wanted: `≤ ${ratioMax} ×`,
      passed: measured / limit <= ratioMax,
    };
  });
}

async function hear(lab: Lab, port: number, messageCount: number, token: string): Promise<number[]> {
  const { said } = await lab.child('live-clients.ts', [port, clientCount, messageCount, token].map(String));
  return (said as { times: number[] }).times;
}

const listenerCount = 20;

/** Tills that sell as fast as they can, while others hear of each sale. */
async function measureListenedSales({ lab, quick, note }: Setting): Promise<Row[]> {
  const appliance = await lab.start('sold at');
  await postAll(appliance.admin, '/api/v1/products', products(productCount));
  const tokens = await makeTills(appliance.admin, connectionCount);
  const sell = () => lab.load({ port: appliance.port, tokens, seconds: quick ? 2 : 4 });
  await sell();
  const alone = await sell();
  await lab.child('live-clients.ts', [appliance.port, listenerCount, 0, appliance.adminToken].map(String));
  const listened = await sell();
  const [rate, rateAlone] = [listened, alone].map(({ acknowledged, seconds }) => acknowledged / seconds) as [
    number,
    number,
  ];
  note(
    `a sale took ${inMs(listened.p50Ms)} and ${inMs(listened.p99Ms)} (p50, p99), alone ${inMs(alone.p50Ms)} and ${inMs(alone.p99Ms)}`,
  );
  const ratioMin = quick ? 0.2 : 0.3;
  return [
    {
      what: `sales while ${listenerCount} tills listen`,
      measured: perSecond(rate),
      beside: `${perSecond(rateAlone)} while nobody does`,
      ratio: rate / rateAlone,
      wanted: `≥ ${ratioMin} ×`,
      passed: rate / rateAlone >= ratioMin,
    },
  ];
}

const stalledCount = 50;
const MiB = 1024 * 1024;

async function measureSlowReaders({ lab, quick, note }: Setting): Promise<Row[]> {
  const appliance = await lab.start('not read');
  const bytes = (quick ? 20 : 100) * MiB;
  // The same with clients that read: what so much traffic makes of a heap is not what is measured.
  const reading = await Promise.all(Array.from({ length: stalledCount }, () => stall(appliance)));
  for (const { readOn } of reading) readOn();
  await say(appliance, bytes);
  const before = residentBytes(appliance);
  const stalled = await Promise.all(Array.from({ length: stalledCount }, () => stall(appliance)));
  await say(appliance, bytes);
  const grownBy = residentBytes(appliance) - before;
  const told = stalled.map(({ readAgain }) => readAgain());
  const lossesTold = (await Promise.all(told)).filter(Boolean).length;
  note(
    `${stalledCount} clients left ${Math.round(bytes / MiB)} MiB each unread; ${lossesTold} were told what they missed`,
  );
  // What the system holds for a socket is not the appliance's; what it holds itself is bounded for each. A heap breathes.
  const bound = stalledCount * liveSocketBytesMax + liveQueueBytesMax + 24 * MiB;
  return [
    {
      what: `memory, ${stalledCount} clients that do not read beside ${stalledCount} that do`,
      measured: `${Math.round(grownBy / MiB)} MiB more`,
      beside: `${Math.round((bytes * stalledCount) / MiB)} MiB unread`,
      ratio: grownBy / (bytes * stalledCount),
      wanted: `≤ ${Math.round(bound / MiB)} MiB, all told`,
      passed: grownBy <= bound && lossesTold === stalledCount,
    },
  ];
}

const messageBytes = 50_000;

async function say({ port, adminToken }: BenchAppliance, bytes: number): Promise<void> {
  const publisher = await openRawConnection(port);
  const payload = 'x'.repeat(messageBytes);
  const request = requestBytes('POST', '/api/sync/broadcast', adminToken, { type: 'note', payload });
  for (let sent = 0; sent < bytes; sent += messageBytes) {
    const { status } = await publisher.ask(request);
    if (status !== 200) throw new Error(`a message was answered with ${status}`);
  }
  publisher.end();
  await sleep(500);
}

const residentBytes = ({ pid }: BenchAppliance): number =>
  Number(/^VmRSS:\s+([0-9]+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

/** Connected, and reads nothing until it is told to; with `readAgain`, whether it was told that something is missing. */
async function stall({ port, adminToken }: BenchAppliance): Promise<{ readOn(): void; readAgain(): Promise<boolean> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['tillmesh', adminToken]);
  await new Promise<void>((resolve, reject) => {
    socket.once('message', () => resolve());
    socket.once('error', reject);
  });
  socket.pause();
  return {
    readOn: () => socket.resume(),
    readAgain: () =>
      new Promise((resolve) => {
        const finish = (isTold: boolean): void => {
          clearTimeout(timer);
          socket.terminate();
          resolve(isTold);
        };
        const timer = setTimeout(() => finish(false), 10_000);
        socket.on('message', (data: Buffer) => {
          const text = data.subarray(0, 200).toString();
          if (text.startsWith('{"type":"resync"')) finish(true);
        });
        socket.on('close', () => finish(false));
        socket.resume();
      }),
  };
}
