// Shuts a person out, or takes the shop's admin token back; the last admin who can log in stays. The hashes go with it.

import { type Command, failure } from '../core/command.ts';
import { passwordHashField, revokedField, tokenHashField } from './credential-fields.ts';
import { type By, decideEdit, decideNothing, isFailure, livingRecord, type RecordAnswer } from './record-edit.ts';
import { hasAdmin, isAdminPerson } from './user-record.ts';

export const revokeUser =
  (request: { readonly name: string; readonly by: By }): Command<RecordAnswer> =>
  (context) => {
    const { name, by } = request;
    const row = livingRecord(context.books, 'user', name);
    if (isFailure(row)) return row;
    if (row.fields[revokedField] === true) return decideNothing(row);
    if (isAdminPerson(row) && !hasAdmin(context.books, name))
      return failure('last_admin', `"${name}" is the last admin of the shop. Make another one first.`);
    const set = { [revokedField]: true, [passwordHashField]: null, [tokenHashField]: null };
    return decideEdit(context, row, { entity: 'user', id: name, by, set });
  };
