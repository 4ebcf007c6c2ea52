// The claim code: who can read the appliance's console or its data folder is its owner, and makes the first admin. Read
// as people copy such codes, compared without telling how much of it was right.

import { hashOf, isSameHash } from './credentials.ts';

export type Claim = {
  /** Whether a text as a person typed it is the code. */
  isCode(text: string): boolean;
  /** The code is used up. */
  burn(): void;
};

/** `code`: as made, 16 characters of Crockford's base32. `forget` removes what was kept of it. */
export function createClaim(code: string, forget: () => void): Claim {
  let known: string | undefined = hashOf(plainCode(code));
  return {
    isCode: (text) => isSameHash(hashOf(plainCode(text)), known),
    burn() {
      known = undefined;
      forget();
    },
  };
}

/** Without regard to case, hyphens and spaces; O is 0, I and L are 1 (Crockford's base32). */
export const plainCode = (text: string): string =>
  text.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
export const claimCodePattern = /^[0-9A-HJKMNP-TV-Z]{16}$/;

/** 16 characters of ten bytes of chance. */
export function claimCodeOf(chance: Uint8Array): string {
  let bits = 0n;
  for (const byte of chance.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  return Array.from({ length: 16 }, (_, index) => alphabet[Number((bits >> BigInt(75 - 5 * index)) & 31n)]).join('');
}

/** In groups of four, as it is shown. */
export const shownCode = (code: string): string => (code.match(/.{4}/g) ?? []).join('-');
