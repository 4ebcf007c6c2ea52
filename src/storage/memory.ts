// What storage remembers of committed rows, so that a sale need not ask the database for what the last one told it: stock
// levels, which records live, which numbers the last tickets had. In doubt it is emptied.

import type { RecordEntity } from '../core/books.ts';
import { rememberedRecordsMax } from '../core/limits.ts';
import type { PlacesBehind } from './movements.ts';
import { createStockMemory, forgetStock, type StockMemory } from './stock.ts';
import { createNumbersBehind, forgetNumbers, type NumbersBehind } from './ticket-numbers.ts';

export type Memory = {
  isLiving(entity: RecordEntity, id: string): boolean | undefined;
  keepLiving(entity: RecordEntity, id: string, isLiving: boolean): void;
  /** Grows with every change of a record, be it on disk yet or not, and with every change taken back. */
  recordRevision(): number;
  recordsChanged(): void;
  readonly stock: StockMemory;
  /** These two as of the open unit, unlike the rest. */
  readonly numbers: NumbersBehind;
  readonly movements: PlacesBehind;
  /** A unit was rolled back. */
  takenBack(): void;
  forget(): void;
};

export function createMemory(): Memory {
  const livingByEntity = new Map<RecordEntity, Map<string, boolean>>();
  const stock = createStockMemory();
  const numbers = createNumbersBehind();
  const movements: PlacesBehind = { places: null };
  let revision = 0;
  const recordsChanged = (): void => {
    revision += 1;
    for (const living of livingByEntity.values()) living.clear();
  };
  const takenBack = (): void => {
    recordsChanged();
    forgetNumbers(numbers);
    movements.places = null;
  };
  return {
    isLiving: (entity, id) => livingByEntity.get(entity)?.get(id),
    keepLiving(entity, id, isLiving) {
      const living = livingByEntity.get(entity) ?? new Map<string, boolean>();
      livingByEntity.set(entity, living);
      if (living.size >= rememberedRecordsMax) living.clear();
      living.set(id, isLiving);
    },
    recordRevision: () => revision,
    recordsChanged,
    stock,
    numbers,
    movements,
    takenBack,
    forget() {
      forgetStock(stock);
      takenBack();
    },
  };
}
