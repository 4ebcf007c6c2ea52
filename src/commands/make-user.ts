// Makes somebody who may log in, with the hash of a password. A name that was revoked can be given again.

import { type Command, failure } from '../core/command.ts';
import type { JsonObject } from '../core/json.ts';
import { usersMax } from '../core/limits.ts';
import { deletedField, documentToFields } from '../core/merge.ts';
import { revokedField } from './credential-fields.ts';
import { type By, decideEdit, type RecordAnswer } from './record-edit.ts';
import { adminTokenUser, countUsers, isLivingUser, type UserRole, userChanges } from './user-record.ts';

export type MakeUser = {
  readonly name: string;
  readonly role: UserRole;
  /** PHC string: made before, because a command waits for nothing. */
  readonly passwordHash: string;
  /** Other members that the client sent. */
  readonly more?: JsonObject | undefined;
  readonly by: By;
};

export const makeUser =
  (request: MakeUser): Command<RecordAnswer> =>
  (context) => {
    const { name, role, passwordHash, by, more = {} } = request;
    if (name === adminTokenUser)
      return failure('id_reserved', `"${name}" is the shop's admin token. Give the person another name.`);
    const row = context.books.record('user', name);
    if (isLivingUser(row)) return failure('user_exists', `There is a "${name}" already. Choose another name.`);
    if (!row && countUsers(context.books) >= usersMax)
      return failure('too_many_users', `A shop has at most ${usersMax} people who log in.`);
    const wanted = {
      ...documentToFields({ ...more, role, passwordHash }),
      ...(row ? { [revokedField]: false } : {}),
    };
    const set = userChanges(row, wanted);
    if (row?.deleted) set[deletedField] = false;
    return decideEdit(context, row, { entity: 'user', id: name, by, set });
  };
