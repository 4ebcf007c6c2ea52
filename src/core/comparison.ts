// Comparing at rest: digests of heads and books with every ping, and where they do not agree, what exactly. Part of the
// session's steps (session.ts).

import { differingIdsMax, differingRangesMax, rangeSearchMs } from './limits.ts';
import type { BooksMessage, Message, RangesMessage, RowsMessage } from './message.ts';
import type { Effect, OwnSide, Session, Stepped } from './session-state.ts';

export const headsMessage = (own: OwnSide): Message => ({ type: 'heads', heads: own.heads, hashes: own.hashes });

export function compare(session: Session, heads: string, books: string, own: OwnSide): Stepped {
  if (heads !== own.headsDigest) {
    const unequalPings = session.unequalPings + 1;
    // Twice in a row is no passing state of a busy link: say in full what we hold.
    const effects: Effect[] = unequalPings % 2 === 0 ? [{ kind: 'send', message: headsMessage(own) }] : [];
    return { session: { ...session, unequalPings, booksUnequal: 0 }, effects };
  }
  const level: Session = {
    ...session,
    unequalPings: 0,
    // Not joined: what it held of a branch that is void since would look like more than we hold, for ever.
    peerHeads: own.heads,
    sent: own.heads,
    inFlight: [],
  };
  if (books === own.booksDigest)
    return { session: { ...level, booksUnequal: 0 }, effects: [{ kind: 'compared', equal: true, parts: [], ids: [] }] };
  const unequal: Session = { ...level, booksUnequal: session.booksUnequal + 1 };
  // Once alone may pass: an op that was superseded before it was sent comes as its hash, and what superseded it is yet to
  // come, while at somebody else it was whole.
  if (unequal.booksUnequal === 1) return { session: unequal, effects: [] };
  const message: BooksMessage = { type: 'books', heads: own.headsDigest, digests: own.parts };
  const isNew = unequal.booksUnequal === 2;
  return {
    session: unequal,
    effects: [isNew ? { kind: 'send', message } : { kind: 'compared', equal: false, parts: [], ids: [] }],
  };
}

export function onBooks(session: Session, message: BooksMessage, own: OwnSide, now: number): Stepped {
  if (message.heads !== own.headsDigest) return { session, effects: [] };
  const parts = Object.keys(own.parts).filter((part) => own.parts[part] !== message.digests[part]);
  const [part] = parts;
  if (part === undefined) return { session, effects: [] };
  const told: Effect = { kind: 'compared', equal: false, parts, ids: [] };
  if (now - session.searchedAt < rangeSearchMs) return { session, effects: [told] };
  const search: Message = { type: 'ranges', heads: own.headsDigest, part, hashes: own.rangeHashes(part) };
  return {
    session: { ...session, searchedAt: now, rowsLeft: differingRangesMax },
    effects: [told, { kind: 'send', message: search }],
  };
}

/** The other side's ranges of a part: for the first that differ, it gets our rows. */
export function onRanges(session: Session, message: RangesMessage, own: OwnSide, now: number): Stepped {
  const { part } = message;
  const isEarly = now - session.answeredAt < rangeSearchMs;
  if (isEarly || message.heads !== own.headsDigest || own.parts[part] === undefined) return { session, effects: [] };
  const ours = own.rangeHashes(part);
  const differing = ours.flatMap((hash, range) => (hash === message.hashes[range] ? [] : [range]));
  const effects = differing.slice(0, differingRangesMax).map((range): Effect => {
    const rows = own.rangeRows(part, range);
    return { kind: 'send', message: { type: 'rows', heads: own.headsDigest, part, range, rows } };
  });
  return { session: { ...session, answeredAt: now }, effects };
}

export function onRows(session: Session, { heads, part, range, rows }: RowsMessage, own: OwnSide): Stepped {
  if (heads !== own.headsDigest || own.parts[part] === undefined || session.rowsLeft === 0)
    return { session, effects: [] };
  const ours = own.rangeRows(part, range);
  const ids = Object.keys({ ...ours, ...rows }).filter((id) => ours[id] !== rows[id]);
  const effect: Effect = { kind: 'compared', equal: false, parts: [part], ids: ids.sort().slice(0, differingIdsMax) };
  return { session: { ...session, rowsLeft: session.rowsLeft - 1 }, effects: ids.length > 0 ? [effect] : [] };
}
