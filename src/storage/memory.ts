// What storage remembers of committed rows, so that a sale need not ask the database for what the last one told it: stock
// levels, which records live, which numbers the last tickets had. In doubt it is emptied.

import type { RecordEntity } from '../core/books.ts';
import { rememberedLevelsMax, rememberedRecordsMax } from '../core/limits.ts';
import type { NumbersBehind } from './ticket-numbers.ts';

export type StockLevel = {
  readonly onHand: number;
  readonly movements: number;
  readonly updatedAt: number;
  /** SHA-256 of it, as it counts in the digest of the stock; made when first needed. */
  readonly term: Uint8Array | undefined;
};

export type Memory = {
  level(product: string): StockLevel | undefined;
  /** Levels that are on disk now and change no more; one without movements is no level. */
  keepLevels(levels: ReadonlyMap<string, StockLevel>): void;
  isLiving(entity: RecordEntity, id: string): boolean | undefined;
  keepLiving(entity: RecordEntity, id: string, isLiving: boolean): void;
  /** Grows with every change of a record, be it on disk yet or not, and with every change taken back. */
  recordRevision(): number;
  recordsChanged(): void;
  /** As of the open unit, unlike the rest (see ticket-numbers.ts). */
  readonly numbers: NumbersBehind;
  /** A unit was rolled back. */
  takenBack(): void;
  forget(): void;
};

export function createMemory(): Memory {
  const levels = new Map<string, StockLevel>();
  const livingByEntity = new Map<RecordEntity, Map<string, boolean>>();
  const numbers: NumbersBehind = { counts: null };
  let revision = 0;
  const recordsChanged = (): void => {
    revision += 1;
    for (const living of livingByEntity.values()) living.clear();
  };
  const takenBack = (): void => {
    recordsChanged();
    numbers.counts = null;
  };
  return {
    level: (product) => levels.get(product),
    keepLevels(written) {
      for (const [product, level] of written) {
        if (level.movements === 0) levels.delete(product);
        else levels.set(product, level);
      }
      if (levels.size > rememberedLevelsMax) levels.clear();
    },
    isLiving: (entity, id) => livingByEntity.get(entity)?.get(id),
    keepLiving(entity, id, isLiving) {
      const living = livingByEntity.get(entity) ?? new Map<string, boolean>();
      livingByEntity.set(entity, living);
      if (living.size >= rememberedRecordsMax) living.clear();
      living.set(id, isLiving);
    },
    recordRevision: () => revision,
    recordsChanged,
    numbers,
    takenBack,
    forget() {
      levels.clear();
      takenBack();
    },
  };
}
