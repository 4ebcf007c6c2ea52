// Who asks. A token is opaque; only its hash is known here: those of admins by configuration, those of tills by their
// records, which every appliance of the shop has. A till's token names its record, so it is found without a search.

import { hash, timingSafeEqual } from 'node:crypto';
import { revokedField, tokenHashField } from '../../commands/make-terminal.ts';
import type { Books } from '../../core/books.ts';
import { type Failure, failure } from '../../core/command.ts';

export type Credential = {
  readonly kind: 'admin' | 'terminal';
  /** What is written as author: the terminal's id, or "admin". */
  readonly id: string;
};

export type Credentials = {
  /** `authorization`: the header's value, null where there is none. */
  find(authorization: string | null): Credential | Failure;
};

const admin: Credential = { kind: 'admin', id: 'admin' };
const scheme = 'Bearer ';
const terminalMark = 'till_';
/** Longer than any token we make, and than any sensible one of an admin's. */
const tokenCharsMax = 512;
/** Tokens seen since a record last changed; a shop has tens. */
const rememberedMax = 1000;

const missing = failure('credential_missing', 'Send a token: Authorization: Bearer TOKEN.');
const unknown = failure(
  'credential_unknown',
  'This token is not known here, or was revoked. Ask an admin for another.',
);

export function createCredentials(books: Books, adminTokenHashes: () => readonly string[]): Credentials {
  const tills = new Map<string, Credential>();
  let revision = -1;

  function findTill(token: string): Credential | undefined {
    // A till may have been revoked in any change of a record.
    const now = books.recordRevision();
    if (now !== revision) tills.clear();
    revision = now;
    const remembered = tills.get(token);
    if (remembered) return remembered;
    const id = terminalIdOf(token);
    const row = id === undefined ? undefined : books.record('terminal', id);
    if (!row || row.deleted || row.fields[revokedField] === true) return undefined;
    if (!isSameHash(hashOf(token), row.fields[tokenHashField])) return undefined;
    const credential: Credential = { kind: 'terminal', id: row.id };
    if (tills.size < rememberedMax) tills.set(token, credential);
    return credential;
  }

  function isAdmin(token: string): boolean {
    const sent = hashOf(token);
    let isKnown = false;
    for (const known of adminTokenHashes()) isKnown = isSameHash(sent, known) || isKnown;
    return isKnown;
  }

  return {
    find(authorization) {
      if (authorization === null || authorization === '') return missing;
      if (!authorization.startsWith(scheme)) return unknown;
      const token = authorization.slice(scheme.length);
      if (token.length === 0 || token.length > tokenCharsMax) return unknown;
      const till = token.startsWith(terminalMark) ? findTill(token) : undefined;
      return till ?? (isAdmin(token) ? admin : unknown);
    },
  };
}

/** A token for a till, of 32 bytes of chance. */
export const terminalToken = (id: string, chance: Uint8Array): string =>
  `${terminalMark}${Buffer.from(id).toString('base64url')}.${Buffer.from(chance).toString('base64url')}`;

/** SHA-256 of a token, hex: what is kept of it. */
export const hashOf = (token: string): string => hash('sha256', token, 'hex');

function terminalIdOf(token: string): string | undefined {
  const end = token.indexOf('.');
  return end < 0 ? undefined : Buffer.from(token.slice(terminalMark.length, end), 'base64url').toString();
}

function isSameHash(sent: string, known: unknown): boolean {
  if (typeof known !== 'string' || known.length !== sent.length) return false;
  return timingSafeEqual(Buffer.from(sent), Buffer.from(known.toLowerCase()));
}
