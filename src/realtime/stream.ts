// The feed of the books and the queues of messages as one order with one cursor. A message stands after all that had changed
// when it was said; so the order is the same for whoever reads it, whenever and in whatever pieces.

import { type Failure, failure } from '../core/command.ts';
import { liveBehindMax } from '../core/limits.ts';
import type { Change, Feed } from '../feed/feed.ts';
import { hearsSection, type Interest, isForReader, type LiveMessage, type Section } from './message.ts';
import type { Queues } from './queues.ts';

/** `feed`: a cursor of it; `number`: of the last message that stands before. */
export type Place = { readonly feed: string; readonly number: number };

/** `place` is the one after it, and `cursor` its text. */
export type Entry = { readonly place: Place; readonly cursor: string } & (
  | { readonly kind: 'change'; readonly id: string; readonly change: Change; readonly section: Section }
  | { readonly kind: 'message'; readonly message: LiveMessage }
);

/** data: what changed in the books meanwhile is not told; messages: some that were in no books are gone. */
export type Lost = 'data' | 'messages';

export type Page = {
  readonly entries: readonly Entry[];
  readonly next: Place;
  readonly atEnd: boolean;
  /** The place was none of this stream any more: `next` is the end, and nothing in between is told. */
  readonly lost?: 'data';
};

export type Stream = {
  end(): Place;
  read(place: Place, limit: number): Page;
  cursorOf(place: Place): string;
  /** The place of a cursor, and what is known to be lost before it; a failure for what is no cursor. */
  placeOf(cursor: string): { ok: true; place: Place; lost?: Lost } | Failure;
};

export const isForInterest = (entry: Entry, interest: Interest): boolean =>
  entry.kind === 'change' ? hearsSection(interest, entry.section) : isForReader(entry.message.audience, interest);

/** `instanceOf`: the name of this process, so that numbers of another are told apart. */
export function createStream(feed: Feed, queues: Queues, instanceOf: () => string): Stream {
  const end = (): Place => ({ feed: feed.end(), number: queues.lastNumber() });
  const cursorOf = ({ feed: at, number }: Place): string => `${at}.${instanceOf()}.${number}`;

  function read(place: Place, limit: number): Page {
    const lag = feed.lag(place.feed);
    if (lag === undefined || lag > liveBehindMax) {
      // What was said and still waits is told all the same.
      const next = { feed: feed.end(), number: place.number };
      return { entries: [], next, atEnd: next.number === queues.lastNumber(), lost: 'data' };
    }
    const entries: Entry[] = [];
    let at = place;
    for (const { number, message, anchor } of queues.after(place.number)) {
      const before = changes(at, anchor, limit - entries.length);
      entries.push(...before.entries);
      at = before.next;
      if (!before.atEnd || entries.length >= limit) return { entries, next: at, atEnd: false };
      at = { feed: at.feed, number };
      entries.push({ kind: 'message', message, place: at, cursor: cursorOf(at) });
    }
    const rest = changes(at, undefined, limit - entries.length);
    entries.push(...rest.entries);
    const { feed: last } = rest.next;
    return { entries, next: rest.atEnd ? { feed: last, number: queues.lastNumber() } : rest.next, atEnd: rest.atEnd };
  }

  /** Of the books alone, up to an anchor; one of a feed that is no more stands before everything. */
  function changes({ feed: after, number }: Place, upTo: string | undefined, limit: number): Page {
    const behind = feed.lag(after) ?? 0;
    const lag = upTo === undefined ? 0 : feed.lag(upTo);
    // Also for the end: where nothing has changed nothing need be read.
    const isPassed = lag === undefined || lag >= behind;
    if (isPassed) return { entries: [], next: { feed: after, number }, atEnd: true };
    const page = limit > 0 ? feed.read({ after, upTo, limit }) : undefined;
    if (!page?.ok) return { entries: [], next: { feed: after, number }, atEnd: false };
    const entries = page.changes.map((change): Entry => {
      const place = { feed: change.cursor, number };
      // Also where books were put back to before, no two changes have one id.
      const id = `${change.cursor}.${instanceOf()}`;
      return { kind: 'change', id, change, section: sectionOf(change), place, cursor: cursorOf(place) };
    });
    return { entries, next: { feed: page.next, number }, atEnd: page.atEnd };
  }

  function placeOf(cursor: string): ReturnType<Stream['placeOf']> {
    const match = cursorPattern.exec(cursor);
    const [, ofFeed, ofInstance, number] = match ?? [];
    if (ofFeed === undefined) {
      return failure('cursor_malformed', 'This is not a cursor of these messages. Leave it out to begin now.');
    }
    // Who comes from elsewhere, or with a cursor of the feed alone, has heard none of the messages that wait here.
    if (feed.lag(ofFeed) === undefined) return { ok: true, place: { feed: feed.end(), number: 0 }, lost: 'data' };
    if (ofInstance === undefined) return { ok: true, place: { feed: ofFeed, number: 0 } };
    if (ofInstance !== instanceOf() || Number(number) > queues.lastNumber())
      return { ok: true, place: { feed: ofFeed, number: 0 }, lost: 'messages' };
    return { ok: true, place: { feed: ofFeed, number: Number(number) } };
  }

  return { end, read, cursorOf, placeOf };
}

const cursorPattern = /^([a-z2-7]{1,8}\.[a-z0-9]{1,32}\.[0-9]{1,15}\.[0-9]{1,6})(?:\.([a-z2-7]{8})\.([0-9]{1,15}))?$/;

const sectionByEntity = {
  product: 'products',
  customer: 'customers',
  ticket: 'tickets',
  movement: 'movements',
  stock: 'stock',
} as const;

const sectionOf = ({ entity }: Change): Section => sectionByEntity[entity];
