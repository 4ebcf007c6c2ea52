// What somebody is let in by: several fields that are one thing. An op that writes one of them writes all, so that what
// wins a merge is of one op, and nobody has the role of one and the secret of another.

import type { RecordEntity, RecordRow } from '../core/books.ts';
import type { JsonObject } from '../core/json.ts';

export const roleField = '/role';
export const passwordHashField = '/passwordHash';
export const tokenHashField = '/tokenHash';
/** Apart from them: a revocation elsewhere is not undone by an edit that knew nothing of it. */
export const revokedField = '/revoked';

const fieldsByEntity: { readonly [Entity in RecordEntity]?: readonly string[] } = {
  terminal: [roleField, tokenHashField],
  user: [roleField, passwordHashField, tokenHashField],
};

/** `set`, and those of the row that belong to what it writes. */
export function withWholeCredential(entity: RecordEntity, row: RecordRow | undefined, set: JsonObject): JsonObject {
  const whole = { ...set };
  const fields = fieldsByEntity[entity] ?? [];
  if (!fields.some((field) => field in set)) return whole;
  for (const field of fields) if (!(field in set)) whole[field] = row?.fields[field] ?? null;
  return whole;
}
