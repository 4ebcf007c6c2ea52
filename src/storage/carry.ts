// Books brought along into another shop: what this appliance's journal amounts to, written again as intents of its own
// under that shop, each with the time at which it was written first. Facts whole; of each living record its values. What
// was superseded, deleted or settled stays in the old file, which is kept.

import type { JsonObject } from '../core/json.ts';
import type { Membership } from '../core/membership.ts';
import { createdAtField, mergeRecord, type RecordOp } from '../core/merge.ts';
import { type Draft, parseHeader, parsePayload } from '../core/op.ts';
import { appendLocal } from './append.ts';
import { liveOps } from './fold-records.ts';
import type { Handle } from './open.ts';
import type { RecordTableRow } from './statements.ts';
import type { Storage } from './storage.ts';

/** Accounts of people stay behind: those of the other shop say who may do what there. */
const staysBehind = ['user'];
const factEntities = ['ticket', 'movement'];

/** Drafts in one transaction. */
const draftsPerCommit = 256;

/** Whether anything was ever written that would come along. */
export const hasOwnBooks = (handle: Handle): boolean =>
  isAny(handle, [`records WHERE entity NOT IN (${staysBehind.map((entity) => `'${entity}'`).join(', ')})`, ...facts]);

/** Not even an account of a person is there. */
export const isUntouched = (handle: Handle): boolean => !isAny(handle, ['records', ...facts]);

const facts = ['tickets', 'movements'];

function isAny({ database }: Handle, rows: readonly string[]): boolean {
  const sql = rows.map((of) => `EXISTS (SELECT 1 FROM ${of})`).join(' OR ');
  return (database.prepare(`SELECT ${sql} AS found`).get() as { found: number }).found === 1;
}

type IsInTime = Membership['isInTime'];

/**
 * How many intents were written again; undefined when the disk of `to` refused, which then is of no use. `isInTime`: in the
 * shop that is left.
 */
export function carryBooks(from: Storage, to: Storage, isInTime: IsInTime): number | undefined {
  let count = 0;
  let batch: Draft[] = [];
  const flush = (): boolean => {
    const drafts = batch;
    batch = [];
    count += drafts.length;
    return to.write((unit) => {
      for (const draft of drafts) appendLocal(unit, draft);
    }).ok;
  };
  for (const draft of draftsOf(from, isInTime)) {
    batch.push(draft);
    if (batch.length >= draftsPerCommit && !flush()) return undefined;
  }
  return batch.length === 0 || flush() ? count : undefined;
}

function* draftsOf(from: Storage, isInTime: IsInTime): Iterable<Draft> {
  const { database } = from.handle();
  const records = database.prepare('SELECT * FROM records WHERE deleted = 0 ORDER BY row').iterate();
  for (const row of records) yield* recordDrafts(from, row as RecordTableRow, isInTime);
  // From the journal and not from the tables, so that a ticket that lost to another under its id comes along as well.
  const facts = database.prepare(
    'SELECT header, payload FROM changes JOIN ops ON ops.key = changes.op AND ops.arrival = changes.seq ORDER BY seq',
  );
  for (const row of facts.iterate()) {
    const draft = factDraft(row as FactRow);
    if (draft) yield draft;
  }
}

/** An edit for each that still counts, with the time of its own: what it says of the fields of which it has the last word. */
function* recordDrafts(from: Storage, row: RecordTableRow, isInTime: IsInTime): Iterable<Draft> {
  if (staysBehind.includes(row.entity)) return;
  const ops = liveOps(from.handle().statements, from.state(), row);
  const isTill = row.entity === 'terminal';
  if (!ops.some((op) => !isTill || isInTime(op))) return;
  const { live, fields, createdAt } = mergeRecord(ops, {}, isTill ? isInTime : undefined);
  // Over there a till of the same id may sell.
  if (isTill && fields['/revoked'] === true) return;
  const lastWriter = new Map<string, RecordOp>();
  for (const op of live) for (const field of Object.keys(op.set)) lastWriter.set(field, op);
  for (const [index, op] of live.entries()) {
    const own = Object.entries(fields).filter(([field]) => lastWriter.get(field) === op);
    const set: JsonObject = { ...Object.fromEntries(own), ...(index === 0 ? { [createdAtField]: createdAt } : {}) };
    if (Object.keys(set).length === 0) continue;
    const written = { stamp: op.stamp, at: op.at };
    yield { entity: row.entity, id: row.id, seen: {}, payload: { set, by: 'system' }, written };
  }
}

type FactRow = { readonly header: string | null; readonly payload: string | Buffer };

function factDraft(row: FactRow): Draft | undefined {
  const header = row.header === null ? undefined : parseHeader(row.header);
  if (typeof header !== 'object' || !factEntities.includes(header.entity)) return undefined;
  const payload = typeof row.payload === 'string' ? parsePayload(row.payload) : undefined;
  if (typeof payload !== 'object') return undefined;
  return { entity: header.entity, id: header.id, payload, written: { stamp: header.stamp, at: header.at } };
}
