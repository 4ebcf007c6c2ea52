// Control messages as JSON text: one schema each. Unknown members are let through unread, unknown types are told apart
// from garbage, so that a newer peer can say more than we understand.

import { z } from 'zod';
import { originPattern, parseHeads } from '../core/heads.ts';
import {
  correlationIdCharsMax,
  frameBytesMax,
  idPattern,
  livePayloadBytesMax,
  liveTypePattern,
  liveUserCharsMax,
  messageTopicsMax,
  opNumberMax,
  originsMax,
  rangeRowsMax,
  servedOriginsMax,
  snapshotBytesMax,
  snapshotManifestCharsMax,
  snapshotWindowChunks,
  straysHopsMax,
  toldAddressesMax,
  voucherBytesMax,
} from '../core/limits.ts';
import type { Message } from '../core/message.ts';
import { chainHeads, digests, snapshotId } from './manifest.ts';

const heads = z.unknown().transform((value, context) => {
  const parsed = parseHeads(value);
  if (parsed) return parsed;
  context.addIssue({ code: 'custom', message: 'not heads' });
  return z.NEVER;
});
const hashes = z
  .record(z.string().max(64), z.string().regex(/^[0-9a-f]{16}$/))
  .refine((value) => Object.keys(value).length <= originsMax);
const text = (charsMax: number) => z.string().max(charsMax);
const replicaId = z.string().regex(/^[a-z2-7]{26}$/);
const origin = z.string().regex(originPattern);
const protocol = z.object({ min: z.int().min(1).max(1000), max: z.int().min(1).max(1000) });
const time = z.int().min(0);
const fileSize = z.int().min(0).max(snapshotBytesMax);
const greeting = {
  id: replicaId,
  name: text(200),
  version: text(50),
  shop: text(64),
  meshPort: z.int().min(0).max(65535),
  origins: z.array(text(300)).max(servedOriginsMax).optional(),
  heads,
  hashes,
};

const schemas = {
  proof: z.object({
    type: z.literal('proof'),
    protocol,
    shop: text(64),
    instance: text(64),
    proof: text(128),
    code: text(128).optional(),
    asks: z.boolean().optional(),
    givesWay: z.boolean().optional(),
    name: text(200).optional(),
    voucher: text(voucherBytesMax * 2).optional(),
  }),
  welcome: z.object({ type: z.literal('welcome'), shop: replicaId, name: text(200), proof: text(128) }),
  addresses: z.object({
    type: z.literal('addresses'),
    peers: z.array(z.object({ id: replicaId, address: text(300) })).max(toldAddressesMax),
  }),
  hello: z.object({ type: z.literal('hello'), ...greeting }),
  hello_ack: z.object({ type: z.literal('hello_ack'), ...greeting }),
  want: z.object({
    type: z.literal('want'),
    replicas: z.array(replicaId).max(originsMax),
    heads,
    again: z.boolean(),
    without: z.array(origin).max(originsMax).default([]),
  }),
  ack: z.object({ type: z.literal('ack'), heads }),
  heads: z.object({ type: z.literal('heads'), heads, hashes }),
  ping: z.object({ type: z.literal('ping'), at: time, heads: text(64), books: text(64) }),
  pong: z.object({ type: z.literal('pong'), at: time, echo: time, heads: text(64), books: text(64) }),
  sync_request: z.object({ type: z.literal('sync_request'), bidirectional: z.boolean() }),
  books: z.object({ type: z.literal('books'), heads: text(64), digests: z.record(text(64), text(64)) }),
  ranges: z.object({
    type: z.literal('ranges'),
    heads: text(64),
    part: text(64),
    hashes: z.array(text(64)).length(256),
  }),
  rows: z.object({
    type: z.literal('rows'),
    heads: text(64),
    part: text(64),
    range: z.int().min(0).max(255),
    rows: z.record(text(200), text(64)).refine((rows) => Object.keys(rows).length <= rangeRowsMax),
  }),
  strays: z.object({
    type: z.literal('strays'),
    origin,
    common: z.int().min(0).max(opNumberMax),
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    publicKey: text(128),
    commits: z.array(text(frameBytesMax)).max(4096),
    hops: z.int().min(1).max(straysHopsMax),
  }),
  snapshot_request: z.object({ type: z.literal('snapshot_request'), have: z.union([snapshotId, z.literal('')]) }),
  snapshot_making: z.object({ type: z.literal('snapshot_making'), bytes: fileSize, bytesDone: fileSize }),
  snapshot_offer: z.object({
    type: z.literal('snapshot_offer'),
    manifest: text(snapshotManifestCharsMax),
    signature: z.string().regex(/^[0-9a-f]{128}$/),
  }),
  snapshot_refused: z.object({ type: z.literal('snapshot_refused'), reason: text(500) }),
  snapshot_chunks: z.object({
    type: z.literal('snapshot_chunks'),
    id: snapshotId,
    indexes: z.array(z.int().min(0).max(opNumberMax)).max(snapshotWindowChunks),
    packed: z.boolean(),
    doneCount: z.int().min(0).max(opNumberMax),
  }),
  snapshot_end: z.object({ type: z.literal('snapshot_end'), id: snapshotId }),
  snapshot_check: z.object({
    type: z.literal('snapshot_check'),
    id: snapshotId,
    heads,
    hashes: chainHeads,
    digests,
  }),
  snapshot_checked: z.object({ type: z.literal('snapshot_checked'), id: snapshotId, differs: text(500) }),
  live: z.object({
    type: z.literal('live'),
    author: replicaId,
    id: z.string().regex(idPattern),
    kind: z.string().regex(liveTypePattern),
    payload: text(livePayloadBytesMax),
    user: text(liveUserCharsMax).min(1).optional(),
    topics: z.array(z.string().regex(idPattern)).min(1).max(messageTopicsMax).optional(),
    correlationId: text(correlationIdCharsMax).min(1).optional(),
    timestamp: time,
    ageMs: time,
  }),
  bye: z.object({ type: z.literal('bye'), reason: text(500) }),
};

export const encodeMessage = (message: Message): string => JSON.stringify(message);

/** A message; 'unknown' for a type of a newer version; 'malformed' for anything else. */
export function parseMessage(frame: string): Message | 'unknown' | 'malformed' {
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch {
    return 'malformed';
  }
  const type = (value as { type?: unknown } | null)?.type;
  if (typeof type !== 'string') return 'malformed';
  if (!Object.hasOwn(schemas, type)) return /^[a-z_]{1,32}$/.test(type) ? 'unknown' : 'malformed';
  const parsed = schemas[type as keyof typeof schemas].safeParse(value);
  return parsed.success ? (parsed.data as Message) : 'malformed';
}
