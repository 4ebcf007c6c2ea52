// Records into state: the row of a record points at the ops that still count (merge.ts), and has columns for what is
// searched. Ops that no longer count are handed to pruning.

import { gtinOf } from '../core/gtin.ts';
import type { Heads } from '../core/heads.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { createdAtField, type MergedRecord, mergeRecord, type RecordOp, recordText } from '../core/merge.ts';
import { type Dot, hex, type OpHeader, parseHeader, parsePayload } from '../core/op.ts';
import { followConflicts } from './conflicts.ts';
import type { StorageState } from './state.ts';
import type { OpRow, RecordTableRow, Statements } from './statements.ts';
import { countTerm, indexOfKey, keyOf, lackingOf, numberOfKey, type Place, type Unit } from './unit.ts';

export function foldRecord(unit: Unit, place: Place, header: OpHeader, payload: JsonObject): boolean {
  const set = readSet(payload);
  if (!set || !header.seen) return false;
  const row = unit.statements.recordById.get(header.entity, header.id);
  const lacking = lackingOf(unit, header) ?? earlierWaiting(unit, place, header);
  if (lacking) return defer(unit, place.key, lacking);
  const op: RecordOp = {
    origin: place.origin,
    number: place.number,
    stamp: header.stamp,
    at: header.at,
    seen: header.seen,
    set,
  };
  const before = row ? liveOps(unit.statements, unit.state, row) : [];
  const merged = mergeRecord([...before, op], row ? (JSON.parse(row.seen) as Heads) : {});
  unit.memory.recordsChanged();
  if (row) dropTerm(unit, row);
  const version = writeRow(unit, header, merged, row);
  if (isBooksEntity(header.entity) && !merged.deleted) countTerm(unit, partOf(header.entity), version, 1);
  if (merged.conflicts.length > 0 || row?.conflicted === 1)
    followConflicts(unit, header.entity, header.id, merged, payload);
  for (const candidate of [...before, op]) if (!merged.live.includes(candidate)) supersede(unit, candidate);
  return true;
}

/**
 * Ops come by several ways, so one may come before what its author had seen. It waits: it is in the journal, and is
 * merged as soon as the rest is there (append.ts). So merged vectors are always closed under what they claim.
 */
function defer(unit: Unit, key: number, lacking: Dot): true {
  unit.statements.defer.run(key, lacking.origin, lacking.number);
  unit.state.deferred += 1;
  return true;
}

/** An author has seen what it wrote itself before: while that waits, what follows on it waits for the same. */
function earlierWaiting({ statements, state }: Unit, { key }: Place, { entity, id }: OpHeader): Dot | undefined {
  if (state.deferred === 0) return undefined;
  return statements.deferredOfRecord.get(keyOf(indexOfKey(key), 1), key - 1, entity, id);
}

/** Ops that a record's row points at, read from the journal; without what the disk has spoilt. */
export function liveOps(statements: Statements, state: StorageState, row: RecordTableRow): RecordOp[] {
  return (JSON.parse(row.ops) as number[]).flatMap((key) => {
    const op = statements.op.get(key);
    const origin = state.originsByIndex.get(indexOfKey(key))?.origin;
    return (op && origin && recordOpOf(op, origin)) || [];
  });
}

export function recordOpOf(row: OpRow, origin: string): RecordOp | undefined {
  if (row.header === null || typeof row.payload !== 'string') return undefined;
  const header = parseHeader(row.header);
  const payload = parsePayload(row.payload);
  if (typeof header !== 'object' || typeof payload !== 'object' || !header.seen) return undefined;
  const set = readSet(payload);
  return set && { origin, number: numberOfKey(row.key), stamp: header.stamp, at: header.at, seen: header.seen, set };
}

/** A record's digest is its version: 32 bytes as hex, of which clients see the first half. */
function writeRow(unit: Unit, header: OpHeader, merged: MergedRecord, row: RecordTableRow | undefined): Uint8Array {
  const version = unit.crypto.sha256(recordText(header.entity, header.id, merged));
  const keys = JSON.stringify(merged.live.map((op) => keyOfDot(unit, op)));
  const { deleted } = merged;
  const { barcodes, sku, archived, conflicted, search } = recordColumns(header.entity, merged);
  const seen = JSON.stringify(merged.seen);
  if (!row) {
    const added = unit.statements.addRecord.run(
      header.entity,
      header.id,
      keys,
      seen,
      hex(version),
      Number(deleted),
      archived,
      conflicted,
      sku,
      search,
    );
    for (const gtin of barcodes) unit.statements.addBarcode.run(gtin, Number(added.lastInsertRowid));
    return version;
  }
  unit.statements.changeRecord.run(
    keys,
    seen,
    hex(version),
    Number(deleted),
    archived,
    conflicted,
    sku,
    search,
    row.row,
  );
  if (header.entity === 'product') replaceBarcodes(unit, row.row, barcodes);
  return version;
}

export function recordColumns(entity: string, { fields, conflicts }: MergedRecord) {
  const isProduct = entity === 'product';
  const barcodes = isProduct ? barcodesOf(fields) : [];
  return {
    barcodes,
    sku: isProduct && typeof fields['/sku'] === 'string' ? fields['/sku'] : null,
    archived: Number(fields['/archived'] === true),
    conflicted: Number(conflicts.length > 0),
    search: searchText(fields, barcodes),
  };
}

function replaceBarcodes(unit: Unit, row: number, barcodes: string[]): void {
  const before = unit.statements.barcodesOf.all(row).map((barcode) => barcode.gtin);
  if (before.join('\n') === [...barcodes].sort().join('\n')) return;
  unit.statements.deleteBarcodes.run(row);
  for (const gtin of barcodes) unit.statements.addBarcode.run(gtin, row);
}

function dropTerm(unit: Unit, row: RecordTableRow): void {
  if (row.deleted === 0 && isBooksEntity(row.entity))
    countTerm(unit, partOf(row.entity), Buffer.from(row.version, 'hex'), -1);
}

function supersede(unit: Unit, op: RecordOp): void {
  unit.superseded.add(keyOfDot(unit, op));
}

function keyOfDot(unit: Unit, op: RecordOp): number {
  const origin = unit.state.origins.get(op.origin);
  if (!origin) throw new Error(`unknown origin ${op.origin}`);
  return keyOf(origin.index, op.number);
}

/** What an op sets, when it sets anything that can be merged. */
function readSet(payload: JsonObject): JsonObject | undefined {
  const { set } = payload;
  if (!isJsonObject(set) || Object.keys(set).length === 0) return undefined;
  const createdAt = set[createdAtField];
  return createdAt === undefined || Number.isSafeInteger(createdAt) ? set : undefined;
}

const isBooksEntity = (entity: string): boolean => entity === 'product' || entity === 'customer';
const partOf = (entity: string): 'products' | 'customers' => (entity === 'product' ? 'products' : 'customers');

function barcodesOf(fields: JsonObject): string[] {
  const barcodes = fields['/barcodes'];
  if (!Array.isArray(barcodes)) return [];
  return [...new Set(barcodes.filter((code): code is string => typeof code === 'string').map(gtinOf))];
}

/** Lower-case text that searches look in. */
function searchText(fields: JsonObject, gtins: string[]): string {
  const texts = ['/name', '/sku', '/email', '/phone'].map((field) => fields[field]);
  const codes: Json[] = Array.isArray(fields['/barcodes']) ? fields['/barcodes'] : [];
  return [...texts, ...codes, ...gtins]
    .filter((text) => typeof text === 'string')
    .join('\n')
    .toLowerCase()
    .slice(0, 2000);
}
