// Settles a conflict by an edit of its own: it names every contested field, also where the value stays as it is, because
// only an edit that has seen both sides ends the conflict, here and on every other appliance.

import type { ConflictRow, RecordEntity } from '../core/books.ts';
import { type Command, failure } from '../core/command.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { deletedField } from '../core/merge.ts';
import { type By, decideEdit, type RecordAnswer } from './record-edit.ts';

export type ResolveConflict = {
  readonly conflict: ConflictRow;
  readonly choose: 'winner' | 'loser' | 'fields';
  /** With choose "fields": values by field name; contested fields that are not named keep the winner's. */
  readonly fields?: JsonObject | undefined;
  readonly notes?: string | undefined;
  readonly by: By;
};

const recordEntities: readonly string[] = ['product', 'customer', 'terminal', 'user'] satisfies RecordEntity[];

export const resolveConflict =
  (request: ResolveConflict): Command<RecordAnswer> =>
  (context) => {
    const { conflict, choose, notes, by } = request;
    if (conflict.resolvedAt !== null) {
      return failure('conflict_resolved', 'This conflict is settled already. Edit the record to change it again.', {
        facts: { resolvedAt: conflict.resolvedAt, resolvedBy: conflict.resolvedBy },
      });
    }
    if (conflict.kind === 'rival' || !recordEntities.includes(conflict.entity)) {
      return failure(
        'conflict_of_facts',
        'Two different documents came under one id, and a document is never edited: the earlier counts. Send the other again under a new id if it counts too.',
      );
    }
    const entity = conflict.entity as RecordEntity;
    const row = context.books.record(entity, conflict.recordId);
    if (!row) return failure('not_found', `The ${entity} of this conflict is no longer here.`);
    const stray = Object.keys(request.fields ?? {}).find((field) => !conflict.fields.includes(field));
    if (stray !== undefined) {
      return failure('field_not_contested', `Only contested fields are settled here: ${conflict.fields.join(', ')}.`, {
        errors: [{ pointer: '/fields', detail: `${stray} is not one of them.` }],
      });
    }
    const set: JsonObject = {};
    for (const field of conflict.fields) set[field] = chosenValue(request, field);
    const resolves = { conflict: conflict.id, choose, notes: notes ?? '' };
    return decideEdit(context, row, { entity, id: row.id, set, by, resolves });
  };

function chosenValue({ conflict, choose, fields }: ResolveConflict, field: string): Json {
  const given = choose === 'fields' ? fields?.[field] : undefined;
  const side = choose === 'loser' ? conflict.loser : conflict.winner;
  const value = given === undefined ? (side.values[field] ?? null) : given;
  return field === deletedField ? value === true : value;
}
