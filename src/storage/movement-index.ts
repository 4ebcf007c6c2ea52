// Which movements a product has. A plain index would touch as many pages as a commit has ticket lines, and halve the rate
// of sales; so rows are added behind the sales, thousands at a time in the order of the index, and the few that are not
// yet in it are scanned.

import { type StorageState, writeMeta } from './state.ts';
import type { MovementTableRow, Statements } from './statements.ts';
import type { Unit } from './unit.ts';

/** Movements not yet in the index, at most: the price of a read by product. */
const unindexedMax = 4096;

export function indexMovements(unit: Unit): void {
  const { state } = unit;
  if (state.movement - state.movementIndexed < unindexedMax) return;
  unit.statements.indexMovements.run(state.movementIndexed, state.movement);
  state.movementIndexed = state.movement;
  writeMeta(unit.statements, 'movement_indexed', state.movementIndexed);
}

export function movementsOfProduct(
  statements: Statements,
  state: StorageState,
  product: string,
  after: number,
  limit: number,
): MovementTableRow[] {
  const indexed = after < state.movementIndexed ? statements.movementsOfProduct.all(product, after, limit) : [];
  if (indexed.length >= limit) return indexed;
  const rest = statements.movementsOfProductSince.all(
    Math.max(after, state.movementIndexed),
    product,
    limit - indexed.length,
  );
  return [...indexed, ...rest];
}
