// People who may log in, and the shop's admin token, as the books hold them: records whose id is the name. Only hashes
// are there. Whoever is revoked keeps his record, so that what he did still has a name.

import type { Books, RecordRow } from '../core/books.ts';
import type { JsonObject } from '../core/json.ts';
import { usersMax } from '../core/limits.ts';
import { changedFields } from '../core/merge.ts';
import { passwordHashField, revokedField, roleField, tokenHashField } from './credential-fields.ts';

export type UserRole = 'admin' | 'read-only';

/** Name of the record that holds the shop's admin token, and of no person. */
export const adminTokenUser = 'token-admin';
/** What is written as author of what a person did; no till's id begins so. */
export const userAuthorMark = 'user:';

export const isLivingUser = (row: RecordRow | undefined): boolean =>
  row !== undefined && !row.deleted && row.fields[revokedField] !== true;

/** PHC string of a living user's password; undefined where there is none. */
export function passwordHashOf(row: RecordRow | undefined): string | undefined {
  const hash = isLivingUser(row) ? row?.fields[passwordHashField] : undefined;
  return typeof hash === 'string' ? hash : undefined;
}

export function userTokenHashOf(row: RecordRow | undefined): string | undefined {
  const hash = isLivingUser(row) ? row?.fields[tokenHashField] : undefined;
  return typeof hash === 'string' ? hash : undefined;
}

/** What this version does not know is the lesser role. */
export const userRoleOf = (row: RecordRow): UserRole => (row.fields[roleField] === 'admin' ? 'admin' : 'read-only');

export const isAdminPerson = (row: RecordRow | undefined): boolean =>
  row !== undefined && passwordHashOf(row) !== undefined && userRoleOf(row) === 'admin';

/** Whether the books hold an admin who can log in, other than `except`. */
export const hasAdmin = (books: Books, except?: string): boolean =>
  allUsers(books).some((row) => row.id !== except && isAdminPerson(row));

export const countUsers = (books: Books): number => allUsers(books).length;

function allUsers(books: Books): RecordRow[] {
  const rows: RecordRow[] = [];
  let after: string | null = '';
  // A peer may have made more than we would.
  while (after !== null && rows.length < 2 * usersMax) {
    const page = books.records('user', { after, limit: 100 });
    rows.push(...page.rows);
    after = page.next;
  }
  return rows;
}

/** Only what changes, so that a revocation elsewhere is not undone by an edit that knew nothing of it. */
export const userChanges = (row: RecordRow | undefined, wanted: JsonObject): JsonObject =>
  changedFields(row?.fields ?? {}, wanted, false);
