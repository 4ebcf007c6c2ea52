// Takes in a record of another system. Where it is here already, the rule is by when each says it was last changed: only
// one says so: the other loses (no stamp here: the import wins; none there: ours stays); both: the newer; neither, or
// equal: ours stays.

import type { RecordEntity, RecordRow } from '../core/books.ts';
import type { Command } from '../core/command.ts';
import type { JsonObject } from '../core/json.ts';
import { deletedField, documentToFields } from '../core/merge.ts';
import {
  type By,
  clientChanges,
  decideEdit,
  decideNothing,
  importedAtField,
  type RecordAnswer,
  withoutNulls,
} from './record-edit.ts';

export type ImportRecord = {
  readonly entity: RecordEntity;
  readonly id: string;
  readonly document: JsonObject;
  /** Unix milliseconds; null where the other system does not say. */
  readonly updatedAt: number | null;
  readonly by: By;
};

export const importRecord =
  (request: ImportRecord): Command<RecordAnswer> =>
  (context) => {
    const { entity, id, by, updatedAt } = request;
    const row = context.books.record(entity, id);
    if (row && !isImportNewer(lastChangedAt(row), updatedAt)) return decideNothing(row);
    const set = clientChanges(row, withoutNulls(documentToFields(request.document)), true);
    if (row && !row.deleted && Object.keys(set).length === 0) return decideNothing(row);
    if (row?.deleted) set[deletedField] = false;
    set[importedAtField] = updatedAt ?? 'unknown';
    return decideEdit(context, row, { entity, id, by, set });
  };

export const isImportNewer = (ours: number | null, theirs: number | null): boolean =>
  theirs !== null && (ours === null || theirs > ours);

/** When ours was last changed: by an edit here, or as the import that made it said; null where that said nothing. */
function lastChangedAt(row: RecordRow): number | null {
  const imported = row.fields[importedAtField];
  if (imported === undefined) return row.updatedAt;
  return typeof imported === 'number' ? imported : null;
}
