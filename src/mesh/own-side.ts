// Our own side as sessions see it: who we are, whom we let in, and heads and digests, computed once for each
// state of the books.

import { type Heads, headsText } from '../core/heads.ts';
import { canonicalJson } from '../core/json.ts';
import { rangeRowsMax } from '../core/limits.ts';
import type { ProofMessage } from '../core/message.ts';
import { hex } from '../core/op.ts';
import type { OwnSide } from '../core/session-state.ts';
import type { Crypto } from '../ports.ts';
import { protocolRange } from '../protocol/version.ts';
import { rangeHashes, rangeRows } from '../storage/ranges.ts';
import { headsOf, type Part, type StorageState } from '../storage/state.ts';
import type { Storage } from '../storage/storage.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';
import type { Admitting } from './trust/admission.ts';

export function createOwnSide(
  { ports, storage, config }: MeshParts,
  admission: Pick<Admitting, 'proof' | 'judge'>,
  askFrom: (link: Link) => Heads,
): (link: Link) => OwnSide {
  const booksNow = createBooksSide(storage, ports.crypto);
  const { replicaId: id, name, version, shop, meshPort } = config;
  return (link) => {
    const { peerKeyId } = link;
    const wallMs = Math.max(0, Math.trunc(ports.clock.now()));
    return Object.assign(booksNow(), {
      id,
      name,
      version,
      shop,
      meshPort,
      origins: config.origins,
      protocol: protocolRange,
      proof: () => admission.proof(link),
      judge: (message: ProofMessage) => admission.judge(link, message),
      peerKeyId,
      wallMs,
      askFrom: askFrom(link),
      rangeHashes: (part: string) => rangeHashes(storage, ports.crypto, part as Part),
      rangeRows: (part: string, range: number) => rangeRows(storage, ports.crypto, part as Part, range, rangeRowsMax),
    });
  };
}

type BooksSide = Pick<OwnSide, 'heads' | 'hashes' | 'headsDigest' | 'booksDigest' | 'parts'>;

/** The digests are made when first asked for: a busy appliance commits far more often than it pings. */
function createBooksSide(storage: Storage, crypto: Crypto): () => BooksSide {
  let seen: StorageState | null = null;
  let side: BooksSide | null = null;
  return () => {
    const state = storage.state();
    if (state !== seen || !side) {
      seen = state;
      side = sideOf(storage, crypto, state);
    }
    return Object.create(side);
  };
}

function sideOf(storage: Storage, crypto: Crypto, state: StorageState): BooksSide {
  const heads = headsOf(state);
  let hashes: Record<string, string> | null = null;
  const hashesNow = () => {
    hashes ??= Object.fromEntries(Object.keys(heads).map((origin) => [origin, hashAt(state, origin)]));
    return hashes;
  };
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
      return hashesNow();
    },
    get headsDigest() {
      // With the chain heads: equal is said of journals, not of numbers.
      headsDigest ??= hex(crypto.sha256(headsText(heads) + canonicalJson(hashesNow()))).slice(0, 16);
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
