// Long runs: node test/sim/run.ts [--seeds 1..1000] [--minutes 60] [--show] [--faults "kill,power cut"] [--hosts 3].
// Prints one line for each seed; stops at the first broken rule with what came before it. Exit 1 then.

import { parseArgs } from 'node:util';
import { simulate, type Verdict } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1..1000' },
    minutes: { type: 'string', default: '60' },
    hosts: { type: 'string' },
    faults: { type: 'string' },
    seconds: { type: 'string' },
    lines: { type: 'string', default: '60' },
    show: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
});
const [first = 1, last = first] = values.seeds.split('..').map(Number);
const until = performance.now() + Number(values.minutes) * 60_000;
const totals = new Map<string, number>();
const failed: string[] = [];

for (let seed = first; seed <= last && performance.now() < until; seed++) {
  const started = performance.now();
  const verdict = simulate({
    seed: String(seed),
    ...(values.hosts && { hosts: Number(values.hosts) }),
    ...(values.seconds && { faultySeconds: Number(values.seconds) }),
    ...(values.faults !== undefined && { faultKinds: values.faults.split(',').filter(Boolean) }),
    ...(values.show && { show: (line: string) => console.log(line) }),
  });
  for (const [kind, count] of verdict.counts) totals.set(kind, (totals.get(kind) ?? 0) + count);
  report(verdict, performance.now() - started);
  if (verdict.broken) failed.push(verdict.seed);
  if (verdict.broken && !values['keep-going']) break;
}
for (const [kind, count] of [...totals].sort()) console.log(`${String(count).padStart(8)} ${kind}`);
console.log(failed.length > 0 ? `broken: ${failed.join(' ')}` : 'all rules held');
process.exitCode = failed.length > 0 ? 1 : 0;

function report(verdict: Verdict, milliseconds: number): void {
  const { seed, broken, events, opCount, hash } = verdict;
  const took = `${(milliseconds / 1000).toFixed(1)} s`;
  if (broken && !values.show && !values['keep-going'])
    for (const line of verdict.lines.slice(-Number(values.lines))) console.log(line);
  console.log(`seed ${seed}: ${broken ?? 'ok'}, ${events} events, ${opCount} ops, ${took}, ${hash.slice(0, 12)}`);
}
