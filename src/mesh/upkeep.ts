// What the mesh keeps an eye on: clocks, our own numbers, equality of the books, the record of syncs.

import type { SyncRow } from '../core/books.ts';
import { meshOffsetMs, stampMs } from '../core/clock.ts';
import { epochAfterLoss, epochOf, type Heads, joinHeads, numberAt, replicaOf } from '../core/heads.ts';
import { clockSuspectMs, epochClaimsMax, epochMax, epochSlack } from '../core/limits.ts';
import { startEpoch } from '../storage/exchange.ts';
import { readMeta } from '../storage/state.ts';
import { type Link, newExchange } from './link.ts';
import type { MeshParts } from './parts.ts';
import type { PeerEntry } from './peer-book.ts';

export type Upkeep = {
  measured(link: Link, rttMs: number, offsetMs: number): void;
  stampedAhead(origin: string, stamp: string): void;
  compared(link: Link, equal: boolean, parts: readonly string[], ids: readonly string[]): void;
  protectOwnNumbers(heads: Heads): void;
  /** Writes what went over a link to the history, if it is worth a row. */
  record(link: Link, entry: PeerEntry, error: string | null): void;
  /** Says so when the books were found to be a copy as they were opened. */
  tellCopied(): void;
  /** Every hour. */
  rest(): void;
};

/** A busy link is recorded once a minute, not once a ping. */
const recordEveryMs = 60_000;

export function createUpkeep(parts: MeshParts, recordSync: (row: SyncRow) => void): Upkeep {
  const { ports, storage, config, peers, alarms, links } = parts;
  const { clock, log } = ports;
  const entryOf = (link: Link) => (link.peer ? peers.get(link.peer.id) : undefined);

  function measured(link: Link, rttMs: number, offsetMs: number): void {
    const entry = entryOf(link);
    if (!entry) return;
    entry.rttMs = rttMs;
    entry.clockOffsetMs = offsetMs;
    entry.lastSeen = clock.now();
    judgeClock();
  }

  function judgeClock(): void {
    const offsets = [...links.keys()].map((id) => peers.get(id)?.clockOffsetMs ?? 0);
    const offset = meshOffsetMs(offsets);
    const isOff = Math.abs(offset) > clockSuspectMs;
    storage.setMeshOffset(isOff ? offset : 0);
    if (isOff)
      alarms.raise(
        'clock',
        'clock_off',
        `This appliance's clock is off by ${Math.round(Math.abs(offset) / 1000)} s: set it.`,
      );
    else alarms.clear('clock');
  }

  /** Epochs begun at peers' word since the start. */
  let epochClaims = 0;

  /**
   * A peer that holds more of our own ops than we do: we are a restored copy. Nothing is written under that epoch. What
   * it says is not proved, and epochs come to an end: what we cannot have written is not believed, nor claims for ever.
   */
  function protectOwnNumbers(heads: Heads): void {
    const state = storage.state();
    const epochBelieved = Math.max(state.epoch, epochAfterLoss(clock.now())) + epochSlack;
    let epoch = state.epoch;
    let isAbsurd = false;
    for (const origin in heads) {
      if (replicaOf(origin) !== config.replicaId) continue;
      const held = state.origins.get(origin)?.head ?? 0;
      const isNews = epochOf(origin) > epoch || (epochOf(origin) === epoch && numberAt(heads, origin) > held);
      if (!isNews) continue;
      if (epochOf(origin) > epochBelieved || epochOf(origin) >= epochMax || epochClaims >= epochClaimsMax)
        isAbsurd = true;
      else epoch = epochOf(origin) + 1;
    }
    if (isAbsurd)
      alarms.raise(
        'own claims',
        'own_entries_claimed',
        'A peer says that it holds entries of this appliance which it cannot have written: not believed.',
      );
    if (epoch === state.epoch) return;
    epochClaims += 1;
    log.warn('peers hold more of our own writing than we do: a restored copy; a new epoch begins', { epoch });
    raiseRestored();
    storage.note((handle) => startEpoch(handle, epoch));
  }

  const raiseRestored = (): void =>
    alarms.raise(
      'restored',
      'restored_copy',
      'This appliance runs on an older copy of its books; what was missing comes back from its peers.',
    );

  function tellCopied(): void {
    const copiedAt = readMeta<number | null>(storage.handle().statements, 'copied_at_start', null);
    if (copiedAt === null || copiedAt !== config.starts) return;
    log.warn('these books, or their folder, were copied or put back: a new epoch has begun', {
      epoch: storage.state().epoch,
    });
    raiseRestored();
  }

  function compared(link: Link, equal: boolean, differing: readonly string[], ids: readonly string[]): void {
    const entry = entryOf(link);
    if (!entry) return;
    const key = `differ ${entry.id}`;
    if (equal) {
      const now = clock.now();
      entry.verifiedEqualAt = now;
      entry.heads = joinHeads(entry.heads, storage.books.heads());
      alarms.clear(key);
      record(link, entry, null);
      return;
    }
    if (differing.length === 0 && alarms.has(key)) return;
    const what = differing.length > 0 ? differing.join(', ') : 'the books';
    const which = ids.length > 0 ? ` (${ids.join(', ')})` : '';
    alarms.raise(
      key,
      'books_differ',
      `${entry.name} holds the same entries but other figures: ${what}${which}. Run verify on both.`,
    );
    log.error('books differ although heads are equal', { peer: entry.id, parts: differing, ids });
  }

  function record(link: Link, entry: PeerEntry, error: string | null): void {
    const { exchange } = link;
    const now = clock.now();
    const isIdle = exchange.itemsReceived + exchange.itemsSent === 0;
    const isRecent = ports.clock.monotonic() - link.lastRecordedAt < recordEveryMs;
    if (isIdle || (isRecent && error === null)) return;
    entry.lastSync = now;
    link.lastRecordedAt = ports.clock.monotonic();
    link.exchange = newExchange(now);
    const { startedAt, ...figures } = exchange;
    recordSync({
      peerId: entry.id,
      peerName: entry.name,
      at: now,
      durationMs: Math.max(0, Math.round(now - startedAt)),
      ...figures,
      error,
    });
  }

  function stampedAhead(origin: string, stamp: string): void {
    const author = peers.get(replicaOf(origin))?.name ?? origin;
    const when = new Date(stampMs(stamp)).toISOString();
    const detail = `${author} wrote something under the time ${when}, far ahead of the clock here: look at the clocks of both.`;
    alarms.raise(`ahead ${replicaOf(origin)}`, 'stamp_ahead', detail);
  }

  return {
    measured,
    stampedAhead,
    compared,
    protectOwnNumbers,
    record,
    tellCopied,
    rest() {
      for (const id of links.keys()) {
        const entry = peers.get(id);
        if (entry) peers.save(entry);
      }
    },
  };
}
