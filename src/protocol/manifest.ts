// A snapshot's manifest as text: what its maker signs is these very bytes, so it is written once and passed on as it is.

import { z } from 'zod';
import { parseHeads } from '../core/heads.ts';
import { originsMax, snapshotBytesMax, snapshotChunkBytes } from '../core/limits.ts';
import { chunkCount, type SnapshotManifest, snapshotFormat } from '../core/snapshot.ts';

/** First 32 hex digits of the SHA-256 of the manifest's text. */
export const snapshotId = z.string().regex(/^[0-9a-f]{32}$/);
export const chainHeads = z
  .record(z.string().max(64), z.string().regex(/^[0-9a-f]{64}$/))
  .refine((value) => Object.keys(value).length <= originsMax);
export const digests = z
  .record(z.string().max(64), z.string().max(64))
  .refine((value) => Object.keys(value).length <= 64);

const heads = z.unknown().transform((value, context) => {
  const parsed = parseHeads(value);
  if (parsed) return parsed;
  context.addIssue({ code: 'custom', message: 'not heads' });
  return z.NEVER;
});

const schema = z
  .object({
    format: z.literal(snapshotFormat),
    shop: z.string().max(64),
    maker: z.string().max(64),
    schema: z.string().max(4000),
    heads,
    hashes: chainHeads,
    digests,
    bytes: z.int().min(1).max(snapshotBytesMax),
    chunkBytes: z.literal(snapshotChunkBytes),
    chunks: z.string().regex(/^[0-9a-f]*$/),
  })
  .refine((manifest) => manifest.chunks.length === 64 * chunkCount(manifest))
  .refine((manifest) => Object.keys(manifest.heads).every((origin) => manifest.hashes[origin] !== undefined));

export const encodeManifest = (manifest: SnapshotManifest): string => JSON.stringify(manifest);

/** Undefined for what is no manifest, or one of a format that we do not know. */
export function parseManifest(text: string): SnapshotManifest | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
