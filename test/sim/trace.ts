// What happened, line by line: the last lines are kept to be read, all of them go into one hash, so that two runs of
// one seed can be compared. Beside it, how often each kind of fault really happened.

import { createHash } from 'node:crypto';

export type Trace = {
  note(at: number, who: string, what: string): void;
  /** Counts one happening of a kind, and notes it. */
  count(at: number, who: string, kind: string): void;
  counts(): ReadonlyMap<string, number>;
  lines(): readonly string[];
  hash(): string;
};

const linesKeptMax = 4000;

export function createTrace(show: ((line: string) => void) | null = null): Trace {
  const hash = createHash('sha256');
  const kept: string[] = [];
  const counts = new Map<string, number>();
  const note = (at: number, who: string, what: string): void => {
    const line = `${(at / 1000).toFixed(3).padStart(9)} ${who.padEnd(3)} ${what}`;
    hash.update(`${line}\n`);
    show?.(line);
    kept.push(line);
    if (kept.length > 2 * linesKeptMax) kept.splice(0, linesKeptMax);
  };
  return {
    note,
    count: (at, who, kind) => {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      note(at, who, kind);
    },
    counts: () => counts,
    lines: () => kept.slice(-linesKeptMax),
    hash: () => hash.copy().digest('hex'),
  };
}
