// The system as ports: the only place with a clock, timers, chance and the opening of a database file.

import crypto, { type KeyObject } from 'node:crypto';
import Database from 'better-sqlite3';
import { base32, publicKeyBytes, replicaIdChars, signatureBytes } from '../core/identity.ts';
import { publicKeysCachedMax } from '../core/limits.ts';
import type { Clock, Crypto, OpenDatabase, Random, ShopOfKey, Timers } from '../ports.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** Longest delay that setTimeout takes; what is longer runs at once there. */
const timeoutMsMax = 2 ** 31 - 1;

export const systemTimers: Timers = {
  after(delayMs, run) {
    let timeout: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, timeoutMsMax);
      timeout = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : run()), stepMs);
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(timeout) };
  },
  soon(run) {
    setImmediate(run);
  },
};

export const systemRandom: Random = {
  bytes: (count) => crypto.randomBytes(count),
  fraction: () => Math.random(),
};

/** `verify` never throws: what is no key, or no signature, signs nothing. */
export function createSystemCrypto(): Crypto {
  const keyOf = createKeyCache();
  return {
    sha256,
    hmacSha256: (key, input) => crypto.createHmac('sha256', key).update(input).digest(),
    shopOfKey,
    verify(publicKey, message, signature) {
      if (signature.length !== signatureBytes) return false;
      const key = keyOf(publicKey);
      return key !== undefined && crypto.verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
    },
  };
}

/**
 * Every sale is hashed a dozen times. In one call, and as text: a third of the time of a hash object or a Buffer, whose
 * memory is made outside the heap for each.
 */
function sha256(input: Uint8Array | string): Uint8Array {
  const text = crypto.hash('sha256', input, 'latin1');
  const bytes = new Uint8Array(32);
  for (let index = 0; index < 32; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

/** SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480). */
const spkiPrefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');

function createKeyCache(): (publicKey: Uint8Array) => KeyObject | undefined {
  const keys = new Map<string, KeyObject>();
  return (publicKey) => {
    const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.byteLength).toString('latin1');
    const known = keys.get(name);
    if (known) return known;
    const imported = importPublicKey(publicKey);
    if (!imported) return undefined;
    const oldest = keys.size >= publicKeysCachedMax ? keys.keys().next() : undefined;
    if (oldest?.value !== undefined) keys.delete(oldest.value);
    keys.set(name, imported);
    return imported;
  };
}

function importPublicKey(publicKey: Uint8Array): KeyObject | undefined {
  // Only the uncompressed form: other ways to write the same point would make several ids of one key.
  if (publicKey.length !== publicKeyBytes || publicKey[0] !== 4) return undefined;
  try {
    return crypto.createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/** `addon` is what better-sqlite3 takes as a loaded native binding; without it, it finds its own beside its sources. */
export function createOpenDatabase(addon?: object): OpenDatabase {
  // The declaration knows a path only; the library takes the exports of a loaded addon too.
  const binding = addon ? { nativeBinding: addon as unknown as string } : {};
  return (path, { readonly }) => new Database(path, { readonly, ...binding });
}

/**
 * Everybody who has the key computes the same shop. The id is public, so the derivation (scrypt, RFC 7914) is slow: a key
 * that a person made up is not found by trying words against it.
 */
function shopOfKey(text: string): ShopOfKey {
  const derived = crypto.scryptSync(text, 'tillmesh-shop-1', 64, { N: 16_384, r: 8, p: 1 });
  return { shop: base32(derived.subarray(32)).slice(0, replicaIdChars), key: derived.subarray(0, 32) };
}
