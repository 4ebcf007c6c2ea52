// How many tickets of a till carry a number, to tell one that is used twice. A plain index has a page for every till, and
// each commit would write them all; so rows are added behind the sales, some hundred tickets at a time in the order of
// the index. Those that are not yet in it are counted in memory, and read again from the tickets when that was emptied.

import { arrivalsBehindMax } from '../core/limits.ts';
import { type StorageState, writeMeta } from './state.ts';
import type { Statements, TicketTableRow } from './statements.ts';
import type { Unit } from './unit.ts';

const rememberedTillsMax = 1000;

/** Tickets not in the index, by till and number; counts what the open unit did as well. */
export type NumbersBehind = {
  /** Null when it is not known: then it is read when it is first asked for. */
  counts: Map<string, number> | null;
  /** The last number of a till in the index, "" for none: what comes after it need not be looked for. */
  readonly highest: Map<string, string>;
};

export const createNumbersBehind = (): NumbersBehind => ({ counts: null, highest: new Map() });

export function forgetNumbers(numbers: NumbersBehind): void {
  numbers.counts = null;
  numbers.highest.clear();
}

export function countNumber(
  statements: Statements,
  state: StorageState,
  numbers: NumbersBehind,
  terminal: string,
  number: string,
): number {
  numbers.counts ??= readBehind(statements, state);
  const behind = numbers.counts.get(keyOf(terminal, number)) ?? 0;
  if (isAfter(number, highestOf(statements, numbers, terminal))) return behind;
  return behind + (statements.ticketsOfNumber.get(terminal, number)?.count ?? 0);
}

function highestOf(statements: Statements, { highest }: NumbersBehind, terminal: string): string {
  const known = highest.get(terminal);
  if (known !== undefined) return known;
  if (highest.size >= rememberedTillsMax) highest.clear();
  const read = statements.highestNumber.get(terminal)?.number ?? '';
  highest.set(terminal, read);
  return read;
}

/** As the index has them: outside ASCII, bytes and JavaScript's strings do not sort alike. */
const isAfter = (number: string, highest: string): boolean =>
  number > highest && isAscii.test(number) && isAscii.test(highest);

const isAscii = /^[\x20-\x7e]*$/;

type Numbered = Pick<TicketTableRow, 'seq' | 'terminal' | 'number'>;

export function addNumber({ memory }: Unit, { terminal, number }: Numbered): void {
  if (terminal !== null && number !== null) change(memory.numbers, keyOf(terminal, number), 1);
}

export function removeNumber({ memory, state, statements }: Unit, { seq, terminal, number }: Numbered): void {
  if (terminal === null || number === null) return;
  if (seq <= state.numbersIndexed) statements.unindexNumber.run(terminal, number, seq);
  else change(memory.numbers, keyOf(terminal, number), -1);
}

export function indexNumbers(unit: Unit, arrivalsMin = arrivalsBehindMax): void {
  const { state, statements, memory } = unit;
  if (state.seq - state.numbersIndexed < arrivalsMin) return;
  statements.indexNumbers.run(state.numbersIndexed, state.seq);
  indexedUpTo(unit, state.seq);
  memory.numbers.counts = new Map();
}

/** Tickets are folded anew in this unit, from the first. */
export const clearNumbers = (unit: Unit): void => indexedUpTo(unit, 0);

function indexedUpTo({ state, statements, memory }: Unit, arrival: number): void {
  state.numbersIndexed = arrival;
  writeMeta(statements, 'numbers_indexed', arrival);
  forgetNumbers(memory.numbers);
}

function readBehind(statements: Statements, state: StorageState): Map<string, number> {
  const numbers = { counts: new Map<string, number>() };
  for (const { terminal, number } of statements.numbersAfter.all(state.numbersIndexed))
    if (terminal !== null && number !== null) change(numbers, keyOf(terminal, number), 1);
  return numbers.counts;
}

function change({ counts }: Pick<NumbersBehind, 'counts'>, key: string, by: 1 | -1): void {
  counts?.set(key, (counts.get(key) ?? 0) + by);
}

/** No two pairs have the same. */
const keyOf = (terminal: string, number: string): string => `${terminal.length} ${terminal}${number}`;
