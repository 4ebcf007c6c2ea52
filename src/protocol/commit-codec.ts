// Commits as bytes: what travels in a frame, and what gossip over HTTP carries in base64. Big-endian; numbers that may
// exceed 32 bits are IEEE doubles (exact to 2^53). See PROTOCOL.md. Decoding never throws and never reads past its
// input; it checks form only, the journal checks truth.

import { commitBytesMax, opNumberMax } from '../core/limits.ts';
import type { Commit, Op, Seal } from '../core/op.ts';

const sealBytes = 4 * 8 + 32 + 32 + 64 + 4;
const kinds = { whole: 0, erased: 1, pruned: 2 } as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes of a commit. The origin is not among them: it stands once in the frame around it. */
export function encodeCommit(commit: Commit): Uint8Array {
  let room = sealBytes;
  for (const op of commit.ops) room += 9 + opRoom(op);
  const bytes = room <= desk.length ? desk : new Uint8Array(room);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, commit.from);
  view.setFloat64(8, commit.seal.first);
  view.setFloat64(16, commit.seal.last);
  view.setFloat64(24, commit.seal.facts);
  bytes.set(commit.seal.before, 32);
  bytes.set(commit.seal.after, 64);
  bytes.set(commit.seal.signature, 96);
  view.setUint32(160, commit.ops.length);
  let at = sealBytes;
  for (const op of commit.ops) at = encodeOp(op, bytes, view, at);
  // Only what was written, not the room: these are kept for a while.
  return bytes.slice(0, at);
}

/** Where commits are written before they are cut to size: room for the largest that holds more than one op. */
const desk = new Uint8Array(3 * commitBytesMax);

/** The commit of `origin`, or undefined when the bytes are not one. */
export function decodeCommit(origin: string, bytes: Uint8Array): Commit | undefined {
  if (bytes.length < sealBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [from, first, last, facts] = [0, 8, 16, 24].map((at) => view.getFloat64(at)) as [
    number,
    number,
    number,
    number,
  ];
  const count = view.getUint32(160);
  if (![from, first, last].every((number) => Number.isInteger(number) && number >= 1 && number <= opNumberMax))
    return undefined;
  if (!Number.isSafeInteger(facts) || facts < 0 || facts > last || from > first || first > last) return undefined;
  if (count !== 0 && count !== last - first + 1) return undefined;
  const seal: Seal = {
    origin,
    first,
    last,
    facts,
    before: bytes.slice(32, 64),
    after: bytes.slice(64, 96),
    signature: bytes.slice(96, 160),
  };
  const ops: Op[] = [];
  let at = sealBytes;
  for (let index = 0; index < count; index++) {
    const decoded = decodeOp(bytes, view, at);
    if (!decoded) return undefined;
    ops.push(decoded.op);
    at = decoded.end;
  }
  return at === bytes.length ? { from, seal, ops } : undefined;
}

/** A UTF-16 text of n units has at most 3n bytes of UTF-8. */
function opRoom(op: Op): number {
  if (op.kind === 'whole') return 3 * (op.header.length + op.payload.length);
  return op.kind === 'erased' ? 3 * op.header.length + 32 : 64;
}

function encodeOp(op: Op, bytes: Uint8Array, view: DataView, start: number): number {
  view.setUint8(start, kinds[op.kind]);
  if (op.kind === 'pruned') {
    bytes.set(op.headerHash, start + 1);
    bytes.set(op.payloadHash, start + 33);
    return start + 65;
  }
  const headerAt = start + 9;
  const headerBytes = encoder.encodeInto(op.header, bytes.subarray(headerAt)).written;
  view.setUint32(start + 1, headerBytes);
  const payloadAt = headerAt + headerBytes;
  if (op.kind === 'erased') {
    view.setUint32(start + 5, 32);
    bytes.set(op.payloadHash, payloadAt);
    return payloadAt + 32;
  }
  const payloadBytes = encoder.encodeInto(op.payload, bytes.subarray(payloadAt)).written;
  view.setUint32(start + 5, payloadBytes);
  return payloadAt + payloadBytes;
}

function decodeOp(bytes: Uint8Array, view: DataView, start: number): { op: Op; end: number } | undefined {
  if (start + 65 > bytes.length && start + 9 > bytes.length) return undefined;
  const kind = view.getUint8(start);
  if (kind === kinds.pruned) {
    if (start + 65 > bytes.length) return undefined;
    const op: Op = {
      kind: 'pruned',
      headerHash: bytes.slice(start + 1, start + 33),
      payloadHash: bytes.slice(start + 33, start + 65),
    };
    return { op, end: start + 65 };
  }
  const headerAt = start + 9;
  const payloadAt = headerAt + view.getUint32(start + 1);
  const end = payloadAt + view.getUint32(start + 5);
  if (end > bytes.length) return undefined;
  const header = decodeText(bytes.subarray(headerAt, payloadAt));
  if (header === undefined) return undefined;
  if (kind === kinds.erased) {
    return end - payloadAt === 32
      ? { op: { kind: 'erased', header, payloadHash: bytes.slice(payloadAt, end) }, end }
      : undefined;
  }
  const payload = decodeText(bytes.subarray(payloadAt, end));
  return kind === kinds.whole && payload !== undefined ? { op: { kind: 'whole', header, payload }, end } : undefined;
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
