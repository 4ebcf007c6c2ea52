// Our own side as sessions see it, computed once for each state of the books.

import { headsText } from '../core/heads.ts';
import { hex } from '../core/op.ts';
import type { OwnSide } from '../core/session-state.ts';
import type { Crypto } from '../ports.ts';
import { headsOf, type StorageState } from '../storage/state.ts';
import type { Storage } from '../storage/storage.ts';

export type BooksSide = Pick<OwnSide, 'heads' | 'hashes' | 'headsDigest' | 'booksDigest' | 'parts'>;

/** The digests are made when first asked for: a busy appliance commits far more often than it pings. */
export function createSnapshot(storage: Storage, crypto: Crypto): { now(): BooksSide } {
  let seen: StorageState | null = null;
  let side: BooksSide | null = null;
  return {
    now() {
      const state = storage.state();
      if (state !== seen || !side) {
        seen = state;
        side = sideOf(storage, crypto, state);
      }
      return Object.create(side);
    },
  };
}

function sideOf(storage: Storage, crypto: Crypto, state: StorageState): BooksSide {
  const heads = headsOf(state);
  let hashes: Record<string, string> | null = null;
  let parts: Record<string, string> | null = null;
  let headsDigest: string | null = null;
  let booksDigest: string | null = null;
  const partsNow = () => {
    parts ??= { ...storage.books.digests() };
    return parts;
  };
  return {
    heads,
    get hashes() {
      hashes ??= Object.fromEntries(Object.keys(heads).map((origin) => [origin, hashAt(state, origin)]));
      return hashes;
    },
    get headsDigest() {
      headsDigest ??= hex(crypto.sha256(headsText(heads))).slice(0, 16);
      return headsDigest;
    },
    get parts() {
      return partsNow();
    },
    get booksDigest() {
      booksDigest ??= hex(crypto.sha256(Object.values(partsNow()).join('\n'))).slice(0, 32);
      return booksDigest;
    },
  };
}

const hashAt = (state: StorageState, origin: string): string =>
  hex((state.origins.get(origin)?.hash ?? new Uint8Array()).subarray(0, 8));
