// The digest of the stock. A busy product's level changes with every ticket and its digest is asked for every few
// seconds, so its term is made anew when it is asked for, not when it changes. The first time it is made from all levels.

import { addTerm, type DigestSum, digestZero, subtractTerm } from '../core/digest.ts';
import { rememberedLevelsMax } from '../core/limits.ts';
import type { Crypto } from '../ports.ts';
import type { StockLevel } from './stock.ts';

/** What is on hand, undefined for no level. */
type OnHand = number | undefined;

export type StockSum = {
  sum: DigestSum;
  rows: number;
  /** Else it is of an earlier time, and is made anew. */
  isKnown: boolean;
  /** Levels that have changed since it was made: what of them is in it, and what should be. */
  readonly changed: Map<string, { readonly before: OnHand; now: OnHand }>;
};

export const createStockSum = (): StockSum => ({ sum: digestZero(), rows: 0, isKnown: false, changed: new Map() });

/** A level is another on disk. */
export function levelChanged(stock: StockSum, product: string, before: OnHand, now: OnHand): void {
  if (!stock.isKnown) return;
  const changed = stock.changed.get(product);
  if (changed) changed.now = now;
  else stock.changed.set(product, { before, now });
  if (stock.changed.size > rememberedLevelsMax) forgetSum(stock);
}

export function forgetSum(stock: StockSum): void {
  stock.isKnown = false;
  stock.changed.clear();
}

/** Brings it up to what is on disk. Without levels (the database is closed) it stays as it was when last known. */
export function settleSum(
  stock: StockSum,
  levels: Iterable<[product: string, level: StockLevel]> | undefined,
  crypto: Crypto,
): StockSum {
  const count = (product: string, onHand: OnHand, sign: 1 | -1, into: Pick<StockSum, 'sum' | 'rows'> = stock): void => {
    if (onHand === undefined) return;
    const term = crypto.sha256(stockText(product, onHand));
    if (sign === 1) addTerm(into.sum, term);
    else subtractTerm(into.sum, term);
    into.rows += sign;
  };
  if (!stock.isKnown && levels) {
    // Known only when it is whole: a disk that fails on the way must not leave half a sum behind.
    const made = { sum: digestZero(), rows: 0 };
    for (const [product, { onHand }] of levels) count(product, onHand, 1, made);
    Object.assign(stock, made, { isKnown: true });
  }
  for (const [product, { before, now }] of stock.changed) {
    count(product, before, -1);
    count(product, now, 1);
  }
  stock.changed.clear();
  return stock;
}

/** What is hashed for a stock level. */
export const stockText = (product: string, onHand: number): string => `${product}\n${onHand}`;
