// Takes a till's credential back. The record stays, so that its tickets still have a name; revoking again changes
// nothing, and nothing un-revokes.

import type { Command } from '../core/command.ts';
import { revokedField } from './credential-fields.ts';
import { type By, decideEdit, decideNothing, isFailure, livingRecord, type RecordAnswer } from './record-edit.ts';

export const revokeTerminal =
  (request: { readonly id: string; readonly by: By }): Command<RecordAnswer> =>
  (context) => {
    const row = livingRecord(context.books, 'terminal', request.id);
    if (isFailure(row)) return row;
    if (row.fields[revokedField] === true) return decideNothing(row);
    return decideEdit(context, row, { entity: 'terminal', ...request, set: { [revokedField]: true } });
  };
