// The merge of a record, field by field: a multi-value register per field (Shapiro et al., "A comprehensive study of
// Convergent and Commutative Replicated Data Types", 2011, §3.2.2), read through one rule.
//
// Of the ops that write a field, those whose author had been seen by another of them are superseded there. What is left
// is the frontier: one op, or several that did not know of each other. The latest of the frontier by (stamp, origin,
// number) is the value; the others are the conflict, kept until an edit that has seen them all. Frontier, value and
// conflict depend on the set of ops alone, never on the order in which they came; and an edit wins over what its author
// had seen whatever the clocks say.

import type { Stamp } from './clock.ts';
import { type Heads, joinHeads } from './heads.ts';
import { canonicalJson, isJsonObject, isSameJson, type Json, type JsonObject } from './json.ts';
import { compareOps, type Dot, hasSeenOp, writtenAtMs } from './op.ts';

/**
 * An op on a record. `set` maps field names to values; null means absent. Fields of the client's are JSON Pointers
 * (RFC 6901: "/name", "/attributes/colour"); ours have no slash ("deleted", "createdAt").
 */
export type RecordOp = Dot & {
  /** Unix milliseconds, where the stamp does not tell them (OpHeader). */
  readonly at?: number | undefined;
  readonly stamp: Stamp;
  readonly seen: Heads;
  readonly set: JsonObject;
};

export type FieldConflict = { readonly field: string; readonly winner: RecordOp; readonly losers: readonly RecordOp[] };

export type MergedRecord = {
  /** Values by field name; absent fields are not there. */
  readonly fields: JsonObject;
  /** Every field that some live op writes, also to say that it is absent. */
  readonly names: readonly string[];
  readonly deleted: boolean;
  /** Unix milliseconds, from stamps. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Replica of the latest edit. */
  readonly latest: RecordOp;
  /** Ops still in some frontier, in canonical order. The others of the input are superseded and can be pruned. */
  readonly live: readonly RecordOp[];
  /** Vector of the record: what an edit made now has seen. */
  readonly seen: Heads;
  /** Fields in which unseen edits with different values met, by field name. */
  readonly conflicts: readonly FieldConflict[];
};

export const deletedField = 'deleted';
export const createdAtField = 'createdAt';

/**
 * Merges all ops known of one record; `ops` must not be empty. `seenBefore` is the vector before, for pruned ops. Every
 * op must come after what its author had seen: else an edit made in between would claim to have seen what it never saw.
 * What `counts` denies writes nothing, and what it has superseded is no value again, either: the field is absent.
 */
export function mergeRecord(
  ops: readonly RecordOp[],
  seenBefore: Heads = {},
  counts: (op: RecordOp) => boolean = () => true,
): MergedRecord {
  const writersByField = new Map<string, RecordOp[]>();
  let seen = seenBefore;
  for (const op of ops) {
    seen = joinHeads(joinHeads(seen, op.seen), { [op.origin]: op.number });
    for (const field of Object.keys(op.set)) {
      const writers = writersByField.get(field);
      if (writers) writers.push(op);
      else writersByField.set(field, [op]);
    }
  }
  const live = new Set<RecordOp>();
  const fields: JsonObject = {};
  const conflicts: FieldConflict[] = [];
  let deleted = false;
  let createdAt = Number.POSITIVE_INFINITY;
  const names = [...writersByField.keys()].sort();
  for (const field of names) {
    const frontier = frontierOf(writersByField.get(field) ?? []).filter(counts);
    const winner = frontier[frontier.length - 1];
    if (!winner) continue;
    for (const op of frontier) live.add(op);
    const value = winner.set[field] ?? null;
    if (field === deletedField) deleted = value === true;
    else if (field === createdAtField) {
      for (const op of frontier) createdAt = Math.min(createdAt, timeOf(op.set[field]));
      continue;
    } else if (value !== null && isFieldName(field)) fields[field] = value;
    const losers = frontier.filter((op) => op !== winner && !isSameJson(op.set[field] ?? null, value));
    if (losers.length > 0) conflicts.push({ field, winner, losers });
  }
  const liveOrdered = [...live].sort(compareOps);
  const latest = liveOrdered[liveOrdered.length - 1];
  if (!latest) throw new Error('a record needs at least one op that writes a field');
  const updatedAt = writtenAtMs(latest);
  return {
    fields,
    names,
    deleted,
    createdAt: Number.isFinite(createdAt) ? createdAt : updatedAt,
    updatedAt,
    latest,
    live: liveOrdered,
    seen,
    conflicts,
  };
}

/** What a peer may write in place of a time is later than any time. */
const timeOf = (value: Json | undefined): number => (typeof value === 'number' ? value : Number.POSITIVE_INFINITY);

/**
 * Ops of `writers` that no other of them had seen, each once, the earliest first. Vectors that claim to have seen each
 * other in a circle can only be forged: then nothing is superseded, and nothing throws.
 */
function frontierOf(writers: readonly RecordOp[]): RecordOp[] {
  if (writers.length === 1) return [...writers];
  const unseen = writers.filter((op) => !writers.some((other) => hasSeenOp(other, op)));
  const frontier = (unseen.length > 0 ? unseen : [...writers]).sort(compareOps);
  return frontier.filter((op, index) => {
    const before = frontier[index - 1];
    return before === undefined || compareOps(before, op) !== 0;
  });
}

// Documents and fields

/** Fields of a document: one for each member, and one for each attribute, so that two tills can set two of them. */
export function documentToFields(document: JsonObject): JsonObject {
  const fields: JsonObject = {};
  for (const [name, value] of Object.entries(document)) {
    if (name === 'attributes' && isJsonObject(value)) {
      for (const [key, attribute] of Object.entries(value)) fields[`/attributes/${escapePointer(key)}`] = attribute;
    } else fields[`/${escapePointer(name)}`] = value;
  }
  return fields;
}

export function fieldsToDocument(fields: JsonObject): JsonObject {
  const document: JsonObject = {};
  const attributes: JsonObject = {};
  for (const [field, value] of Object.entries(fields)) {
    const [name, key] = field.slice(1).split('/').map(unescapePointer);
    if (name === undefined || !field.startsWith('/')) continue;
    if (key === undefined) define(document, name, value);
    else if (name === 'attributes') define(attributes, key, value);
  }
  document.attributes = attributes;
  return document;
}

/** Fields that `wanted` changes against `current`; what is in `current` alone is set to null when `replace`. */
export function changedFields(current: JsonObject, wanted: JsonObject, replace: boolean): JsonObject {
  const changed: JsonObject = {};
  for (const [field, value] of Object.entries(wanted)) {
    if (!isSameJson(current[field] ?? null, value)) changed[field] = value;
  }
  if (replace) for (const field of Object.keys(current)) if (wanted[field] === undefined) changed[field] = null;
  return changed;
}

/** Text whose equality means: the same record, byte for byte, made by the same edits. */
export const recordText = (entity: string, id: string, merged: MergedRecord): string =>
  `${entity}\n${id}\n${canonicalJson({ ...merged.fields, [deletedField]: merged.deleted, [createdAtField]: merged.createdAt })}\n` +
  merged.live.map((op) => `${op.origin}#${op.number}`).join(',');

/** Ours are plain words; what else a peer may write ("__proto__") is kept in its op and not shown. */
const isFieldName = (field: string): boolean => field.startsWith('/') || /^[a-z][A-Za-z]{0,31}$/.test(field);

const escapePointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
const unescapePointer = (name: string): string => name.replaceAll('~1', '/').replaceAll('~0', '~');

/** Own member even for names like "__proto__", which assignment would treat as the prototype. */
const define = (object: JsonObject, name: string, value: Json): void => {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
};
