// What authors have said of their own forks. A fork closes its origin: what came after the last common number, on any
// branch, is void, and its author writes it again under other epochs. Such a word is for ever, and all words together only
// grow, so it matters to nobody in which order they are heard.

import type { Heads, Origin } from '../core/heads.ts';
import type { JsonObject } from '../core/json.ts';
import { type Draft, hex } from '../core/op.ts';

export type ForkStatement = {
  readonly origin: Origin;
  /** The origin ends here, with this chain head and count of facts. */
  readonly common: number;
  readonly hash: string;
  readonly facts: number;
  /** Chain heads after each commit that follows on that and was written again, first 16 hex digits. */
  readonly discarded: readonly string[];
};

/** Not of the books: a replica's word on its own fork. */
export const forkEntity = 'fork';

export const discardedMax = 4096;
const statementsPerOriginMax = 32;

export type Voids = {
  /** Where each closed origin ends. */
  readonly voids: Heads;
  /** All that is remembered, the latest last. */
  readonly forks: readonly ForkStatement[];
  /** The statement by which a commit was written again, by "origin chain-head". */
  readonly writtenAgain: ReadonlyMap<string, ForkStatement>;
};

/** Whether a number is of a part that is void, on whatever branch. */
export const isVoid = ({ voids }: Voids, origin: Origin, number: number): boolean =>
  number > (voids[origin] ?? Number.POSITIVE_INFINITY);

/** Without what is void, of which nobody can have seen anything that lasts. */
export function withoutVoid({ voids }: Voids, seen: Heads): Heads {
  const isAny = Object.entries(seen).some(([origin, number]) => number > (voids[origin] ?? number));
  if (!isAny) return seen;
  const upTo = Object.entries(seen).map(([origin, number]) => [origin, Math.min(number, voids[origin] ?? number)]);
  return Object.fromEntries(upTo.filter(([, number]) => number !== 0));
}

/** Who said that the commit with this chain head, or first 16 digits of it, was written again. */
export const writtenAgainBy = ({ writtenAgain }: Voids, origin: Origin, after: Uint8Array | string) =>
  writtenAgain.get(nameOf(origin, typeof after === 'string' ? after : hex(after)));

export const voidsOf = (voids: Heads, forks: readonly ForkStatement[]): Voids => ({
  voids,
  forks,
  writtenAgain: new Map(
    forks.flatMap((statement) => statement.discarded.map((head) => [nameOf(statement.origin, head), statement])),
  ),
});

export function withStatement(before: Voids, statement: ForkStatement): Voids {
  const { origin, common } = statement;
  const text = JSON.stringify(statement);
  const others = before.forks.filter((known) => JSON.stringify(known) !== text);
  const same = others.filter((known) => known.origin === origin);
  const oldest = same.length >= statementsPerOriginMax ? same[0] : undefined;
  const voids = { ...before.voids, [origin]: Math.min(before.voids[origin] ?? common, common) };
  return voidsOf(voids, [...others.filter((known) => known !== oldest), statement]);
}

const nameOf = (origin: Origin, head: string): string => `${origin} ${head.slice(0, 16)}`;

/** One statement, or several when there is more to name than one may hold. */
export function statementDrafts(statement: ForkStatement): Draft[] {
  const drafts: Draft[] = [];
  for (let from = 0; from === 0 || from < statement.discarded.length; from += discardedMax) {
    const discarded = statement.discarded.slice(from, from + discardedMax);
    const id = `${statement.origin}:${statement.common}`;
    drafts.push({ entity: forkEntity, id, payload: { ...statement, discarded } });
  }
  return drafts;
}

export function readStatement(payload: JsonObject): ForkStatement | undefined {
  const { origin, common, hash, facts, discarded } = payload;
  if (typeof origin !== 'string' || typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return undefined;
  if (typeof common !== 'number' || typeof facts !== 'number' || !isCount(common) || !isCount(facts)) return undefined;
  if (!Array.isArray(discarded) || discarded.length > discardedMax) return undefined;
  if (!discarded.every((item) => typeof item === 'string' && /^[0-9a-f]{16}$/.test(item))) return undefined;
  return { origin, common, hash, facts, discarded: discarded as string[] };
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
