// The command `demo`: which day is played, and what a shopkeeper reads at the end.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Executable } from './appliance-process.ts';
import { dayFromCsv } from './csv.ts';
import { type Day, generateDay } from './day.ts';
import { type Played, playDay } from './play-day.ts';
import { type Screen, tableLines } from './screen.ts';

export type DemoRequest = { readonly csv?: string | undefined; readonly seed: number; readonly tickets: number };

/** True when the three books are equal to each other and to what the tills handed in. */
export async function runDemo(executable: Executable, request: DemoRequest, screen: Screen): Promise<boolean> {
  const day = await chooseDay(request);
  screen.line(`Three appliances on this machine, a till at each: ${day.title}.`);
  const played = await playDay(executable, day, screen);
  screen.line();
  for (const line of report(day, played)) screen.line(line);
  return played.isEqual;
}

async function chooseDay({ csv, seed, tickets }: DemoRequest): Promise<Day> {
  if (csv === undefined) return generateDay(seed, tickets);
  const read = dayFromCsv(await readFile(csv, 'utf8'), `the day in ${basename(csv)}`);
  if (!read.ok) throw new Error(`${csv}: ${read.detail}`);
  return read.day;
}

export function report(day: Day, { figures, expected, phases, isEqual }: Played): string[] {
  const money = new Intl.NumberFormat('en-GB', { style: 'currency', currency: day.currency });
  const amount = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 3 });
  const cells = (row: { tickets: number; turnover: number; stock: number }): string[] => [
    amount.format(row.tickets),
    money.format(row.turnover / 100),
    amount.format(row.stock),
  ];
  const rows = figures.map((row) => [
    row.name,
    ...cells(row),
    row.digest.slice(0, 12),
    row.digest === figures[0]?.digest ? 'yes' : 'no',
  ]);
  const totalMs = phases.reduce((sum, { ms }) => sum + ms, 0);
  return [
    ...tableLines([
      ['appliance', 'tickets', 'turnover', 'stock', 'digest', 'equal'],
      ...rows,
      ['tills', ...cells(expected), '', ''],
    ]),
    '',
    ...tableLines([
      ['phase', 'seconds'],
      ...phases.map(({ name, ms }) => [name, (ms / 1000).toFixed(2)]),
      ['in all', (totalMs / 1000).toFixed(2)],
    ]),
    '',
    isEqual
      ? 'The three books are equal, and they are what the tills handed in.'
      : 'The books are NOT what they should be: compare the rows above.',
  ];
}
