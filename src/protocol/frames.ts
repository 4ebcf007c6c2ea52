// The binary frames: commits of one origin, in order; and a chunk of a snapshot. See PROTOCOL.md.
//
//   u8 type (1) · u8 length of the origin · origin · 65 bytes public key · u32 count · count × (u32 length · commit)
//   u8 type (2) · u8 packing (0 none, 1 zstd) · 16 bytes name of the snapshot · u32 index · bytes

import type { Commit } from '../core/op.ts';
import { hex } from '../core/op.ts';
import { decodeCommit } from './commit-codec.ts';

const typeCommits = 1;
const typeChunk = 2;
const publicKeyBytes = 65;

export type CommitsFrame = {
  readonly origin: string;
  readonly publicKey: Uint8Array;
  readonly commits: readonly { readonly commit: Commit; readonly bytes: Uint8Array }[];
};

/** `commits`: the bytes of each, see commit-codec.ts. */
export function encodeCommitsFrame(origin: string, publicKey: Uint8Array, commits: readonly Uint8Array[]): Uint8Array {
  const head = 2 + origin.length + publicKeyBytes + 4;
  const frame = new Uint8Array(commits.reduce((sum, bytes) => sum + 4 + bytes.length, head));
  const view = new DataView(frame.buffer);
  view.setUint8(0, typeCommits);
  view.setUint8(1, origin.length);
  new TextEncoder().encodeInto(origin, frame.subarray(2));
  frame.set(publicKey, 2 + origin.length);
  view.setUint32(head - 4, commits.length);
  let at = head;
  for (const bytes of commits) {
    view.setUint32(at, bytes.length);
    frame.set(bytes, at + 4);
    at += 4 + bytes.length;
  }
  return frame;
}

/** The commits in a frame, or undefined when it is not one. */
export function decodeCommitsFrame(frame: Uint8Array): CommitsFrame | undefined {
  if (frame.length < 2 || frame[0] !== typeCommits) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const head = 2 + view.getUint8(1) + publicKeyBytes + 4;
  if (frame.length < head) return undefined;
  const keyAt = head - 4 - publicKeyBytes;
  const origin = String.fromCharCode(...frame.subarray(2, keyAt));
  const count = view.getUint32(head - 4);
  const commits: { commit: Commit; bytes: Uint8Array }[] = [];
  let at = head;
  for (let index = 0; index < count; index++) {
    if (at + 4 > frame.length) return undefined;
    const end = at + 4 + view.getUint32(at);
    if (end > frame.length) return undefined;
    const bytes = frame.subarray(at + 4, end);
    const commit = decodeCommit(origin, bytes);
    if (!commit) return undefined;
    commits.push({ commit, bytes });
    at = end;
  }
  return at === frame.length ? { origin, publicKey: frame.slice(keyAt, head - 4), commits } : undefined;
}

/** `id`: 32 hex digits. */
export type ChunkFrame = {
  readonly id: string;
  readonly index: number;
  readonly isPacked: boolean;
  readonly bytes: Uint8Array;
};

const chunkHeadBytes = 22;

export function encodeChunkFrame({ id, index, isPacked, bytes }: ChunkFrame): Uint8Array {
  const frame = new Uint8Array(chunkHeadBytes + bytes.length);
  frame[0] = typeChunk;
  frame[1] = Number(isPacked);
  for (let at = 0; at < 16; at++) frame[2 + at] = Number.parseInt(id.slice(at * 2, at * 2 + 2), 16);
  new DataView(frame.buffer).setUint32(18, index);
  frame.set(bytes, chunkHeadBytes);
  return frame;
}

/** The chunk in a frame; undefined when it is of another kind; 'malformed' when it is not what it says. */
export function decodeChunkFrame(frame: Uint8Array): ChunkFrame | 'malformed' | undefined {
  if (frame[0] !== typeChunk) return undefined;
  const packing = frame[1] ?? 2;
  if (frame.length <= chunkHeadBytes || packing > 1) return 'malformed';
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  return {
    id: hex(frame.subarray(2, 18)),
    index: view.getUint32(18),
    isPacked: packing === 1,
    bytes: frame.subarray(chunkHeadBytes),
  };
}
