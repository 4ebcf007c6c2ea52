// The op: one durable intent, written once by one origin, never edited; and the commit: a run of one origin's ops under
// one seal. What is hashed are the exact bytes that the author wrote, so that relays and later versions cannot change
// the meaning of what they do not understand.
//
//   head_n = SHA-256(head_{n-1} ‖ SHA-256(header_n) ‖ SHA-256(payload_n)),  head_0 = SHA-256(format, shop, origin)
//   seal   = signature of the origin over (format, shop, origin, first, last, facts, head_{first-1}, head_last)
//
// `facts` counts the facts of the origin up to `last`. Facts are never superseded, so whoever withholds one and calls
// it pruned is found out by the count.

import { checkStamp, type Stamp, type StampFailure, stampMs } from './clock.ts';
import { type Heads, hasSeen, type Origin, parseHeads } from './heads.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { headerBytesMax, jsonDepthMax, payloadBytesMax } from './limits.ts';

/** One op's place in the journal. */
export type Dot = { readonly origin: Origin; readonly number: number };

/**
 * `seen` is there on ops of records only: the vector of that record as the author had seen it. `at`, the author's time in
 * Unix milliseconds, is there when the stamp runs well ahead of it, after somebody's clock was wrong by years.
 */
export type OpHeader = {
  readonly at?: number;
  readonly stamp: Stamp;
  readonly entity: string;
  readonly id: string;
  readonly seen?: Heads;
  /**
   * On which branch each origin of `seen` stood: first 8 hex digits of the chain head after the commit that holds that
   * number, in the order of `seen`; empty where that is not known. Should the origin prove to be forked, it tells what the
   * author meant.
   */
  readonly branches?: readonly string[];
};

/** An op as it travels and rests: whole; or erased (payload gone, personal data); or pruned (superseded). */
export type Op =
  | { readonly kind: 'whole'; readonly header: string; readonly payload: string }
  | { readonly kind: 'erased'; readonly header: string; readonly payloadHash: Uint8Array }
  | { readonly kind: 'pruned'; readonly headerHash: Uint8Array; readonly payloadHash: Uint8Array };

export type Seal = {
  readonly origin: Origin;
  readonly first: number;
  readonly last: number;
  /** Facts of this origin in ops 1…last. */
  readonly facts: number;
  /** Chain heads before `first` and after `last`, 32 bytes each. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  readonly signature: Uint8Array;
};

/**
 * A sealed run of ops. `from` ≤ `seal.first`: what lies between is superseded and gone. `ops` has one entry for each of
 * first…last, or none at all when all of them are superseded.
 */
export type Commit = { readonly from: number; readonly seal: Seal; readonly ops: readonly Op[] };

/** What a command wants written; number and stamp come with the commit. */
export type Draft = {
  readonly entity: string;
  readonly id: string;
  readonly payload: JsonObject;
  readonly seen?: Heads;
  /** When it was written first, for what is written again under a new epoch. */
  readonly written?: { readonly stamp: Stamp; readonly at: number | undefined };
};

export const sealFormat = 'tillmesh-seal-1';

export type Sha256 = (input: Uint8Array | string) => Uint8Array;

export const genesisHead = (sha256: Sha256, shop: string, origin: Origin): Uint8Array =>
  sha256(`tillmesh-journal-1\n${shop}\n${origin}`);

/** What the chain takes in of an op, 32 bytes each. */
export type OpHashes = { readonly headerHash: Uint8Array; readonly payloadHash: Uint8Array };

export const hashesOf = (sha256: Sha256, op: Op): OpHashes =>
  op.kind === 'pruned'
    ? op
    : { headerHash: sha256(op.header), payloadHash: op.kind === 'whole' ? sha256(op.payload) : op.payloadHash };

export function nextHead(sha256: Sha256, head: Uint8Array, hashes: OpHashes): Uint8Array {
  const link = new Uint8Array(96);
  link.set(head, 0);
  link.set(hashes.headerHash, 32);
  link.set(hashes.payloadHash, 64);
  return sha256(link);
}

/** The bytes that the origin signs. */
export const sealMessage = (shop: string, seal: Omit<Seal, 'signature'>): Uint8Array =>
  new TextEncoder().encode(
    [sealFormat, shop, seal.origin, seal.first, seal.last, seal.facts, hex(seal.before), hex(seal.after)].join('\n'),
  );

export const isRecordHeader = (header: OpHeader): header is OpHeader & { seen: Heads } => header.seen !== undefined;

/** When an op was written, as its author knew it. */
export const writtenAtMs = (op: { readonly stamp: Stamp; readonly at?: number | undefined }): number =>
  op.at ?? stampMs(op.stamp);

export type HeaderFailure = StampFailure | 'header_malformed' | 'op_too_large';

/** Reads a header from outside. Members that we do not know are fine: the bytes are kept as they came. */
export function parseHeader(text: string): OpHeader | HeaderFailure {
  if (text.length > headerBytesMax) return 'op_too_large';
  const value = parseJson(text);
  if (!isJsonObject(value)) return 'header_malformed';
  const { stamp, entity, id } = value;
  const stampFailure = checkStamp(stamp);
  if (stampFailure) return stampFailure;
  if (typeof entity !== 'string' || !/^[a-z][a-z_]{0,31}$/.test(entity)) return 'header_malformed';
  if (typeof id !== 'string' || id.length < 1 || id.length > 64) return 'header_malformed';
  const at = Number.isSafeInteger(value.at) ? { at: value.at as number } : {};
  if (value.seen === undefined) return { stamp: stamp as Stamp, entity, id, ...at };
  const seen = parseHeads(value.seen);
  return seen ? { stamp: stamp as Stamp, entity, id, seen, ...at, ...branchesOf(value.branches) } : 'header_malformed';
}

const branchesOf = (value: Json | undefined): { branches?: readonly string[] } =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && /^([0-9a-f]{8})?$/.test(item))
    ? { branches: value as string[] }
    : {};

export function parsePayload(text: string): JsonObject | 'payload_malformed' | 'op_too_large' {
  if (text.length > payloadBytesMax) return 'op_too_large';
  if (depthOf(text) > jsonDepthMax + 8) return 'payload_malformed';
  const value = parseJson(text);
  return isJsonObject(value) ? value : 'payload_malformed';
}

/** Deepest nesting of a JSON text: what is deeper than we write would exhaust the stack of whoever walks it. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (inString) {
      if (code === 0x5c) index += 1;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return deepest;
}

/** Total order of ops, the same everywhere: stamp, then origin, then number. Negative when `a` is the earlier. */
export function compareOps(a: Dot & { stamp: Stamp }, b: Dot & { stamp: Stamp }): number {
  if (a.stamp !== b.stamp) return a.stamp < b.stamp ? -1 : 1;
  if (a.origin !== b.origin) return a.origin < b.origin ? -1 : 1;
  return a.number - b.number;
}

/** Whether the author of `a` had seen `b`. An origin has always seen what it wrote itself before. */
export const hasSeenOp = (a: Dot & { seen: Heads }, b: Dot): boolean =>
  a.origin === b.origin ? a.number > b.number : hasSeen(a.seen, b.origin, b.number);

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexPairs[byte];
  return text;
}

const hexPairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export const isSameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
