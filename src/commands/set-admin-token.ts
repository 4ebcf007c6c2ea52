// Makes the shop's admin token good on every appliance, and the one before no longer. The books hold its hash alone.

import type { Command } from '../core/command.ts';
import { deletedField, documentToFields } from '../core/merge.ts';
import { revokedField } from './credential-fields.ts';
import { type By, decideEdit, type RecordAnswer } from './record-edit.ts';
import { adminTokenUser, userChanges } from './user-record.ts';

/** `tokenHash`: SHA-256 of the whole token, hex. */
export const setAdminToken =
  (request: { readonly tokenHash: string; readonly by: By }): Command<RecordAnswer> =>
  (context) => {
    const { tokenHash, by } = request;
    const row = context.books.record('user', adminTokenUser);
    const isRevoked = row?.fields[revokedField] === true;
    const wanted = {
      ...documentToFields({ role: 'admin', tokenHash }),
      ...(isRevoked ? { [revokedField]: false } : {}),
    };
    const set = userChanges(row, wanted);
    if (row?.deleted) set[deletedField] = false;
    return decideEdit(context, row, { entity: 'user', id: adminTokenUser, by, set });
  };
