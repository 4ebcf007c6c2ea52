// The fold: what an op does to the state. Total and deterministic: an op that cannot be understood is kept in the
// journal, passed on and counted, and changes nothing here. A later version folds it when it rebuilds the state.

import type { Origin } from '../core/heads.ts';
import type { JsonObject } from '../core/json.ts';
import { idPattern } from '../core/limits.ts';
import type { OpHeader } from '../core/op.ts';
import { foldMovement, foldTicket } from './fold-facts.ts';
import { foldRecord } from './fold-records.ts';
import type { Unit } from './unit.ts';

/** Where an op stands: `key` in the journal, `arrival` in the order of arrival here. */
export type Place = {
  readonly key: number;
  readonly origin: Origin;
  readonly number: number;
  readonly arrival: number;
};

/** `payloadHash`: SHA-256 of the payload's bytes. */
export function foldOp(unit: Unit, place: Place, header: OpHeader, payload: JsonObject, payloadHash: Uint8Array): void {
  unit.held[place.origin] = Math.max(unit.held[place.origin] ?? 0, place.number);
  const isFact = header.seen === undefined;
  const understood =
    idPattern.test(header.id) &&
    (header.entity === 'ticket' && isFact
      ? foldTicket(unit, place, header, payload, payloadHash)
      : header.entity === 'movement' && isFact
        ? foldMovement(unit, place, header, payload, payloadHash)
        : isRecordEntity(header.entity) && !isFact
          ? foldRecord(unit, place, header, payload)
          : header.entity === forkEntity && unit.forkStatements.push({ author: place.origin, payload }) > 0);
  if (!understood) unit.unreadableCount += 1;
}

/** Not of the books: a replica's word on its own fork. */
export const forkEntity = 'fork';

export const recordEntities = ['product', 'customer', 'terminal'] as const;

const isRecordEntity = (entity: string): boolean => (recordEntities as readonly string[]).includes(entity);
