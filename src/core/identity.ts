// Who an appliance is: its replica id follows from its public key, so that nobody can take another's id without its key.

import type { Sha256 } from './op.ts';

/** P-256, uncompressed point: 0x04 ‖ x ‖ y. */
export const publicKeyBytes = 65;
export const signatureBytes = 64;

/** 26 characters hold 130 bits: more than two keys can be made to share. */
export const replicaIdChars = 26;

/** First 26 characters of the lower-case base32 of the SHA-256 of the uncompressed public point. */
export const replicaIdOf = (sha256: Sha256, publicKey: Uint8Array): string =>
  base32(sha256(publicKey)).slice(0, replicaIdChars);

export const base32Alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** Base32 (RFC 4648) in lower case, or in another alphabet, without padding. */
export function base32(bytes: Uint8Array, alphabet = base32Alphabet): string {
  let text = '';
  let bits = 0;
  let bitCount = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    bitCount += 8;
    while (bitCount >= 5) {
      bitCount -= 5;
      text += alphabet[(bits >> bitCount) & 31];
    }
    bits &= (1 << bitCount) - 1;
  }
  return bitCount > 0 ? text + alphabet[(bits << (5 - bitCount)) & 31] : text;
}
