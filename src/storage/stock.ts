// Stock levels. A level changes with each line sold, and each is on another page of its table; so rows are written behind
// the sales, some hundred tickets at a time. Those that are behind are kept in memory, and summed again from the movements
// since then when the database is opened.

import { arrivalsBehindMax, levelsBehindMax, rememberedLevelsMax } from '../core/limits.ts';
import { parseHeader, writtenAtMs } from '../core/op.ts';
import { movementsSince } from './movements.ts';
import { type StorageState, writeMeta } from './state.ts';
import type { Statements } from './statements.ts';
import { createStockSum, forgetSum, levelChanged, type StockSum } from './stock-sum.ts';
import type { Unit } from './unit.ts';

export type StockLevel = {
  /** Milli-units. */
  readonly onHand: number;
  /** How many movements it is the sum of; without any there is no level. */
  readonly movements: number;
  /** Unix milliseconds. */
  readonly updatedAt: number;
};

/** A level as the open unit makes it; `before`: what is on hand as of the last commit, undefined for no level. */
export type PendingStock = { -readonly [Member in keyof StockLevel]: StockLevel[Member] } & {
  readonly before: number | undefined;
};

export type StockMemory = {
  /** Some levels as their rows are. */
  readonly rows: Map<string, StockLevel>;
  /** Levels as of the last commit that their rows do not have yet; null when it is not known. */
  unwritten: Map<string, StockLevel> | null;
  readonly sum: StockSum;
};

export const createStockMemory = (): StockMemory => ({ rows: new Map(), unwritten: null, sum: createStockSum() });

export function forgetStock(stock: StockMemory): void {
  stock.rows.clear();
  stock.unwritten = null;
  forgetSum(stock.sum);
}

/** As of the last commit. */
export function levelOf(statements: Statements, stock: StockMemory, product: string): StockLevel | undefined {
  return stock.unwritten?.get(product) ?? stock.rows.get(product) ?? storedLevel(statements, product);
}

function storedLevel(statements: Statements, product: string): StockLevel | undefined {
  const row = statements.stock.get(product);
  return row && { onHand: row.on_hand, movements: row.movements, updatedAt: row.updated_at };
}

/** All levels as of the last commit whose product comes after `after`, by product. */
export function* levelsAfter(
  statements: Statements,
  { unwritten }: StockMemory,
  after: string,
): Iterable<[product: string, level: StockLevel]> {
  const behind = [...(unwritten ?? [])].filter(([product]) => product > after).sort(([a], [b]) => (a < b ? -1 : 1));
  let next = 0;
  for (const { product, on_hand, movements, updated_at } of statements.stockAfter.iterate(after)) {
    for (let earlier = behind[next]; earlier && earlier[0] < product; earlier = behind[++next]) yield earlier;
    const newer = behind[next];
    if (newer?.[0] === product) next += 1;
    yield newer?.[0] === product ? newer : [product, { onHand: on_hand, movements, updatedAt: updated_at }];
  }
  yield* behind.slice(next);
}

export function pendingStock({ stock, statements, memory }: Unit, product: string): PendingStock {
  const known = stock.get(product);
  if (known) return known;
  const level = levelOf(statements, memory.stock, product);
  const pending = { ...(level ?? { onHand: 0, movements: 0, updatedAt: 0 }), before: level?.onHand };
  stock.set(product, pending);
  return pending;
}

/** Writes the rows when they are far enough behind, or when movements alone would not tell what the levels are. */
export function writeStock(unit: Unit): void {
  const { state, statements, memory, stock } = unit;
  const unwritten = memory.stock.unwritten ?? new Map<string, StockLevel>();
  const isFarBehind = state.seq - state.stockWritten >= arrivalsBehindMax || unwritten.size >= levelsBehindMax;
  if (!isFarBehind && !unit.mustWriteStock) return;
  const levels = new Map<string, StockLevel>([...unwritten, ...stock]);
  const rows: [string, number, number, number][] = [];
  for (const product of [...levels.keys()].sort()) {
    const level = levels.get(product);
    if (level?.movements) rows.push([product, level.onHand, level.movements, level.updatedAt]);
    else statements.deleteStock.run(product);
  }
  statements.setStock(rows);
  state.stockWritten = state.seq;
  writeMeta(statements, 'stock_written', state.stockWritten);
  unit.hasWrittenStock = true;
}

/** All levels are folded anew in this unit. */
export function clearStock(unit: Unit): void {
  unit.state.stockWritten = 0;
  unit.mustWriteStock = true;
  unit.stock.clear();
}

/** After the commit: what the unit made of the levels is how they are. */
export function keepStock(stock: StockMemory, { stock: made, hasWrittenStock }: Unit): void {
  for (const [product, { movements, before, onHand }] of made)
    levelChanged(stock.sum, product, before, movements > 0 ? onHand : undefined);
  const kept = hasWrittenStock ? stock.rows : stock.unwritten;
  if (hasWrittenStock) {
    for (const [product, level] of stock.unwritten ?? []) stock.rows.set(product, level);
    stock.unwritten = new Map();
  }
  for (const [product, level] of made) {
    if (level.movements > 0) kept?.set(product, level);
    else kept?.delete(product);
  }
  if (stock.rows.size > rememberedLevelsMax) stock.rows.clear();
}

/** Sums the movements that the rows do not have yet. Not inside a unit. */
export function restoreStock(statements: Statements, state: StorageState, stock: StockMemory): void {
  const unwritten = new Map<string, StockLevel>();
  for (const { op, movements } of movementsSince(statements, state.stockWritten)) {
    const header = parseHeader(statements.op.get(op)?.header ?? '');
    const writtenAt = typeof header === 'string' ? 0 : writtenAtMs(header);
    for (const { product, quantity } of movements) {
      const before = unwritten.get(product) ?? levelOf(statements, stock, product);
      const level = before ?? { onHand: 0, movements: 0, updatedAt: 0 };
      unwritten.set(product, {
        onHand: level.onHand + quantity,
        movements: level.movements + 1,
        updatedAt: Math.max(level.updatedAt, writtenAt),
      });
    }
  }
  stock.unwritten = unwritten;
}
