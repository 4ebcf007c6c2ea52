// Gives a person another password. Every session that was opened with the one before ends by it, everywhere.

import { type Command, failure } from '../core/command.ts';
import { passwordHashField } from './credential-fields.ts';
import { type By, decideEdit, type RecordAnswer } from './record-edit.ts';
import { passwordHashOf } from './user-record.ts';

export type ChangePassword = {
  readonly name: string;
  /** PHC string that the current password was checked against. */
  readonly before: string;
  readonly passwordHash: string;
  readonly by: By;
};

export const changePassword =
  (request: ChangePassword): Command<RecordAnswer> =>
  (context) => {
    const { name, before, passwordHash, by } = request;
    const row = context.books.record('user', name);
    if (!row || passwordHashOf(row) !== before)
      return failure('password_changed', 'The password was changed meanwhile. Log in again.');
    return decideEdit(context, row, { entity: 'user', id: name, by, set: { [passwordHashField]: passwordHash } });
  };
