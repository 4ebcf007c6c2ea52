// The command `demo`: its flags read, and the executable that it starts three times: the one that runs now.

import type { Executable } from '../demo/appliance-process.ts';
import { runDemo } from '../demo/demo.ts';
import { createScreen } from '../demo/screen.ts';

const seedDefault = 1;
const ticketsDefault = 900;
/** A day of more would only take longer: it shows nothing else. */
const ticketsMax = 100_000;

type Complain = (detail: string, code?: 1 | 2) => number;

export async function demo(flags: ReadonlyMap<string, readonly string[]>, complain: Complain): Promise<number> {
  const csv = flags.get('csv')?.at(-1);
  const seed = countOf(flags, 'seed', seedDefault, 0xffffffff);
  const tickets = countOf(flags, 'tickets', ticketsDefault, ticketsMax);
  if (seed === undefined) return complain('--seed: give a whole number');
  if (tickets === undefined) return complain(`--tickets: give a whole number from 0 to ${ticketsMax}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    const isEqual = await runDemo(thisExecutable(), { csv, seed, tickets }, createScreen(process.stdout));
    return isEqual ? 0 : 1;
  } catch (error) {
    return complain(`the demo ended early: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function countOf(flags: ReadonlyMap<string, readonly string[]>, name: string, byDefault: number, max: number) {
  const text = flags.get(name)?.at(-1);
  if (text === undefined) return byDefault;
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}

/** The runtime and the file that it runs. */
function thisExecutable(): Executable {
  const [, file] = process.argv;
  return file === undefined ? [process.execPath] : [process.execPath, file];
}
