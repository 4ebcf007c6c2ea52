// Which movements a product has. A plain index would touch as many pages as a commit has ticket lines, and halve the rate
// of sales; so rows are added behind the sales, a block of movements at a time in the order of the index, and the few
// that are not yet in it are scanned. Blocks follow each other in the index, so that adding one writes only its end,
// however large the shop's past; a read looks into each block.

import { type StorageState, writeMeta } from './state.ts';
import type { MovementTableRow, Statements } from './statements.ts';
import type { Unit } from './unit.ts';

/** Movements of one block: what a read by product scans at most, and what a year of a busy shop has 500 of. */
export const movementsPerBlock = 4096;

/** Of a movement's row; rows begin at 1. */
export const blockOf = (row: number): number => Math.floor((row - 1) / movementsPerBlock);

export function indexMovements(unit: Unit): void {
  const { state } = unit;
  if (state.movement - state.movementIndexed < movementsPerBlock) return;
  while (state.movement - state.movementIndexed >= movementsPerBlock) {
    const upTo = state.movementIndexed + movementsPerBlock;
    unit.statements.indexMovements.run(blockOf(upTo), state.movementIndexed, upTo);
    state.movementIndexed = upTo;
  }
  writeMeta(unit.statements, 'movement_indexed', state.movementIndexed);
}

export function movementsOfProduct(
  statements: Statements,
  state: StorageState,
  product: string,
  after: number,
  limit: number,
): MovementTableRow[] {
  const found: MovementTableRow[] = [];
  const lastBlock = state.movementIndexed / movementsPerBlock - 1;
  for (let block = blockOf(after + 1); block <= lastBlock && found.length < limit; block++)
    found.push(...statements.movementsOfProduct.all(block, product, after, limit - found.length));
  if (found.length >= limit) return found;
  const behind = Math.max(after, state.movementIndexed);
  found.push(...statements.movementsOfProductSince.all(behind, product, limit - found.length));
  return found;
}
