// `npm run bench`: the promised figures, measured on the built file, each beside a limit measured in the same run. Exit 1
// when one is missed. Options: --only NAME (repeat; newcomer-lab, which needs root, runs only so), --quick (ratios only),
// --report (never exit 1), --file PATH (a built file; without it one is built), --bun (idle figures on Bun too),
// --cpu-prof DIR.

import { execFileSync } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { tableLines } from '../../src/demo/screen.ts';
import { catchUp } from './catch-up.ts';
import { dawdlers } from './dawdlers.ts';
import type { Figure, Row } from './figure.ts';
import { busyShare, createBareLink } from './ground.ts';
import { groupCommit } from './group-commit.ts';
import { idle, idleOnBun } from './idle.ts';
import { createLab } from './lab.ts';
import { linkUp } from './link-up.ts';
import { listenedSales, live, slowReaders } from './live.ts';
import { newcomer } from './newcomer.ts';
import { newcomerLab } from './newcomer-lab.ts';
import { readable } from './readable.ts';
import { replicated } from './replicated.ts';
import { start } from './start.ts';

const figures: readonly Figure[] = [
  groupCommit,
  replicated,
  readable,
  catchUp,
  newcomer,
  newcomerLab,
  linkUp,
  dawdlers,
  live,
  listenedSales,
  slowReaders,
  idle,
  idleOnBun,
  start,
];

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    bun: { type: 'boolean', default: false },
    file: { type: 'string' },
    'cpu-prof': { type: 'string' },
  },
});

const root = join(import.meta.dirname, '../..');

async function main(): Promise<number> {
  const chosen = figures.filter(({ name }) =>
    flags.only ? flags.only.includes(name) : (name !== idleOnBun.name || flags.bun) && name !== newcomerLab.name,
  );
  if (chosen.length === 0) {
    console.error(`--only takes one of: ${figures.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  if (!flags.file) execFileSync(process.execPath, ['build.ts'], { cwd: root, stdio: 'inherit' });
  const profile = flags['cpu-prof'];
  const nodeArgs = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
  const lab = createLab(flags.file ?? join(root, 'dist/tillmesh.mjs'), nodeArgs);
  const rows: Row[] = [];
  try {
    for (const figure of chosen) rows.push(...(await measure(figure, lab)));
  } finally {
    await lab.close();
  }
  print(rows);
  return rows.every(({ passed }) => passed) || flags.report ? 0 : 1;
}

async function measure(figure: Figure, lab: ReturnType<typeof createLab>): Promise<Row[]> {
  const [load = 0] = loadavg();
  const busy = await busyShare(flags.quick ? 200 : 1000);
  const startedAt = performance.now();
  console.log(
    `${figure.name}: others take ${(busy * 100).toFixed(0)} % of ${availableParallelism()} cores, load average ${load.toFixed(2)}`,
  );
  const link = await createBareLink(lab);
  const note = (text: string): void => console.log(`  ${text}`);
  const rows = await figure.run({ lab, link, quick: flags.quick, note });
  await lab.stopAll();
  console.log(`  done in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
  return rows;
}

function print(rows: readonly Row[]): void {
  const cells = rows.map(({ what, measured, beside, ratio, wanted, passed }) => [
    what,
    measured,
    beside,
    ratio === null ? '' : `${ratio < 10 ? ratio.toFixed(2) : Math.round(ratio)} ×`,
    wanted,
    wanted === '' ? 'for scale' : passed ? 'ok' : 'MISSED',
  ]);
  console.log();
  for (const line of tableLines([['figure', 'measured', 'beside', 'ratio', 'wanted', ''], ...cells])) {
    console.log(line.endsWith('MISSED') && process.stdout.isTTY ? styleText('red', line) : line);
  }
}

process.exitCode = await main();
