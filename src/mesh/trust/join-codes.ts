// Join codes: made by an admin, good once and for a quarter of an hour, burnt by some wrong ones. What a person types holds
// 80 bits of chance, what a machine reads from a picture 128: nobody finds either by trying, so no PAKE is needed. They
// live in memory alone.

import { base32 } from '../../core/identity.ts';
import { joinCodeFailuresMax, joinCodeMs, joinCodesMax } from '../../core/limits.ts';
import type { Clock, Crypto, Random } from '../../ports.ts';
import { deriveKey } from './proof.ts';

export type JoinCode = {
  /** 16 characters of Crockford's base32, in groups of four. */
  readonly code: string;
  /** 26 characters: the same invitation, for a machine to read. */
  readonly longCode: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
};

export type JoinCodes = {
  make(): JoinCode;
  /**
   * The key of the code that `isProof` finds proved, which is used up with it; undefined when it is none that is good: that
   * counts against all of them.
   */
  use(isProof: (key: Uint8Array) => boolean): Uint8Array | undefined;
  count(): number;
};

type Open = { readonly keys: readonly Uint8Array[]; readonly until: number; failures: number };

export function createJoinCodes({
  clock,
  crypto,
  random,
}: {
  clock: Clock;
  crypto: Crypto;
  random: Random;
}): JoinCodes {
  let open: Open[] = [];
  const dropOld = (): void => {
    open = open.filter(({ until, failures }) => clock.monotonic() < until && failures < joinCodeFailuresMax);
  };
  return {
    make() {
      dropOld();
      const [code, longCode] = [base32(random.bytes(10), alphabet), base32(random.bytes(16), alphabet)];
      const keys = [code, longCode].map((text) => joinKey(crypto, text));
      open = [...open, { keys, until: clock.monotonic() + joinCodeMs, failures: 0 }].slice(-joinCodesMax);
      return { code: grouped(code), longCode, expiresAt: clock.now() + joinCodeMs };
    },
    use(isProof) {
      dropOld();
      // All of them are tried, whether one fits or not: the time tells nothing.
      const fitting = open.flatMap((one) => one.keys.filter(isProof).map((key) => ({ one, key })));
      const [found] = fitting;
      if (!found) for (const one of open) one.failures += 1;
      else open = open.filter((one) => one !== found.one);
      return found?.key;
    },
    count() {
      dropOld();
      return open.length;
    },
  };
}

/** The key that a code stands for; the code as `normalCode` gives it. */
export const joinKey = (crypto: Pick<Crypto, 'hmacSha256'>, code: string): Uint8Array =>
  deriveKey(crypto, code, 'tillmesh-join-1');

/** Crockford's base32: no I, L, O, U. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

const grouped = (code: string): string => (code.match(/.{1,4}/g) ?? []).join('-');

/** What a person typed, as it was meant: in any case, with or without hyphens, O for 0, I and L for 1; or undefined. */
export function normalCode(typed: string): string | undefined {
  const code = typed.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  const isCode = (code.length === 16 || code.length === 26) && [...code].every((letter) => alphabet.includes(letter));
  return isCode ? code : undefined;
}
