// The side that has the books: makes a snapshot when one is asked for, keeps it for a while, and sends its chunks. A peer
// cannot make us wear the disk out: one is made at a time, one a minute at most, and what is fresh is given again, or what
// somebody still takes.

import { missingCount } from '../core/heads.ts';
import {
  snapshotChunkBytes,
  snapshotKeepMs,
  snapshotMakeMs,
  snapshotOpsMin,
  snapshotReturnMs,
  snapshotStallMs,
  snapshotWindowChunks,
} from '../core/limits.ts';
import type { SnapshotChunksMessage, SnapshotMessage } from '../core/message.ts';
import { chunkCount } from '../core/snapshot.ts';
import type { Bulk } from '../ports.ts';
import { encodeChunkFrame } from '../protocol/frames.ts';
import { type Made, type MakeFailure, type Making, makeSnapshot } from '../storage/make-snapshot.ts';
import { madePath, removeDatabase } from '../storage/snapshot-files.ts';
import type { Link } from './link.ts';
import type { SnapshotProgress } from './mesh.ts';
import type { MeshParts } from './parts.ts';

export type SnapshotGiver = {
  asked(link: Link, have: string): void;
  chunksAsked(link: Link, message: SnapshotChunksMessage): void;
  /** It has all, or is gone. */
  ended(link: Link): void;
  tick(): void;
  progress(link: Link): SnapshotProgress | null;
  stop(): void;
};

/** What a link gets: chunks asked for and not yet sent, and how many the newcomer has. */
type Given = { readonly underWay: Set<number>; doneCount: number };

export function createSnapshotGiver({ ports, storage, config }: MeshParts, bulk: Bulk): SnapshotGiver {
  const { clock, log } = ports;
  const waiting = new Set<Link>();
  const given = new Map<Link, Given>();
  let making: Making | null = null;
  /** How far it was when it was last seen to come on, and when that was. */
  let came = { bytes: 0, at: 0 };
  let made: Made | null = null;
  let madeAt = Number.NEGATIVE_INFINITY;
  let usedAt = Number.NEGATIVE_INFINITY;
  removeDatabase(madePath(storage.path));

  const tell = (link: Link, message: SnapshotMessage): void => link.dispatch({ kind: 'tell', message });

  function asked(link: Link, have: string): void {
    if (making) {
      waiting.add(link);
      return tellMaking(link);
    }
    const isRecent = clock.monotonic() - madeAt < snapshotMakeMs;
    if (made && (made.id === have || isFresh(made) || isRecent || isTaken())) return offer(link, made);
    if (isRecent) return tell(link, { type: 'snapshot_refused', reason: 'one was made a moment ago: ask for ops' });
    make(link);
  }

  /** What has come since then is no more than is sent op by op anyway. */
  const isFresh = ({ facts }: Made): boolean => missingCount(facts.heads, storage.books.heads()) < snapshotOpsMin;

  /** By somebody, perhaps behind a cable that was just pulled: a newer one would take it away, and there is one file. */
  const isTaken = (): boolean => given.size > 0 || clock.monotonic() - usedAt < snapshotReturnMs;

  function make(link: Link): void {
    drop();
    madeAt = clock.monotonic();
    const begun = makeSnapshot({ ...ports, bulk }, storage, { ...config, schema: storage.schema }, finished);
    if ('ok' in begun) return tell(link, { type: 'snapshot_refused', reason: begun.detail });
    making = begun;
    came = { bytes: 0, at: madeAt };
    waiting.add(link);
    tellMaking(link);
  }

  function tellMaking(link: Link): void {
    if (making) tell(link, { type: 'snapshot_making', bytes: making.bytes, bytesDone: making.bytesDone() });
  }

  /** A disk that does not answer holds up whoever waits, and keeps the database frozen. */
  function giveUpStuck(of: Making): void {
    const now = clock.monotonic();
    const bytes = of.bytesDone();
    if (bytes > came.bytes) came = { bytes, at: now };
    if (now - came.at <= snapshotStallMs) return;
    of.cancel();
    finished({ ok: false, detail: 'the disk does not answer' });
  }

  function finished(result: Made | MakeFailure): void {
    making = null;
    const links = [...waiting];
    waiting.clear();
    if (!result.ok) {
      log.warn('a snapshot could not be made', { detail: result.detail });
      for (const link of links) tell(link, { type: 'snapshot_refused', reason: result.detail.slice(0, 200) });
      return;
    }
    made = result;
    log.info('a snapshot was made', { bytes: result.bytes, ms: Math.round(clock.monotonic() - madeAt) });
    for (const link of links) offer(link, result);
  }

  function offer(link: Link, { manifest, signature }: Made): void {
    usedAt = clock.monotonic();
    given.set(link, { underWay: new Set(), doneCount: 0 });
    tell(link, { type: 'snapshot_offer', manifest, signature });
  }

  function chunksAsked(link: Link, { id, indexes, packed, doneCount }: SnapshotChunksMessage): void {
    const to = given.get(link);
    if (!made || made.id !== id || !to)
      return tell(link, { type: 'snapshot_refused', reason: 'that snapshot is no longer kept' });
    usedAt = clock.monotonic();
    to.doneCount = doneCount;
    for (const index of indexes) {
      if (index >= chunksOf(made) || to.underWay.has(index) || to.underWay.size >= snapshotWindowChunks) continue;
      to.underWay.add(index);
      sendChunk(link, to, made, index, packed);
    }
  }

  function sendChunk(link: Link, to: Given, of: Made, index: number, packed: boolean): void {
    const send = (bytes: Uint8Array, isPacked: boolean): void => {
      to.underWay.delete(index);
      if (given.get(link) === to) link.sendFrame(encodeChunkFrame({ id: of.id, index, isPacked, bytes }));
    };
    of.file.read(index * snapshotChunkBytes, snapshotChunkBytes, (read) => {
      if (read instanceof Error) {
        to.underWay.delete(index);
        return tell(link, { type: 'snapshot_refused', reason: 'the snapshot cannot be read here' });
      }
      if (!packed) return send(read, false);
      bulk.pack(read, (small) =>
        small instanceof Error || small.length >= read.length ? send(read, false) : send(small, true),
      );
    });
  }

  function drop(): void {
    made?.file.close();
    made = null;
    given.clear();
    removeDatabase(madePath(storage.path));
  }

  return {
    asked,
    chunksAsked,
    ended(link) {
      waiting.delete(link);
      given.delete(link);
    },
    tick() {
      if (making) giveUpStuck(making);
      for (const link of waiting) tellMaking(link);
      if (made && clock.monotonic() - usedAt > snapshotKeepMs) drop();
    },
    progress(link) {
      if (making && waiting.has(link)) {
        const bytes = making.bytes;
        return { direction: 'sending', step: 'making', chunks: 0, chunksDone: 0, bytes, bytesDone: making.bytesDone() };
      }
      const to = given.get(link);
      return made && to ? progressOf('sending', made, to.doneCount) : null;
    },
    stop() {
      making?.cancel();
      drop();
    },
  };
}

const chunksOf = ({ bytes }: Made): number => chunkCount({ bytes, chunkBytes: snapshotChunkBytes });

export function progressOf(
  direction: SnapshotProgress['direction'],
  { bytes }: { readonly bytes: number },
  chunksDone: number,
): SnapshotProgress {
  const chunks = chunkCount({ bytes, chunkBytes: snapshotChunkBytes });
  const bytesDone = Math.min(bytes, chunksDone * snapshotChunkBytes);
  return { direction, step: 'moving', chunks, chunksDone, bytes, bytesDone };
}
