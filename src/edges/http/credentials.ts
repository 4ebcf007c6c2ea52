// Tokens: opaque texts of which only the hash is known here. Those of tills, and the shop's admin token, are in records
// that every appliance of the shop has; a token names its record, so it is found without a search. Beside them stand the
// admin tokens of this appliance alone (the configured one, the console's own).

import { hash, timingSafeEqual } from 'node:crypto';
import { revokedField, roleField, tokenHashField } from '../../commands/credential-fields.ts';
import { userAuthorMark, userRoleOf, userTokenHashOf } from '../../commands/user-record.ts';
import type { Books, RecordRow } from '../../core/books.ts';
import { type Failure, failure } from '../../core/command.ts';
import { tokensRememberedMax } from '../../core/limits.ts';
import type { Session } from './sessions.ts';

/** nobody: on public ground, where nobody is asked who he is. */
export type Role = 'admin' | 'terminal' | 'read-only' | 'nobody';

export type Credential = {
  readonly role: Role;
  /** What is written as author: the terminal's id, "admin" for an admin token, "user:NAME" for a person. */
  readonly id: string;
  /** What it is counted by for the limits, where that is not the id: admin tokens each by itself. */
  readonly countedBy?: string;
  /** The till that asks, where it is one. */
  readonly terminalId?: string;
  /** Of a person who is logged in. */
  readonly session?: Session;
  /** Whose till it is, as its record says: messages to him are for it. */
  readonly userId?: string;
};

/** To whom messages are said; who is nobody's is a user of his own. */
export const userIdOf = ({ id, userId }: Credential): string => userId ?? id;

export type Credentials = {
  /** `authorization`: the header's value, null where there is none. The console's token counts from this machine alone. */
  find(authorization: string | null, isFromHere?: boolean): Credential | Failure;
  /** Whether it is the console's own token, which never leaves this machine. */
  isConsole(authorization: string | null, isFromHere?: boolean): boolean;
};

/** By its hash: whoever has another admin token, stolen perhaps, takes nothing from this one, nor from the console's. */
const adminOf = (tokenHash: string): Credential => ({ role: 'admin', id: 'admin', countedBy: tokenHash });
const scheme = 'Bearer ';
/** What tokens of tills begin with, and those of the user records. */
const terminalMark = 'till_';
const userMark = 'user_';
const userField = '/user';
/** Longer than any token we make, and than any sensible one of an admin's. */
const tokenCharsMax = 512;

export const credentialMissing = failure('credential_missing', 'Send a token: Authorization: Bearer TOKEN.');
export const credentialUnknown = failure(
  'credential_unknown',
  'This token is not known here, or was revoked. Ask an admin for another.',
);
const notBearer = failure('credential_unknown', 'Send the token exactly so: Authorization: Bearer TOKEN.');

export function createCredentials(
  books: Books,
  adminTokenHashes: () => readonly string[],
  consoleTokenHash: string | null,
): Credentials {
  const remembered = new Map<string, Credential>();
  let revision = -1;

  /** By record; what was found stays good until any record changes, for then it may have been revoked. */
  function findRecorded(token: string): Credential | undefined {
    const now = books.recordRevision();
    if (now !== revision) remembered.clear();
    revision = now;
    const known = remembered.get(token);
    if (known) return known;
    const credential = token.startsWith(terminalMark) ? tillOf(books, token) : userOf(books, token);
    if (credential && remembered.size < tokensRememberedMax) remembered.set(token, credential);
    return credential;
  }

  function findAdmin(token: string, isFromHere: boolean): Credential | undefined {
    const sent = hashOf(token);
    let isKnown = false;
    for (const known of [...adminTokenHashes(), isFromHere ? consoleTokenHash : null])
      isKnown = isSameHash(sent, known) || isKnown;
    return isKnown ? adminOf(sent) : undefined;
  }

  return {
    find(authorization, isFromHere = false) {
      if (authorization === null || authorization === '') return credentialMissing;
      if (!authorization.startsWith(scheme)) return notBearer;
      const token = authorization.slice(scheme.length);
      if (token.length === 0 || token.length > tokenCharsMax) return credentialUnknown;
      const isRecorded = token.startsWith(terminalMark) || token.startsWith(userMark);
      const recorded = isRecorded ? findRecorded(token) : undefined;
      return recorded ?? findAdmin(token, isFromHere) ?? credentialUnknown;
    },
    isConsole: (authorization, isFromHere = false) =>
      isFromHere && isSameHash(hashOf((authorization ?? '').slice(scheme.length)), consoleTokenHash),
  };
}

/** Of two tills that were given one id at two places, unseen, both sell on: each with the role that came with its token. */
function tillOf(books: Books, token: string): Credential | undefined {
  const row = rowOf(books, 'terminal', token);
  if (!row || row.deleted || row.fields[revokedField] === true) return undefined;
  const hash = hashOf(token);
  const rivals = row.rivals.find(({ field }) => field === tokenHashField)?.sets ?? [];
  const made = [row.fields, ...rivals].find((fields) => isSameHash(hash, fields[tokenHashField]));
  if (!made) return undefined;
  // A role that this version does not know is the lesser one.
  const isTerminal = [undefined, null, 'terminal'].includes(made[roleField] as string | undefined);
  const { [userField]: user } = row.fields;
  const userId = typeof user === 'string' ? { userId: userAuthorMark + user } : {};
  return { role: isTerminal ? 'terminal' : 'read-only', id: row.id, terminalId: row.id, ...userId };
}

function userOf(books: Books, token: string): Credential | undefined {
  const row = rowOf(books, 'user', token);
  const sent = hashOf(token);
  if (!row || !isSameHash(sent, userTokenHashOf(row))) return undefined;
  const role = userRoleOf(row);
  return role === 'admin' ? adminOf(sent) : { role, id: row.id };
}

/** A token for a till or for a user's record, of 32 bytes of chance. */
export const terminalToken = (id: string, chance: Uint8Array): string => tokenOf(terminalMark, id, chance);
export const userToken = (name: string, chance: Uint8Array): string => tokenOf(userMark, name, chance);
export const tokenBytes = 32;

const tokenOf = (mark: string, id: string, chance: Uint8Array): string =>
  `${mark}${Buffer.from(id).toString('base64url')}.${Buffer.from(chance).toString('base64url')}`;

/** SHA-256 of a secret, hex: what is kept of it. */
export const hashOf = (secret: string): string => hash('sha256', secret, 'hex');

function rowOf(books: Books, entity: 'terminal' | 'user', token: string): RecordRow | undefined {
  const end = token.indexOf('.');
  const start = token.indexOf('_') + 1;
  return end < 0 ? undefined : books.record(entity, Buffer.from(token.slice(start, end), 'base64url').toString());
}

/** Without telling by its time how much of it was right. */
export function isSameHash(sent: string, known: unknown): boolean {
  if (typeof known !== 'string' || known.length !== sent.length) return false;
  const [a, b] = [Buffer.from(sent), Buffer.from(known.toLowerCase())];
  return a.length === b.length && timingSafeEqual(a, b);
}
