// PATCH changes members of a record by JSON Merge Patch (RFC 7396): null takes a member away, objects merge.

import type { RecordEntity } from '../core/books.ts';
import type { Command } from '../core/command.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { documentToFields, fieldsToDocument } from '../core/merge.ts';
import {
  type By,
  checkPrecondition,
  clientChanges,
  decideEdit,
  decideNothing,
  isFailure,
  livingRecord,
  type Precondition,
  type RecordAnswer,
  withoutNulls,
} from './record-edit.ts';

export type PatchRecord = {
  readonly entity: RecordEntity;
  readonly id: string;
  readonly patch: JsonObject;
  readonly by: By;
  readonly precondition?: Precondition;
};

export const patchRecord =
  (request: PatchRecord): Command<RecordAnswer> =>
  (context) => {
    const { entity, id, by } = request;
    const row = livingRecord(context.books, entity, id);
    if (isFailure(row)) return row;
    const refusal = checkPrecondition(row, request.precondition ?? {});
    if (refusal) return refusal;
    const patched = mergePatch(fieldsToDocument(row.fields), request.patch);
    const set = clientChanges(row, withoutNulls(documentToFields(patched)), true);
    return Object.keys(set).length === 0 ? decideNothing(row) : decideEdit(context, row, { entity, id, by, set });
  };

/** RFC 7396, section 2, for a patch that is an object. Neither argument is changed. */
export function mergePatch(target: Json | undefined, patch: JsonObject): JsonObject {
  const merged = new Map(Object.entries(isJsonObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, isJsonObject(value) ? mergePatch(merged.get(name), value) : value);
  }
  return Object.fromEntries(merged);
}
