// From starting the process to its ready line, on a database with 200,000 tickets and on one with nothing in it, in turn.
// Both were made before and stopped cleanly. Beside it the runtime alone.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Figure, inMs, type Row, type Setting } from './figure.ts';
import type { Lab } from './lab.ts';
import { medianOf } from './statistics.ts';

export const start: Figure = { name: 'start', run };

async function run({ lab, quick, note }: Setting): Promise<Row[]> {
  const ticketCount = quick ? 20_000 : 200_000;
  const empty = await folderOfStopped(lab);
  const full = await folderOfStopped(lab);
  const { said } = await lab.child('populate.ts', [full, lab.shopKey, String(ticketCount)]);
  const { seconds } = said as { seconds: number };
  note(
    `${ticketCount.toLocaleString('en')} tickets written in process in ${seconds.toFixed(1)} s (${Math.round(ticketCount / seconds)}/s)`,
  );
  const times = { empty: [] as number[], full: [] as number[], bare: [] as number[] };
  for (let round = 0; round < (quick ? 3 : 7); round++) {
    times.bare.push(await bareStartMs());
    times.empty.push(await startMs(lab, empty));
    times.full.push(await startMs(lab, full));
  }
  const [emptyMs, fullMs] = [medianOf(times.empty), medianOf(times.full)];
  note(`start: bare Node ${inMs(medianOf(times.bare))}, empty ${inMs(emptyMs)}, full ${inMs(fullMs)}`);
  return [
    {
      what: `start with ${ticketCount.toLocaleString('en')} tickets`,
      measured: inMs(fullMs),
      beside: `${inMs(emptyMs)} an empty one`,
      ratio: fullMs / emptyMs,
      wanted: quick ? '≤ 3 ×' : '≤ 2 ×',
      passed: fullMs / emptyMs <= (quick ? 3 : 2),
    },
  ];
}

async function folderOfStopped(lab: Lab): Promise<string> {
  const appliance = await lab.start('stopped');
  await appliance.stop();
  return appliance.folder;
}

async function startMs(lab: Lab, folder: string): Promise<number> {
  const appliance = await lab.start('started', { folder });
  await appliance.stop();
  return appliance.readyMs;
}

async function bareStartMs(): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['-e', 'console.log(1)'], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  return performance.now() - startedAt;
}
