// A snapshot that comes, or came in part: its manifest, its file, which chunks are there. It outlives the link, and by its
// file the process; what lies in the file after a restart is hashed anew before it counts.

import { snapshotChunkBytes, snapshotWindowChunks } from '../core/limits.ts';
import { hex } from '../core/op.ts';
import {
  type ChunkList,
  chunkCount,
  chunkHash,
  chunkLength,
  createChunkList,
  type SnapshotManifest,
} from '../core/snapshot.ts';
import type { Bulk, Crypto, OpenFile } from '../ports.ts';
import { parseManifest } from '../protocol/manifest.ts';
import {
  dropIncomingLogs,
  incomingPath,
  keepPart,
  type PartText,
  readPart,
  removePart,
} from '../storage/snapshot-files.ts';

export type SnapshotPart = {
  readonly id: string;
  readonly manifest: SnapshotManifest;
  readonly list: ChunkList;
  readonly file: OpenFile;
  /** Whether these are the bytes of that chunk. */
  isChunk(index: number, bytes: Uint8Array): boolean;
  /** On disk, and the file closed. */
  finish(done: (error: Error | null) => void): void;
  close(): void;
};

export const snapshotIdOf = (crypto: Crypto, manifest: string): string => hex(crypto.sha256(manifest)).slice(0, 32);

/** What a restart left, to be asked for again; what is useless is removed. */
export function leftPart(crypto: Crypto, databasePath: string): { id: string; maker: string } | undefined {
  const text = readPart(databasePath);
  const manifest = text && parseManifest(text.manifest);
  if (text && manifest) return { id: snapshotIdOf(crypto, text.manifest), maker: manifest.maker };
  removePart(databasePath);
  return undefined;
}

/**
 * Goes on with the file that is there when it is of this snapshot, else begins anew. Throws as node:fs does. `ready` is
 * called once what is there has been looked at.
 */
export function openPart(
  ports: { crypto: Crypto; bulk: Bulk },
  databasePath: string,
  text: PartText,
  manifest: SnapshotManifest,
  ready: (part: SnapshotPart) => void,
): void {
  const { crypto, bulk } = ports;
  const isSame = readPart(databasePath)?.manifest === text.manifest;
  if (isSame) dropIncomingLogs(databasePath);
  else {
    removePart(databasePath);
    keepPart(databasePath, text);
  }
  const file = bulk.open(incomingPath(databasePath), 'write');
  const list = createChunkList(chunkCount(manifest));
  const part: SnapshotPart = {
    id: snapshotIdOf(crypto, text.manifest),
    manifest,
    list,
    file,
    isChunk: (index, bytes) =>
      bytes.length === chunkLength(manifest, index) && hex(crypto.sha256(bytes)) === chunkHash(manifest, index),
    finish(done) {
      // Closed for good before SQLite opens it: a later close would free SQLite's locks on it.
      file.sync((error) => file.close(() => done(error)));
    },
    close: () => file.close(),
  };
  if (!isSame) return ready(part);
  lookAt(part, 0, () => ready(part));
}

/** Some chunks at a time; the file ends where the last one that came ends. */
function lookAt(part: SnapshotPart, first: number, done: () => void): void {
  const bytes = snapshotWindowChunks * snapshotChunkBytes;
  part.file.read(first * snapshotChunkBytes, bytes, (read) => {
    if (read instanceof Error || read.length === 0) return done();
    for (let at = 0; at < read.length; at += snapshotChunkBytes) {
      const index = first + at / snapshotChunkBytes;
      if (index < part.list.count && part.isChunk(index, read.subarray(at, at + snapshotChunkBytes)))
        part.list.done(index);
    }
    lookAt(part, first + snapshotWindowChunks, done);
  });
}
