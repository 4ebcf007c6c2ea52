// DELETE marks a record as deleted; what it held stays until every peer knows, and a PUT brings it back.

import type { RecordEntity } from '../core/books.ts';
import type { Command } from '../core/command.ts';
import { deletedField } from '../core/merge.ts';
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
    return refusal ?? decideEdit(context, row, { entity, id, by, set: { [deletedField]: true } });
  };
