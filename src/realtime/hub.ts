// Whoever listens to the stream. Nobody is pushed to: when something has happened, all who stand at one place are served by
// one read, once for all that came together. A listener that cannot take more stays where it is and costs nothing.

import type { Failure } from '../core/command.ts';
import { livePumpPage, livePumpReadsMax } from '../core/limits.ts';
import type { Log, Timers } from '../ports.ts';
import type { Interest } from './message.ts';
import type { Queues } from './queues.ts';
import { type Entry, isForInterest, type Lost, type Page, type Place, type Stream } from './stream.ts';

export type ListenerEvents = {
  /** Whether it takes more now; when it does so again it says `resume`. */
  isReady(): boolean;
  /** Never empty, in order. How many of them it took; the others are told again. */
  entries(entries: readonly Entry[]): number;
  /** Something before its place cannot be told any more. */
  lost(lost: Lost): void;
  /** Why it would no longer be let in; asked when records have changed, and told then: it listens no more. */
  refusalNow(): Failure | undefined;
  refused(failure: Failure): void;
};

export type Listener = {
  /** After all that it was told or that is not for it. */
  place(): Place;
  /** From the next message on. */
  setInterest(interest: Interest): void;
  resume(): void;
  end(): void;
};

export type Hub = {
  /** `start.lost`: what he knows already to be lost before it. */
  listen(
    start: { readonly place: Place; readonly lost?: Lost | undefined },
    interest: Interest,
    events: ListenerEvents,
  ): Listener;
  /** Something may have happened: who listens is served in a moment. */
  wake(): void;
  /** Sends away who would no longer be let in. False where of somebody that could not be told. */
  recheck(): boolean;
  count(): number;
  /** Nobody is told anything any more. */
  stop(): void;
};

type Standing = {
  place: Place;
  interest: Interest;
  /** Loss up to this number was told. */
  toldLostUpTo: number;
  readonly events: ListenerEvents;
};

type HubParts = { readonly timers: Timers; readonly log: Log; readonly stream: Stream; readonly queues: Queues };

/** `told`: somebody was told something. */
export function createHub({ timers, log, stream, queues }: HubParts, told: () => void): Hub {
  const standing = new Set<Standing>();
  let isWaiting = false;
  let isUnreadable = false;

  function wake(): void {
    if (isWaiting || standing.size === 0) return;
    isWaiting = true;
    timers.soon(() => {
      isWaiting = false;
      pump();
    });
  }

  /** One page for everybody who is behind, from a few places; the rest after whatever else is waiting to be done. */
  function pump(): void {
    const end = stream.end();
    const pages = new Map<string, Page | undefined>();
    let isMore = false;
    for (const one of [...standing]) {
      if (!standing.has(one) || isSamePlace(one.place, end) || !one.events.isReady()) continue;
      const key = `${one.place.feed} ${one.place.number}`;
      if (!pages.has(key) && pages.size >= livePumpReadsMax) {
        isMore = true;
        continue;
      }
      const page = pages.has(key) ? pages.get(key) : readQuietly(one.place);
      pages.set(key, page);
      if (!page) continue;
      // Whoever was served stands last.
      standing.delete(one);
      standing.add(one);
      const isStuck = !page.atEnd && isSamePlace(page.next, one.place);
      guarded(() => serve(one, page));
      if (!page.atEnd && !isStuck) isMore = true;
    }
    if (pages.size > 0) told();
    if (isMore) wake();
  }

  function serve(one: Standing, page: Page): void {
    const isMissing = page.lost === undefined && isMissingMessages(one);
    const before = one.place;
    // Whoever goes away when he hears of missing messages has not heard those of this page.
    if (isMissing) one.events.lost('messages');
    if (!standing.has(one)) return;
    one.place = page.next;
    if (page.lost) one.events.lost(page.lost);
    const entries = page.entries.filter((entry) => isForInterest(entry, one.interest));
    if (entries.length === 0) return;
    const taken = one.events.entries(entries);
    if (taken < entries.length) one.place = entries[taken - 1]?.place ?? before;
  }

  function isMissingMessages(one: Standing): boolean {
    const { place, interest, toldLostUpTo } = one;
    if (!queues.hasLost(Math.max(place.number, toldLostUpTo), interest)) return false;
    one.toldLostUpTo = queues.lastNumber();
    return true;
  }

  /** Told once, until it can be read again: then they are where they were. */
  function readQuietly(place: Place): Page | undefined {
    try {
      const page = stream.read(place, livePumpPage);
      isUnreadable = false;
      return page;
    } catch (error) {
      if (!isUnreadable) log.warn('what changed cannot be read for those who listen', { error: String(error) });
      isUnreadable = true;
      return undefined;
    }
  }

  /** We stand in a timer, or behind a commit: nobody above would catch it. */
  function guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      log.error('a listener broke', { error: error instanceof Error ? error.stack : String(error) });
    }
  }

  /** While the books cannot be read nobody knows: then he stays. */
  function refusalOf(one: Standing): Failure | 'unknown' | undefined {
    try {
      return one.events.refusalNow();
    } catch {
      return 'unknown';
    }
  }

  return {
    listen({ place, lost }, interest, events) {
      const toldLostUpTo = lost === 'messages' ? queues.lastNumber() : 0;
      const one: Standing = { place, interest, toldLostUpTo, events };
      standing.add(one);
      wake();
      return {
        place: () => one.place,
        setInterest(changed) {
          one.interest = changed;
        },
        resume: wake,
        end: () => void standing.delete(one),
      };
    },
    wake,
    recheck() {
      let isSure = true;
      for (const one of [...standing]) {
        const refused = refusalOf(one);
        if (refused === 'unknown') isSure = false;
        else if (refused && standing.delete(one)) guarded(() => one.events.refused(refused));
      }
      return isSure;
    },
    count: () => standing.size,
    stop: () => standing.clear(),
  };
}

const isSamePlace = (a: Place, b: Place): boolean => a.feed === b.feed && a.number === b.number;
