// Snapshots, pure: what a manifest says, when one is worth taking, which chunks to ask for. A snapshot is the database
// file of one appliance at one moment, without what concerns that appliance alone; its maker signs what is in it.

import { type Heads, missingCount, numberAt, replicaOf } from './heads.ts';
import { snapshotCarriedOpsMax, snapshotOpsMin } from './limits.ts';

export const snapshotFormat = 1;

/** What the file holds, in the maker's words. */
export type SnapshotFacts = {
  readonly heads: Heads;
  /** Chain head of each origin at that number, 64 hex digits. */
  readonly hashes: { readonly [origin: string]: string };
  /** Digest of each part of the books. */
  readonly digests: { readonly [part: string]: string };
};

export type SnapshotManifest = SnapshotFacts & {
  readonly format: number;
  readonly shop: string;
  /** Replica id of who made it and signs it. */
  readonly maker: string;
  /** The steps that made its tables: it fits no other version. */
  readonly schema: string;
  readonly bytes: number;
  readonly chunkBytes: number;
  /** SHA-256 of each chunk, 64 hex digits each, one after another. */
  readonly chunks: string;
};

/** The bytes that the maker signs; `text` is the manifest as it travels. */
export const manifestMessage = (text: string): Uint8Array => new TextEncoder().encode(`tillmesh-snapshot-1\n${text}`);

export const chunkCount = ({ bytes, chunkBytes }: Pick<SnapshotManifest, 'bytes' | 'chunkBytes'>): number =>
  Math.ceil(bytes / chunkBytes);

export const chunkHash = ({ chunks }: SnapshotManifest, index: number): string =>
  chunks.slice(index * 64, index * 64 + 64);

/** Length of a chunk: all but the last have the same. */
export const chunkLength = ({ bytes, chunkBytes }: SnapshotManifest, index: number): number =>
  Math.min(chunkBytes, bytes - index * chunkBytes);

/**
 * Whether so much is missing that the whole file is less work: some thousand ops, and half of all there are. Not when
 * others hold more of what we wrote ourselves: then it is our own past that must be looked for, op by op.
 */
export function isSnapshotWorthwhile(ownId: string, ours: Heads, theirs: Heads): boolean {
  const lacking = missingCount(ours, theirs);
  if (lacking < snapshotOpsMin || lacking * 2 < missingCount({}, theirs)) return false;
  return !hasMoreOf(ownId, ours, theirs) && missingCount(theirs, ours) <= snapshotCarriedOpsMax;
}

export const hasMoreOf = (replica: string, ours: Heads, theirs: Heads): boolean =>
  Object.keys(theirs).some(
    (origin) => replicaOf(origin) === replica && numberAt(theirs, origin) > numberAt(ours, origin),
  );

/** Which chunks a newcomer has, is waiting for, and asks for next. */
export type ChunkList = {
  readonly count: number;
  doneCount(): number;
  isDone(index: number): boolean;
  done(index: number): void;
  /** Up to `windowMax` are under way at once; those returned count as asked for. */
  next(windowMax: number): number[];
  /** It did not come, or not as it should be. */
  failed(index: number): void;
  isAskedFor(index: number): boolean;
};

export function createChunkList(count: number): ChunkList {
  const isDone = new Uint8Array(count);
  const asked = new Set<number>();
  let doneCount = 0;
  let first = 0;
  return {
    count,
    doneCount: () => doneCount,
    isDone: (index) => isDone[index] === 1,
    done(index) {
      asked.delete(index);
      if (index >= count || isDone[index] === 1) return;
      isDone[index] = 1;
      doneCount += 1;
    },
    next(windowMax) {
      const indexes: number[] = [];
      while (first < count && isDone[first] === 1) first += 1;
      for (let index = first; index < count && asked.size < windowMax; index++) {
        if (isDone[index] === 1 || asked.has(index)) continue;
        asked.add(index);
        indexes.push(index);
      }
      return indexes;
    },
    failed: (index) => void asked.delete(index),
    isAskedFor: (index) => asked.has(index),
  };
}
