// Commits that came over links, waiting to be applied: several frames in one transaction, so that catching up costs few
// fsyncs. What comes alone is applied at once; in a stream of commits the next ones are gathered for some milliseconds.
// Nothing is acknowledged before it is durable. A commit that is refused stops nobody but its own origin.

import type { Heads } from '../core/heads.ts';
import { inboxBytesMax } from '../core/limits.ts';
import type { Ports, TimerHandle } from '../ports.ts';
import type { CommitsFrame } from '../protocol/frames.ts';
import { appendRemote, type Received } from '../storage/receive.ts';
import type { Storage } from '../storage/storage.ts';
import type { Unit } from '../storage/unit.ts';
import type { Link } from './link.ts';

type Waiting = { link: Link; frame: CommitsFrame; bytes: number };

/** Applied in one transaction at most, so that a sale waits for no more than this. */
const applyBytesMax = 1024 * 1024;
/** After a transaction of so many bytes, which is a stream, more is awaited for so long, or until so many bytes wait. */
const streamBytes = 16 * 1024;
const gatherMs = 8;
const gatherBytesMax = 256 * 1024;

export type InboxEvents = {
  /** A frame has been dealt with, and this became of its commits. */
  settled(link: Link, frame: CommitsFrame, results: readonly Received[]): void;
  /** Ops came whose stamp is well ahead of the time here. */
  stampedAhead(origin: string, stamp: string): void;
  applied(link: Link, origins: readonly string[], ops: number, conflicts: number): void;
};

export type Inbox = { push(link: Link, frame: CommitsFrame, bytes: number): void; forget(link: Link): void };

export function createInbox(ports: Ports, storage: Storage, events: InboxEvents): Inbox {
  let queue: Waiting[] = [];
  let queuedBytes = 0;
  let scheduled = false;
  let gathering: TimerHandle | null = null;

  function push(link: Link, frame: CommitsFrame, bytes: number): void {
    const waiting = queue.reduce((sum, item) => (item.link === link ? sum + item.bytes : sum), 0);
    if (waiting + bytes > inboxBytesMax) return link.close('it sent more than it was asked for');
    queue.push({ link, frame, bytes });
    queuedBytes += bytes;
    if (!gathering || queuedBytes >= gatherBytesMax) schedule();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    ports.timers.soon(drain);
  }

  function gather(): void {
    gathering?.cancel();
    gathering = ports.timers.after(gatherMs, () => {
      gathering = null;
      if (queue.length > 0) schedule();
    });
  }

  function drain(): void {
    scheduled = false;
    const batch: Waiting[] = [];
    let bytes = 0;
    while (bytes < applyBytesMax) {
      const next = queue.shift();
      if (!next) break;
      batch.push(next);
      bytes += next.bytes;
      queuedBytes -= next.bytes;
    }
    if (queue.length > 0) schedule();
    else if (bytes >= streamBytes) gather();
    if (batch.length > 0) apply(batch);
  }

  function apply(batch: readonly Waiting[]): void {
    let results: Received[][] = [];
    const written = storage.write((unit) => {
      results = batch.map(({ frame }) => applyFrame(unit, frame));
      // Before the commit wakes the links: what came over one is not to go back over it.
      for (const [link, { came }] of byLinkOf(batch, results)) link.dispatch({ kind: 'came', heads: came });
    });
    if (written.ok) {
      for (const [origin, stamp] of written.unit.stampedAhead) events.stampedAhead(origin, stamp);
      return report(batch, results, written.unit.conflictCount);
    }
    if (written.code !== 'work_failed') return;
    if (batch.length > 1) {
      for (const waiting of batch) apply([waiting]);
      return;
    }
    const [waiting] = batch;
    ports.log.error('commits could not be applied', { peer: waiting?.link.peer?.name, error: written.detail });
    if (waiting) events.settled(waiting.link, waiting.frame, [{ result: 'op_malformed' }]);
  }

  function report(batch: readonly Waiting[], results: readonly Received[][], conflicts: number): void {
    const byLink = byLinkOf(batch, results);
    batch.forEach(({ link, frame }, position) => {
      events.settled(link, frame, results[position] ?? []);
    });
    const heads = storage.books.heads();
    for (const [link, { came, gap, ops }] of byLink) {
      if (ops > 0) events.applied(link, Object.keys(came), ops, conflicts);
      link.dispatch({ kind: 'applied', heads: only(heads, Object.keys(came)), came, gap });
    }
  }

  return {
    push,
    forget(link) {
      queue = queue.filter((waiting) => waiting.link !== link);
      queuedBytes = queue.reduce((sum, item) => sum + item.bytes, 0);
    },
  };
}

const isHere = ({ result }: Received): boolean => result === 'applied' || result === 'held';

/** A view of a large frame would keep all of it in memory for the sake of a small part. */
const ownBytes = (bytes: Uint8Array): Uint8Array =>
  bytes.length * 2 < bytes.buffer.byteLength ? bytes.slice() : bytes;

const only = (heads: Heads, origins: readonly string[]): Heads =>
  Object.fromEntries(origins.flatMap((origin) => (heads[origin] ? [[origin, heads[origin]]] : [])));

type Came = { came: Record<string, number>; gap: boolean; ops: number };

/** What came over each link and is here now, by origin. */
function byLinkOf(batch: readonly Waiting[], results: readonly Received[][]): Map<Link, Came> {
  const byLink = new Map<Link, Came>();
  batch.forEach(({ link, frame }, position) => {
    const known = byLink.get(link) ?? { came: {}, gap: false, ops: 0 };
    byLink.set(link, known);
    known.came[frame.origin] ??= 0;
    results[position]?.forEach((received, index) => {
      const last = frame.commits[index]?.commit.seal.last ?? 0;
      if (isHere(received)) known.came[frame.origin] = Math.max(known.came[frame.origin] ?? 0, last);
      if (received.result === 'applied') known.ops += received.ops;
      else if (received.result === 'gap') known.gap = true;
    });
  });
  return byLink;
}

/** After the first refusal the rest of the frame cannot be placed: it is left for another day. */
function applyFrame(unit: Unit, frame: CommitsFrame): Received[] {
  const results: Received[] = [];
  for (const { commit, bytes } of frame.commits) {
    const received = appendRemote(unit, commit, frame.publicKey);
    results.push(received);
    if (received.result === 'applied') {
      const { first, last } = commit.seal;
      unit.encoded.push({ origin: frame.origin, publicKey: frame.publicKey, first, last, bytes: ownBytes(bytes) });
    } else if (received.result !== 'held') break;
  }
  return results;
}
