// Books brought along into another shop: what this appliance's journal amounts to, written again as intents of its own
// under that shop, each with the time at which it was written first. Facts whole; of each living record its values. What
// was superseded, deleted or settled stays in the old file, which is kept.

import { createdAtField, mergeRecord } from '../core/merge.ts';
import { type Draft, parseHeader, parsePayload } from '../core/op.ts';
import { appendLocal } from './append.ts';
import { liveOps } from './fold-records.ts';
import type { Handle } from './open.ts';
import type { RecordTableRow } from './statements.ts';
import type { Storage } from './storage.ts';

/** Accounts of people stay behind: those of the other shop say who may do what there. */
const staysBehind = ['user'];

/** Drafts in one transaction. */
const draftsPerCommit = 256;

/** Whether anything was ever written that a person would miss. */
export function hasOwnBooks({ database }: Handle): boolean {
  const tables = ['records', 'tickets', 'movements'];
  const sql = tables.map((table) => `EXISTS (SELECT 1 FROM ${table})`).join(' OR ');
  return (database.prepare(`SELECT ${sql} AS found`).get() as { found: number }).found === 1;
}

/** How many intents were written again; undefined when the disk of `to` refused, which then is of no use. */
export function carryBooks(from: Storage, to: Storage): number | undefined {
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
  for (const draft of draftsOf(from)) {
    batch.push(draft);
    if (batch.length >= draftsPerCommit && !flush()) return undefined;
  }
  return batch.length === 0 || flush() ? count : undefined;
}

function* draftsOf(from: Storage): Iterable<Draft> {
  const { database } = from.handle();
  const records = database.prepare('SELECT * FROM records WHERE deleted = 0 ORDER BY row').iterate();
  for (const row of records) {
    const draft = recordDraft(from, row as RecordTableRow);
    if (draft) yield draft;
  }
  for (const table of ['tickets', 'movements'])
    for (const row of database.prepare(`SELECT op FROM ${table} ORDER BY seq`).iterate()) {
      const draft = factDraft(from, (row as { op: number }).op);
      if (draft) yield draft;
    }
}

function recordDraft(from: Storage, row: RecordTableRow): Draft | undefined {
  if (staysBehind.includes(row.entity)) return undefined;
  const ops = liveOps(from.handle().statements, from.state(), row);
  if (ops.length === 0) return undefined;
  const { fields, createdAt, latest } = mergeRecord(ops);
  const written = { stamp: latest.stamp, at: latest.at };
  const payload = { set: { ...fields, [createdAtField]: createdAt }, by: 'system' };
  return { entity: row.entity, id: row.id, seen: {}, payload, written };
}

function factDraft(from: Storage, key: number): Draft | undefined {
  const row = from.handle().statements.op.get(key);
  const header = row?.header ? parseHeader(row.header) : undefined;
  const payload = typeof row?.payload === 'string' ? parsePayload(row.payload) : undefined;
  if (typeof header !== 'object' || typeof payload !== 'object') return undefined;
  return { entity: header.entity, id: header.id, payload, written: { stamp: header.stamp, at: header.at } };
}
