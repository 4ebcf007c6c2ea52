// Tickets of 1 KB over 32 connections into one of two linked appliances, and how far the other is behind when the last
// one is acknowledged. Beside it the same load on an appliance without a peer.

import { isDeepStrictEqual } from 'node:util';
import { type Figure, inMicroseconds, inMs, perSecond, type Row, type Setting } from './figure.ts';
import { appendsPerSecond, cpuMsOf } from './ground.ts';
import type { BenchAppliance } from './lab.ts';
import type { Outcome } from './load.ts';
import { connectionCount, linkedPair, makeTills, postAll, untilCount } from './shop.ts';
import { medianOf } from './statistics.ts';
import { productCount, products } from './tickets.ts';

const peerBehindMsMax = 1000;

export const replicated: Figure = { name: 'replicated', run };

async function run({ lab, quick, note }: Setting): Promise<Row[]> {
  const [near, far] = await linkedPair(lab);
  const alone = await lab.start('alone');
  for (const { admin } of [near, alone]) await postAll(admin, '/api/v1/products', products(productCount));
  const nearTokens = await makeTills(near.admin, connectionCount);
  const aloneTokens = await makeTills(alone.admin, connectionCount);
  const seconds = quick ? 2 : 4;
  const rates: { linked: number; alone: number; behindMs: number }[] = [];
  for (let round = 0; round < (quick ? 2 : 7); round++) {
    const alike = await lab.load({ port: alone.port, tokens: aloneTokens, seconds });
    const before = [near, far].map(({ pid }) => cpuMsOf(pid));
    const linked = await lab.load({ port: near.port, tokens: nearTokens, seconds });
    const behindMs = await untilLevel(near, far);
    const cpu = [near, far].map(({ pid }, index) => cpuMsOf(pid) - (before[index] ?? 0));
    rates.push({ linked: linked.acknowledged / linked.seconds, alone: alike.acknowledged / alike.seconds, behindMs });
    note(`round ${round}: ${tellRate(linked)} linked, ${tellRate(alike)} alone, behind ${inMs(behindMs)}`);
    const [ofNear = 0, ofFar = 0] = cpu.map((ms) => (1000 * ms) / linked.acknowledged);
    const ofLoad = (1e6 * linked.coreShare * linked.seconds) / linked.acknowledged;
    note(
      `  CPU for a ticket: ${inMicroseconds(ofNear)} here, ${inMicroseconds(ofFar)} on the peer, ${inMicroseconds(ofLoad)} the load`,
    );
  }
  // The first ones are for the compilers to warm up.
  const counted = rates.slice(quick ? 1 : 2);
  const linked = medianOf(counted.map((one) => one.linked));
  const besideAlone = medianOf(counted.map((one) => one.alone));
  const behindMs = Math.max(...counted.map((one) => one.behindMs));
  const appends = appendsPerSecond(lab, 32 * 1024, 500);
  const isEqual = await haveEqualBooks(near, far);
  return [
    {
      what: 'replicated 1 KB tickets, 32 connections',
      measured: perSecond(linked),
      beside: `${perSecond(besideAlone)} without a peer`,
      ratio: linked / besideAlone,
      wanted: quick ? '≥ 0.3 ×' : '≥ 8,000/s',
      passed: quick ? linked / besideAlone >= 0.3 : linked >= 8000,
    },
    {
      what: 'the same, against bare appends of 32 KB with fsync',
      measured: perSecond(linked),
      beside: `${perSecond(appends)} appends`,
      ratio: linked / appends,
      wanted: '',
      passed: true,
    },
    {
      what: `peer behind at the end${isEqual ? ', digests equal then' : ', DIGESTS DIFFER'}`,
      measured: inMs(behindMs),
      beside: `${seconds} s of load`,
      ratio: behindMs / seconds / 1000,
      wanted: inMs(peerBehindMsMax),
      passed: isEqual && behindMs <= peerBehindMsMax,
    },
  ];
}

const tellRate = ({ acknowledged, seconds, p50Ms, p99Ms }: Outcome): string =>
  `${perSecond(acknowledged / seconds)} (p50 ${inMs(p50Ms)}, p99 ${inMs(p99Ms)})`;

/** Milliseconds until the peer holds as many tickets as `near`. */
async function untilLevel(near: BenchAppliance, far: BenchAppliance): Promise<number> {
  const startedAt = performance.now();
  const { counts } = await near.admin.get<{ counts: { tickets: number } }>('/api/v1/gossip/info');
  await untilCount(far, 'tickets', counts.tickets);
  return performance.now() - startedAt;
}

async function haveEqualBooks(near: BenchAppliance, far: BenchAppliance): Promise<boolean> {
  const [one, other] = await Promise.all([near, far].map(({ admin }) => admin.get('/api/v1/digest')));
  return isDeepStrictEqual(one, other);
}
