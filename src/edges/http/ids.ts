// Ids that the client did not make. With an Idempotency-Key the id follows from the key: so the same request is the same
// thing for ever and on every appliance, and no key has to be remembered.

import { hash } from 'node:crypto';
import { type Failure, failure } from '../../core/command.ts';
import type { Credential } from './credentials.ts';

const keyPattern = /^[\x21-\x7e]{1,255}$/;

export type KeyedIds = {
  readonly ok: true;
  /** Undefined without a key: then the appliance makes one. */
  of(index: number): string | undefined;
};

export function keyedIds(headers: Headers, credential: Credential, path: string): KeyedIds | Failure {
  const key = headers.get('idempotency-key');
  if (key === null) return noKey;
  if (!keyPattern.test(key)) {
    return failure('header_malformed', 'Idempotency-Key takes 1 to 255 printable characters without spaces.');
  }
  return { ok: true, of: (index) => uuidOf(`${credential.id}\n${path}\n${key}\n${index}`) };
}

const noKey: KeyedIds = { ok: true, of: () => undefined };

/** UUIDv8 (RFC 9562, section 5.8) of a text. */
function uuidOf(text: string): string {
  const digits = hash('sha256', text, 'hex');
  const variant = '89ab'[Number.parseInt(digits.slice(16, 17), 16) % 4];
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(13, 16)}-${variant}${digits.slice(17, 20)}-${digits.slice(20, 32)}`;
}
