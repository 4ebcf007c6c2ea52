// When a snapshot is worth taking, which chunks are asked for, and what of a manifest or a chunk from outside is let in.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  frameBytesMax,
  snapshotCarriedOpsMax,
  snapshotChunkBytes,
  snapshotManifestCharsMax,
  snapshotOpsMin,
} from '../../src/core/limits.ts';
import { chunkLength, createChunkList, isSnapshotWorthwhile, type SnapshotManifest } from '../../src/core/snapshot.ts';
import { decodeChunkFrame, decodeCommitsFrame, encodeChunkFrame } from '../../src/protocol/frames.ts';
import { encodeManifest, parseManifest } from '../../src/protocol/manifest.ts';

const [own, other] = ['a'.repeat(26), 'b'.repeat(26)];
const [ownOrigin, origin] = [`${own}.1`, `${other}.1`];

describe('B3 a snapshot is worth taking', () => {
  test.each([
    ['by whoever has nothing', {}, { [origin]: snapshotOpsMin }, true],
    ['not for a little', {}, { [origin]: snapshotOpsMin - 1 }, false],
    ['not for less than half of all', { [origin]: 60_000 }, { [origin]: 110_000 }, false],
    ['for half of all', { [origin]: 50_000 }, { [origin]: 100_000 }, true],
    ['with sales of our own that it lacks', { [ownOrigin]: 10 }, { [origin]: 9000 }, true],
    ['not with thousands of them', { [ownOrigin]: snapshotCarriedOpsMax + 1 }, { [origin]: 9000 }, false],
    ['not when others hold more of our own', { [ownOrigin]: 1 }, { [ownOrigin]: 2, [origin]: 9000 }, false],
  ])('%s', (_what, ours, theirs, expected) => {
    expect(isSnapshotWorthwhile(own, ours, theirs)).toBe(expected);
  });
});

test('B8 chunks are asked for once each, a window at a time, until all are there, whatever fails on the way', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 8 }),
      fc.infiniteStream(fc.nat(9)),
      (count, window, dice) => {
        const list = createChunkList(count);
        const underWay: number[] = [];
        const asked = new Map<number, number>();
        let failures = 0;
        while (list.doneCount() < count) {
          for (const index of list.next(window)) {
            underWay.push(index);
            asked.set(index, (asked.get(index) ?? 0) + 1);
          }
          expect(underWay.length).toBeLessThanOrEqual(window);
          const [index = -1] = underWay.splice((dice.next().value ?? 0) % underWay.length, 1);
          expect(list.isAskedFor(index)).toBe(true);
          if ((dice.next().value ?? 0) < 2 && failures < 20) {
            failures += 1;
            list.failed(index);
          } else list.done(index);
        }
        expect([...asked.values()].reduce((sum, times) => sum + times, 0)).toBe(count + failures);
        expect(list.next(window)).toEqual([]);
      },
    ),
  );
});

const manifest: SnapshotManifest = {
  format: 1,
  shop: 'shop',
  maker: other,
  schema: '1 2',
  heads: { [origin]: 7 },
  hashes: { [origin]: '0'.repeat(64) },
  digests: { products: '0'.repeat(64) },
  bytes: 2 * snapshotChunkBytes + 1,
  chunkBytes: snapshotChunkBytes,
  chunks: '0'.repeat(3 * 64),
};

describe('C13 a manifest', () => {
  test('is read as it was written, and its last chunk is as long as is left', () => {
    expect(parseManifest(encodeManifest(manifest))).toEqual(manifest);
    expect([0, 1, 2].map((index) => chunkLength(manifest, index))).toEqual([snapshotChunkBytes, snapshotChunkBytes, 1]);
  });

  test.each<[string, Record<string, unknown>]>([
    ['another format', { format: 2 }],
    ['fewer hashes than chunks', { chunks: '0'.repeat(2 * 64) }],
    ['no bytes', { bytes: 0 }],
    ['more bytes than are let in', { bytes: 2 ** 40 }],
    ['chunks of another size', { chunkBytes: 1 }],
    ['heads that are none', { heads: { [origin]: -1 } }],
    ['heads without their hash', { hashes: {} }],
    ['a prototype', { heads: JSON.parse('{"__proto__": {"admin": true}}') }],
  ])('with %s is none', (_what, change) => {
    expect(parseManifest(JSON.stringify({ ...manifest, ...change }))).toBe(undefined);
  });

  test('of the largest books and most origins fits a frame', () => {
    expect(snapshotManifestCharsMax * 1.1).toBeLessThan(frameBytesMax);
  });

  test('that is garbage is none, and never throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parseManifest(text) === undefined));
  });
});

describe('C13 a chunk', () => {
  const chunk = {
    id: '0123456789abcdef0123456789abcdef',
    index: 513,
    isPacked: true,
    bytes: new Uint8Array([1, 2, 3]),
  };

  test('is read as it was written, and is no frame of commits', () => {
    const frame = encodeChunkFrame(chunk);
    expect(decodeChunkFrame(frame)).toEqual(chunk);
    expect(decodeCommitsFrame(frame)).toBe(undefined);
  });

  test('cut short, or packed in a way that nobody knows, is malformed', () => {
    const frame = encodeChunkFrame(chunk);
    expect(decodeChunkFrame(frame.subarray(0, 22))).toBe('malformed');
    expect(decodeChunkFrame(frame.with(1, 2))).toBe('malformed');
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeChunkFrame(bytes)));
  });
});
