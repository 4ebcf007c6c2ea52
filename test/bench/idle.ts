// Five appliances, every one linked to every other, with a catalogue and some sales in their books, left alone: what each
// takes of a core, what goes over each link, what each holds in memory. Beside it a process that does nothing.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Figure, Row, Setting } from './figure.ts';
import { cpuMsOf, residentMiBOf } from './ground.ts';
import type { BenchAppliance, Lab, Runtime } from './lab.ts';
import { makeTills, meshAddress, postAll, untilCount, untilLinked } from './shop.ts';
import { products } from './tickets.ts';

const applianceCount = 5;
const productCount = 1000;
const ticketCount = 500;
/** Long enough for memory to be given back, which comes with rest (edges/rest.ts). */
const settleMs = 25_000;

export const idle: Figure = { name: 'idle', run: (setting) => run(setting, { name: 'Node', path: process.execPath }) };

const bunPath = join(
  import.meta.dirname,
  `../../node_modules/@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}/bin/bun`,
);

export const idleOnBun: Figure = {
  name: 'idle-bun',
  run: async (setting) => (existsSync(bunPath) ? run(setting, { name: 'Bun', path: bunPath }) : []),
};

async function run({ lab, quick, note }: Setting, runtime: Runtime): Promise<Row[]> {
  const appliances = await startMesh(lab, runtime);
  const bare = spawn(runtime.path, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    await sleep(quick ? 1_000 : settleMs);
    const seconds = quick ? 6 : 30;
    const before = await Promise.all(appliances.map(readingOf));
    await sleep(seconds * 1000);
    const after = await Promise.all(appliances.map(readingOf));
    const shares = after.map((now, index) => (now.cpuMs - (before[index]?.cpuMs ?? 0)) / (seconds * 10));
    const rates = after.map((now, index) => (now.bytes - (before[index]?.bytes ?? 0)) / (applianceCount - 1) / seconds);
    const resident = appliances.map(({ pid }) => residentMiBOf(pid));
    note(
      `${runtime.name}: CPU ${shares.map((share) => share.toFixed(2)).join(', ')} %; memory ${resident.map(Math.round).join(', ')} MiB`,
    );
    const bareResident = residentMiBOf(bare.pid ?? 0);
    return rows(runtime, Math.max(...shares), Math.max(...rates), Math.max(...resident), bareResident, quick);
  } finally {
    bare.kill('SIGKILL');
    await Promise.all(appliances.map((appliance) => appliance.stop()));
  }
}

function rows(runtime: Runtime, cpu: number, rate: number, mib: number, bareMiB: number, quick: boolean): Row[] {
  const isNode = runtime.name === 'Node';
  const what = `idle among five on ${runtime.name}`;
  const ping = '112 B, a bare ping';
  return [
    {
      what: `${what}, CPU`,
      measured: `${cpu.toFixed(2)} %`,
      beside: 'one core',
      ratio: cpu / 100,
      wanted: quick ? '< 3 %' : '< 0.5 %',
      passed: cpu < (quick ? 3 : 0.5),
    },
    {
      what: `${what}, each link`,
      measured: `${Math.round(rate)} B/s`,
      beside: ping,
      ratio: rate / 112,
      wanted: quick ? '< 400 B/s' : '< 200 B/s',
      passed: rate < (quick ? 400 : 200),
    },
    {
      what: `${what}, memory`,
      measured: `${Math.round(mib)} MiB`,
      beside: `${Math.round(bareMiB)} MiB bare ${runtime.name}`,
      ratio: mib / bareMiB,
      wanted: isNode ? (quick ? '≤ 4 ×' : '< 110 MiB') : '',
      passed: !isNode || (quick ? mib / bareMiB <= 4 : mib < 110),
    },
  ];
}

async function startMesh(lab: Lab, runtime: Runtime): Promise<BenchAppliance[]> {
  const appliances: BenchAppliance[] = [];
  for (let index = 0; index < applianceCount; index++) {
    const peers = await Promise.all(appliances.map(meshAddress));
    appliances.push(await lab.start(`idle-${index}`, { runtime, peers }));
  }
  await Promise.all(appliances.map((appliance) => untilLinked(appliance, applianceCount - 1)));
  const [first] = appliances;
  if (!first) return [];
  await postAll(first.admin, '/api/v1/products', products(productCount));
  const tokens = await makeTills(first.admin, 4);
  await lab.load({ port: first.port, tokens, seconds: 60, ticketsMax: ticketCount });
  await Promise.all(appliances.map((appliance) => untilCount(appliance, 'tickets', ticketCount)));
  return appliances;
}

async function readingOf({ admin, pid }: BenchAppliance): Promise<{ cpuMs: number; bytes: number }> {
  const stats = await admin.get<{ totalBytesSent: number; totalBytesReceived: number }>('/api/v1/p2p/stats');
  return { cpuMs: cpuMsOf(pid), bytes: stats.totalBytesSent + stats.totalBytesReceived };
}
