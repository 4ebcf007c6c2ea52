// PUT creates a record or replaces it; POST only creates. Either again with the same content changes nothing.

import type { RecordEntity } from '../core/books.ts';
import { type Command, failure } from '../core/command.ts';
import type { JsonObject } from '../core/json.ts';
import { deletedField, documentToFields } from '../core/merge.ts';
import {
  type By,
  checkPrecondition,
  clientChanges,
  decideEdit,
  decideNothing,
  type Precondition,
  type RecordAnswer,
  recordDeleted,
  withoutNulls,
} from './record-edit.ts';

export type PutRecord = {
  readonly entity: RecordEntity;
  /** Without one the appliance makes it. */
  readonly id?: string | undefined;
  /** What the client sent, without id and read-only members. */
  readonly document: JsonObject;
  readonly by: By;
  /** create: POST, fails where the record is there and differs. put: creates or replaces. */
  readonly mode: 'create' | 'put';
  readonly precondition?: Precondition;
};

export const putRecord =
  (request: PutRecord): Command<RecordAnswer> =>
  (context) => {
    const { entity, by, mode } = request;
    const id = request.id ?? context.newId();
    const row = context.books.record(entity, id);
    const refusal = checkPrecondition(row, request.precondition ?? {});
    if (refusal) return refusal;
    const set = clientChanges(row, withoutNulls(documentToFields(request.document)), true);
    if (row?.deleted) {
      if (mode === 'create') return recordDeleted(entity, id);
      return decideEdit(context, row, { entity, id, by, set: { ...set, [deletedField]: false } });
    }
    if (row && Object.keys(set).length === 0) return decideNothing(row);
    if (row && mode === 'create') {
      return failure('record_exists', `Another ${entity} has the id "${id}". PUT replaces it, PATCH changes it.`, {
        facts: { version: row.version },
      });
    }
    return decideEdit(context, row, { entity, id, by, set });
  };
