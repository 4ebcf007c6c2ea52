// The side that lacks the books: decides whom to ask for a snapshot, takes its chunks and resumes where it was cut, has a
// second peer compare it, and puts it in the place of our books. Whatever goes wrong, ops are asked for instead, as ever.

import { missingCount } from '../core/heads.ts';
import {
  snapshotBadChunksMax,
  snapshotKeepMs,
  snapshotPackBelow,
  snapshotProbeChunks,
  snapshotRefusedMs,
  snapshotReturnMs,
  snapshotSilenceMs,
  snapshotStallMs,
  snapshotSyncBytes,
  snapshotWindowChunks,
} from '../core/limits.ts';
import type { SnapshotCheckedMessage, SnapshotMessage, SnapshotOfferMessage } from '../core/message.ts';
import { chunkLength, isSnapshotWorthwhile, manifestMessage, type SnapshotManifest } from '../core/snapshot.ts';
import type { Bulk } from '../ports.ts';
import type { ChunkFrame } from '../protocol/frames.ts';
import { parseManifest } from '../protocol/manifest.ts';
import { hasRoomFor, removePart } from '../storage/snapshot-files.ts';
import { createAdoptedBooks, newFeedId } from './adopted-books.ts';
import type { Link } from './link.ts';
import type { SnapshotProgress } from './mesh.ts';
import type { MeshParts } from './parts.ts';
import { progressOf } from './snapshot-giver.ts';
import { leftPart, openPart, type SnapshotPart } from './snapshot-part.ts';

export type SnapshotTaker = {
  /** Asks for a snapshot where that is worthwhile. */
  consider(): void;
  /** Whether one is awaited: then nothing is wanted from anybody, for most of it would come twice. */
  isAwaited(): boolean;
  making(link: Link, bytes: number, bytesDone: number): void;
  offered(link: Link, message: SnapshotOfferMessage): void;
  refused(link: Link, reason: string): void;
  chunk(link: Link, frame: ChunkFrame): void;
  checked(link: Link, message: SnapshotCheckedMessage): void;
  closed(link: Link): void;
  tick(): void;
  progress(link: Link): SnapshotProgress | null;
  stop(): void;
};

/** What is under way over one link. */
type Fetch = {
  readonly link: Link;
  /** Ops that we lacked when it was asked for. */
  readonly lacking: number;
  /** Last heard of, and that it has come on: it is made at first, then it comes. */
  cameOnAt: number;
  made: { bytes: number; bytesDone: number } | null;
  manifest: SnapshotManifest | null;
  part: SnapshotPart | null;
  /** Null until the first chunks have shown how fast the link is: when they were asked for, and how many came. */
  packed: boolean | null;
  probe: { readonly askedAt: number; came: number } | null;
  badCount: number;
  second: { readonly link: Link; readonly askedAt: number; differs: string | null } | null;
  /** All of it is here; and was found to be what its maker signed. */
  isWhole: boolean;
  isSound: boolean;
};

export function createSnapshotTaker(parts: MeshParts, bulk: Bulk): SnapshotTaker {
  const { ports, storage, config, links, peers, members, alarms } = parts;
  const { clock, log, crypto } = ports;
  const now = (): number => clock.monotonic();
  const path = storage.path;
  /** Peers that had none, or no good one, and until when they are left alone. */
  const refusals = new Map<string, number>();
  let fetch: Fetch | null = null;
  let left = leftPart(crypto, path);
  /** For so long its maker is waited for, and for so long what has come of it is kept. */
  let returnUntil = now() + snapshotReturnMs;
  let leftUntil = now() + snapshotKeepMs;
  let isStopped = false;
  const adopted = createAdoptedBooks(parts, (maker) => refusals.set(maker, now() + snapshotRefusedMs));

  // Whom to ask

  const hasOffer = (link: Link): boolean =>
    link.session().phase === 'open' &&
    members.trustOf(link.peerKeyId) === 'trusted' &&
    link.forked.size === 0 &&
    now() >= (refusals.get(link.peerKeyId) ?? 0) &&
    isSnapshotWorthwhile(config.replicaId, storage.books.heads(), link.session().peerHeads);

  function consider(): void {
    if (fetch?.part && !fetch.second) compareElsewhere(fetch, fetch.part);
    if (isStopped || fetch || storage.trouble() || storage.doubted.size > 0 || adopted.areUnsettled()) return;
    const able = [...links.values()].filter(hasOffer);
    const maker = able.find((link) => link.peerKeyId === left?.maker);
    if (!maker && isReturnAwaited()) return;
    const chosen = maker ?? mostOf(able);
    if (chosen) ask(chosen);
  }

  /** A cable that was pulled is mostly put back: the rest of what has come is then less than a whole one from elsewhere. */
  const isReturnAwaited = (): boolean =>
    left !== undefined && now() < returnUntil && now() >= (refusals.get(left.maker) ?? 0);

  const lackingFrom = (link: Link): number => missingCount(storage.books.heads(), link.session().peerHeads);

  const mostOf = (able: readonly Link[]): Link | undefined =>
    [...able].sort((a, b) => lackingFrom(b) - lackingFrom(a) || (a.peerKeyId < b.peerKeyId ? -1 : 1))[0];

  const tell = (link: Link, message: SnapshotMessage): void => link.dispatch({ kind: 'tell', message });

  function ask(link: Link): void {
    fetch = {
      link,
      lacking: lackingFrom(link),
      cameOnAt: now(),
      made: null,
      manifest: null,
      part: null,
      packed: null,
      probe: null,
      badCount: 0,
      second: null,
      isWhole: false,
      isSound: false,
    };
    tell(link, { type: 'snapshot_request', have: left?.id ?? '' });
  }

  /** Of this link, and what comes is not too late. */
  const fetchOf = (link: Link): Fetch | null => (fetch?.link === link ? fetch : null);

  function giveUp(of: Fetch, reason: string): void {
    if (fetch !== of) return;
    const { link } = of;
    refusals.set(link.peerKeyId, now() + snapshotRefusedMs);
    log.info('no snapshot is taken, ops are', { peer: link.peer?.name, reason });
    tell(link, { type: 'snapshot_end', id: of.part?.id ?? '0'.repeat(32) });
    forget(of);
    discard();
    consider();
    parts.replan();
  }

  /** What came of it is wrong, and not by chance. */
  function drop(of: Fetch, code: string, detail: string): void {
    const who = peers.get(of.link.peerKeyId)?.name ?? of.link.peerKeyId;
    log.warn('a snapshot was thrown away', { peer: who, detail });
    alarms.raise(`snapshot ${of.link.peerKeyId}`, code, `A snapshot from ${who} was thrown away: ${detail}.`);
    giveUp(of, detail);
  }

  function forget(of: Fetch): void {
    of.part?.close();
    fetch = null;
  }

  function discard(): void {
    left = undefined;
    removePart(path);
  }

  /** Callbacks come from the disk: what breaks in one must not end the process. */
  function guarded(of: Fetch, run: () => void): void {
    if (fetch !== of) return;
    try {
      run();
    } catch (error) {
      log.error('a snapshot could not be taken', { error: error instanceof Error ? error.stack : String(error) });
      giveUp(of, 'an error on our side');
    }
  }

  // What it says of itself

  function offered(link: Link, { manifest: text, signature }: SnapshotOfferMessage): void {
    const of = fetchOf(link);
    if (!of || of.manifest) return;
    of.cameOnAt = now();
    const manifest = parseManifest(text);
    if (!manifest) return giveUp(of, 'its manifest cannot be read: it may be of a newer version');
    const isSigned = crypto.verify(link.connection.peerKey, manifestMessage(text), bytesOf(signature));
    if (!isSigned || manifest.maker !== link.peerKeyId || manifest.shop !== config.shop)
      return drop(of, 'snapshot_forged', 'it is not signed by who sent it, or not for this shop');
    if (manifest.schema !== storage.schema) return giveUp(of, 'it is of another version');
    if (!isSnapshotWorthwhile(config.replicaId, storage.books.heads(), manifest.heads))
      return giveUp(of, 'it holds too little that is missing here');
    of.manifest = manifest;
    guarded(of, () => {
      if (!hasRoomFor(bulk, path, manifest.bytes)) return giveUp(of, 'there is no room on the disk for it');
      openPart({ crypto, bulk }, path, { manifest: text, signature }, manifest, (part) => begin(of, part));
    });
  }

  function begin(of: Fetch, part: SnapshotPart): void {
    if (fetch !== of) return part.close();
    of.part = part;
    left = { id: part.id, maker: part.manifest.maker };
    of.cameOnAt = now();
    compareElsewhere(of, part);
    log.info('a snapshot is being taken', {
      peer: of.link.peer?.name,
      bytes: part.manifest.bytes,
      chunks: part.list.count,
      there: part.list.doneCount(),
    });
    askOn(of, part);
  }

  // Chunks

  function askOn(of: Fetch, part: SnapshotPart): void {
    const { list } = part;
    if (list.doneCount() === list.count) return whole(of, part);
    const indexes = list.next(of.packed === null ? snapshotProbeChunks : snapshotWindowChunks);
    if (indexes.length === 0) return;
    of.probe ??= { askedAt: now(), came: 0 };
    const packed = of.packed ?? false;
    tell(of.link, { type: 'snapshot_chunks', id: part.id, indexes, packed, doneCount: list.doneCount() });
  }

  function chunk(link: Link, { id, index, isPacked, bytes }: ChunkFrame): void {
    const of = fetchOf(link);
    const part = of?.part;
    if (!of || !part || part.id !== id || !part.list.isAskedFor(index)) return;
    of.cameOnAt = now();
    probeLink(of, bytes.length);
    if (!isPacked) return keep(of, part, index, bytes);
    bulk.unpack(bytes, chunkLength(part.manifest, index), (unpacked) =>
      guarded(of, () => keep(of, part, index, unpacked instanceof Error ? new Uint8Array() : unpacked)),
    );
  }

  function probeLink(of: Fetch, bytes: number): void {
    if (of.packed !== null || !of.probe) return;
    of.probe.came += 1;
    if (of.probe.came < snapshotProbeChunks) return;
    const perSecond = (of.probe.came * bytes * 1000) / Math.max(1, now() - of.probe.askedAt);
    of.packed = perSecond < snapshotPackBelow;
  }

  function keep(of: Fetch, part: SnapshotPart, index: number, bytes: Uint8Array): void {
    if (!part.isChunk(index, bytes)) return altered(of, part, index);
    part.file.write(index * part.manifest.chunkBytes, bytes, (error) =>
      guarded(of, () => {
        if (error) return giveUp(of, `it cannot be written: ${error.message}`);
        part.list.done(index);
        if ((part.list.doneCount() * part.manifest.chunkBytes) % snapshotSyncBytes === 0) part.file.sync(() => {});
        askOn(of, part);
      }),
    );
  }

  function altered(of: Fetch, part: SnapshotPart, index: number): void {
    of.badCount += 1;
    log.warn('a chunk of a snapshot was altered: it is thrown away', { peer: of.link.peer?.name, index });
    if (of.badCount > snapshotBadChunksMax)
      return drop(of, 'snapshot_altered', 'its chunks are not those that its maker signed');
    part.list.failed(index);
    askOn(of, part);
  }

  // The second opinion

  function compareElsewhere(of: Fetch, { id, manifest: { heads, hashes, digests } }: SnapshotPart): void {
    const other = [...links.values()].find(
      (link) => link !== of.link && link.session().phase === 'open' && members.trustOf(link.peerKeyId) === 'trusted',
    );
    if (!other) return;
    of.second = { link: other, askedAt: now(), differs: null };
    tell(other, { type: 'snapshot_check', id, heads, hashes, digests });
  }

  function checked(link: Link, { id, differs }: SnapshotCheckedMessage): void {
    const of = fetch;
    if (!of?.second || of.second.link !== link || of.part?.id !== id || of.second.differs !== null) return;
    of.second.differs = differs;
    if (differs !== '') {
      const who = peers.get(link.peerKeyId)?.name ?? link.peerKeyId;
      return drop(of, 'snapshot_disputed', `${who} holds something else: ${differs}`);
    }
    if (of.isSound && of.part) take(of, of.part);
  }

  /** Silence is no word against it: the other may be of an older version, or gone. */
  const isOpinionAwaited = ({ second }: Fetch): boolean =>
    second !== null &&
    second.differs === null &&
    links.get(second.link.peerKeyId) === second.link &&
    now() - second.askedAt < snapshotSilenceMs;

  // The swap

  function whole(of: Fetch, part: SnapshotPart): void {
    if (of.isWhole) return;
    of.isWhole = true;
    part.finish((error) =>
      guarded(of, () => {
        if (error) return giveUp(of, `it cannot be written: ${error.message}`);
        storage.inspect(part.manifest, (failed) =>
          guarded(of, () => {
            if (failed) return drop(of, 'snapshot_unfit', failed.detail);
            of.isSound = true;
            if (!isOpinionAwaited(of)) take(of, part);
          }),
        );
      }),
    );
  }

  function take(of: Fetch, part: SnapshotPart): void {
    const { link, lacking } = of;
    const startedAt = now();
    const failed = storage.replaceBooks(link.peerKeyId, newFeedId(ports.random));
    if (failed) return drop(of, 'snapshot_unfit', failed.detail);
    link.exchange.itemsReceived += lacking;
    log.info('the books were taken from a snapshot', { peer: link.peer?.name, ms: Math.round(now() - startedAt) });
    alarms.clear(`snapshot ${link.peerKeyId}`);
    tell(link, { type: 'snapshot_end', id: part.id });
    forget(of);
    discard();
    parts.replan();
    adopted.check();
  }

  function tick(): void {
    adopted.check();
    const of = fetch;
    if (of) {
      const stuckMs = now() - of.cameOnAt;
      if (of.isSound && !isOpinionAwaited(of)) guarded(of, () => of.part && take(of, of.part));
      else if (!of.made && !of.manifest && stuckMs > snapshotSilenceMs)
        giveUp(of, 'it does not answer: it may be of an older version');
      else if (!of.isWhole && stuckMs > snapshotStallMs)
        giveUp(of, of.manifest ? 'it does not send what it offered' : 'it does not come on with making it');
      return;
    }
    consider();
    if (left === undefined || fetch || isReturnAwaited()) return;
    // Its maker is not back in time: nobody else is kept waiting for it any more.
    if (returnUntil !== 0) parts.replan();
    returnUntil = 0;
    if (now() > leftUntil) discard();
  }

  return {
    consider,
    isAwaited: () => fetch !== null || (isReturnAwaited() && [...links.values()].some(hasOffer)),
    making(link, bytes, bytesDone) {
      const of = fetchOf(link);
      if (!of || of.manifest || (of.made && bytesDone <= of.made.bytesDone)) return;
      of.cameOnAt = now();
      of.made = { bytes, bytesDone };
    },
    offered,
    refused(link, reason) {
      const of = fetchOf(link);
      if (of) giveUp(of, reason);
    },
    chunk,
    checked,
    closed(link) {
      const of = fetchOf(link);
      if (!of) return;
      forget(of);
      returnUntil = now() + snapshotReturnMs;
      leftUntil = now() + snapshotKeepMs;
    },
    tick,
    progress(link) {
      const of = fetchOf(link);
      if (!of) return null;
      if (of.part) {
        const progress = progressOf('receiving', of.part.manifest, of.part.list.doneCount());
        return of.isWhole ? { ...progress, step: 'checking' } : progress;
      }
      const { bytes, bytesDone } = of.made ?? { bytes: 0, bytesDone: 0 };
      return { direction: 'receiving', step: 'making', chunks: 0, chunksDone: 0, bytes, bytesDone };
    },
    stop() {
      isStopped = true;
      if (fetch) forget(fetch);
    },
  };
}

const bytesOf = (hexText: string): Uint8Array =>
  Uint8Array.from({ length: hexText.length / 2 }, (_, at) => Number.parseInt(hexText.slice(at * 2, at * 2 + 2), 16));
