// What the verbs on records share: conditions on the version, and the draft of an edit. An edit writes only what it
// changes, so that two people who change different members do not meet.

import type { Books, RecordEntity, RecordRow } from '../core/books.ts';
import { type CommandContext, type Decision, type Failure, failure } from '../core/command.ts';
import type { JsonObject } from '../core/json.ts';
import { isSameJson } from '../core/json.ts';
import { fieldsPerRecordMax } from '../core/limits.ts';
import { changedFields, createdAtField, deletedField } from '../core/merge.ts';
import { withWholeCredential } from './credential-fields.ts';

/** Credential that asks: a terminal's id, or "admin". */
export type By = string;

/** `unchanged`: the record was already so, and nothing was written. */
export type RecordAnswer = { readonly outcome: 'created' | 'changed' | 'unchanged'; readonly row: RecordRow };

/** If-Match and If-None-Match: versions, or "*" for any. */
export type Precondition = { readonly match?: readonly string[] | '*'; readonly noneMatch?: readonly string[] | '*' };

/** Members that every answer has though nobody wrote them; writing them where they are absent is no change. */
export const recordDefaults: JsonObject = { '/barcodes': [], '/archived': false };

/** When an imported record says it was last changed (Unix ms), or "unknown". There while the last edit is an import. */
export const importedAtField = 'importedAt';

export function checkPrecondition(row: RecordRow | undefined, precondition: Precondition): Failure | undefined {
  const version = row && !row.deleted ? row.version : undefined;
  const { match, noneMatch } = precondition;
  if (match && (version === undefined || (match !== '*' && !match.includes(version)))) {
    return failure('version_differs', 'The record was changed since you read it. Read it again, then decide.', {
      facts: { version: version ?? null },
    });
  }
  if (noneMatch && version !== undefined && (noneMatch === '*' || noneMatch.includes(version))) {
    return failure('version_exists', 'The record is there already, and the request asked to write only if it is not.', {
      facts: { version },
    });
  }
  return undefined;
}

/** Fields of the client's that `wanted` changes in a living or deleted record; with `replace` the others go. */
export function clientChanges(row: RecordRow | undefined, wanted: JsonObject, replace: boolean): JsonObject {
  const current: JsonObject = {};
  for (const [field, value] of Object.entries(row?.fields ?? {})) if (field.startsWith('/')) current[field] = value;
  const changes = changedFields(current, wanted, replace);
  for (const [field, value] of Object.entries(recordDefaults)) {
    const changed = changes[field];
    if (changed !== undefined && current[field] === undefined && isSameJson(changed, value)) delete changes[field];
  }
  return changes;
}

/** Null members, and attributes that are null, are absent ones. */
export function withoutNulls(fields: JsonObject): JsonObject {
  const kept: JsonObject = {};
  for (const [field, value] of Object.entries(fields)) if (value !== null) kept[field] = value;
  return kept;
}

export type Edit = {
  readonly entity: RecordEntity;
  readonly id: string;
  readonly set: JsonObject;
  readonly by: By;
  readonly resolves?: { conflict: string; choose: string; notes: string };
};

/** The decision to write `set` on a record that is there (`row`) or is made now. */
export function decideEdit(context: CommandContext, row: RecordRow | undefined, edit: Edit): Decision<RecordAnswer> {
  const { entity, id, by, resolves } = edit;
  const set = withWholeCredential(entity, row, edit.set);
  if (!row) set[createdAtField] = context.meshMs;
  else if (row.fields[importedAtField] !== undefined && set[importedAtField] === undefined) set[importedAtField] = null;
  const fieldCount = new Set([...(row?.names ?? []), ...Object.keys(set)]).size;
  if (fieldCount > fieldsPerRecordMax && !set[deletedField])
    return failure(
      'too_many_members',
      `A record has at most ${fieldsPerRecordMax} members and attributes, those once there included.`,
    );
  const payload: JsonObject = resolves ? { set, by, resolves } : { set, by };
  const seen = row?.seen ?? {};
  const outcome = row && !row.deleted ? 'changed' : 'created';
  return {
    ok: true,
    drafts: [{ entity, id, seen, payload }],
    result: (books) => ({ outcome, row: rowNow(books, entity, id) }),
  };
}

export const decideNothing = (row: RecordRow): Decision<RecordAnswer> => ({
  ok: true,
  drafts: [],
  result: () => ({ outcome: 'unchanged', row }),
});

/** The living record, or why it cannot be edited. */
export function livingRecord(books: Books, entity: RecordEntity, id: string): RecordRow | Failure {
  const row = books.record(entity, id);
  if (!row) return failure('not_found', `There is no ${entity} with the id "${id}" here.`);
  return row.deleted ? recordDeleted(entity, id) : row;
}

export const recordDeleted = (entity: RecordEntity, id: string): Failure =>
  failure('record_deleted', `The ${entity} "${id}" was deleted. PUT it to bring it back.`);

export const isFailure = (value: object): value is Failure => 'ok' in value && value.ok === false;

function rowNow(books: Books, entity: RecordEntity, id: string): RecordRow {
  const row = books.record(entity, id);
  if (!row) throw new Error(`${entity} is not there after its commit`);
  return row;
}
