// DELETE marks a record as deleted and empties it, so that one small op is all that stays of it. That one stays for ever: an
// appliance restored from an old backup must still hear of it. A PUT brings the record back.

import type { RecordEntity } from '../core/books.ts';
import type { Command } from '../core/command.ts';
import { createdAtField, deletedField } from '../core/merge.ts';
import {
  type By,
  checkPrecondition,
  decideEdit,
  isFailure,
  livingRecord,
  type Precondition,
  type RecordAnswer,
} from './record-edit.ts';

export type DeleteRecord = {
  readonly entity: RecordEntity;
  readonly id: string;
  readonly by: By;
  readonly precondition?: Precondition;
};

export const deleteRecord =
  (request: DeleteRecord): Command<RecordAnswer> =>
  (context) => {
    const { entity, id, by } = request;
    const row = livingRecord(context.books, entity, id);
    if (isFailure(row)) return row;
    const refusal = checkPrecondition(row, request.precondition ?? {});
    const emptied = Object.fromEntries(row.names.map((field) => [field, null]));
    const set = { ...emptied, [deletedField]: true, [createdAtField]: row.createdAt };
    return refusal ?? decideEdit(context, row, { entity, id, by, set });
  };
