// The fold: what an op does to the state. Total and deterministic: an op that cannot be understood is kept in the
// journal, passed on and counted, and changes nothing here. A later version folds it when it rebuilds the state.

import { type Origin, replicaOf } from '../core/heads.ts';
import type { JsonObject } from '../core/json.ts';
import { idPattern, originsMax } from '../core/limits.ts';
import { readTrustWord, trustEntity, withTrustStatement } from '../core/membership.ts';
import { type OpHeader, parseHeader, parsePayload } from '../core/op.ts';
import { foldMovement, foldTicket } from './fold-facts.ts';
import { foldRecord } from './fold-records.ts';
import { writeMeta } from './state.ts';
import type { OpRow } from './statements.ts';
import { indexOfKey, numberOfKey, type Place, type Unit } from './unit.ts';
import { forkEntity, readStatement, withStatement } from './voids.ts';

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
          : header.entity === trustEntity && isFact
            ? foldTrust(unit, place, header, payload)
            : header.entity === forkEntity && foldFork(unit, place.origin, payload));
  if (!understood) unit.unreadableCount += 1;
}

/** Folds an op as it stands in the journal. What is pruned, erased or unreadable does nothing. */
export function foldStored(unit: Unit, row: OpRow, arrival: number): void {
  if (row.header === null || typeof row.payload !== 'string') return;
  const header = parseHeader(row.header);
  const payload = parsePayload(row.payload);
  const origin = unit.state.originsByIndex.get(indexOfKey(row.key));
  if (typeof header === 'string' || typeof payload === 'string' || !origin) return;
  const place = { key: row.key, origin: origin.origin, number: numberOfKey(row.key), arrival };
  foldOp(unit, place, header, payload, unit.crypto.sha256(row.payload));
}

/** An author's word that commits of its own are void. Nobody waits any more for what only they held. */
function foldFork(unit: Unit, author: Origin, payload: JsonObject): boolean {
  const statement = readStatement(payload);
  if (!statement || replicaOf(statement.origin) !== replicaOf(author)) return false;
  const isNew = unit.state.voids[statement.origin] === undefined;
  if (isNew && Object.keys(unit.state.voids).length >= originsMax) return false;
  Object.assign(unit.state, withStatement(unit.state, statement));
  writeMeta(unit.statements, 'voids', unit.state.voids);
  writeMeta(unit.statements, 'forks', unit.state.forks);
  unit.forkStatements.push({ author, payload });
  return true;
}

/** A word on who is of the shop. It stays, also when the branch that it came on is let go of: its author says it again. */
function foldTrust(unit: Unit, { origin, number }: Place, { id, stamp }: OpHeader, payload: JsonObject): boolean {
  const word = readTrustWord(payload);
  if (!word) return false;
  const statements = withTrustStatement(unit.state.trust, { ...word, origin, number, id, stamp });
  if (statements === unit.state.trust) return true;
  unit.state.trust = statements;
  // Which ops on people and tills count may be another matter now.
  unit.memory.recordsChanged();
  writeMeta(unit.statements, 'trust', statements);
  return true;
}

export const recordEntities = ['product', 'customer', 'terminal', 'user'] as const;

const isRecordEntity = (entity: string): boolean => (recordEntities as readonly string[]).includes(entity);
