// The change feed: what changed in the books, in the order in which it was committed here, resumable by cursor. Readers
// are only woken; they pull. A record that changed twice is told as it is now.

import type { MovementRow, RecordRow, StockRow, TicketRow } from '../core/books.ts';
import { type Failure, failure } from '../core/command.ts';
import { derivedMovements, readTicketPayload } from '../core/facts.ts';
import { parseHeader, parsePayload } from '../core/op.ts';
import type { Storage } from '../storage/storage.ts';

/** `at`: when it came to be known here, Unix milliseconds. */
export type Change = { readonly cursor: string; readonly at: number } & (
  | {
      readonly entity: 'product' | 'customer';
      readonly id: string;
      readonly kind: 'updated' | 'deleted';
      readonly record: RecordRow;
    }
  | { readonly entity: 'ticket'; readonly id: string; readonly kind: 'updated'; readonly record: TicketRow }
  | { readonly entity: 'movement'; readonly id: string; readonly kind: 'updated'; readonly record: MovementRow }
  | { readonly entity: 'stock'; readonly id: string; readonly kind: 'updated'; readonly record: StockRow }
);

export type FeedEntity = Change['entity'];

export type FeedPage = {
  readonly ok: true;
  readonly changes: Change[];
  readonly next: string;
  /** Everything up to now has been read; else there is more after `next`, even when `changes` is empty. */
  readonly atEnd: boolean;
};

export type FeedRequest = {
  after?: string | undefined;
  /** Nothing of what came after this cursor, which is of this feed. */
  upTo?: string | undefined;
  limit: number;
  entities?: readonly FeedEntity[] | undefined;
};

export type Feed = {
  /**
   * Changes after a cursor (from the beginning without one), at most `limit`. Fails with cursor_malformed,
   * cursor_of_another_shop, or resync: the cursor is of another appliance, or older than what is kept.
   */
  read(request: FeedRequest): FeedPage | Failure;
  /** The cursor after which there is nothing yet. */
  end(): string;
  /** Arrivals after a cursor; undefined where it is not of this feed. */
  lag(cursor: string): number | undefined;
  /** Calls `wake` after each commit that changed the books, until the returned function is called. */
  subscribe(wake: () => void): () => void;
};

/** Ops looked at for one page, so that a filter that lets little through cannot hold up a sale. */
const opsPerPageMax = 2000;

const cursorPattern = /^([a-z2-7]{1,8})\.([a-z0-9]{1,32})\.([0-9]{1,15})\.([0-9]{1,6})$/;

/** Before part `part` of arrival `seq`; with part 0 after all of it. */
type Position = { seq: number; part: number };
type WithoutCursor<Placed> = Placed extends Change ? Omit<Placed, 'cursor' | 'at'> : never;
type Unplaced = WithoutCursor<Change>;

export function createFeed(storage: Storage, shop: string): Feed & { wake(): void } {
  const sleepers = new Set<() => void>();
  const cursorAt = ({ seq, part }: Position) => `${shop.slice(0, 8)}.${storage.feedId()}.${seq}.${part}`;

  function read(request: FeedRequest): FeedPage | Failure {
    const start = parseCursor(request.after);
    if ('ok' in start) return start;
    const changes: Change[] = [];
    const told = new Set<string>();
    let at = start;
    const end = positionOf(request.upTo)?.seq ?? Number.POSITIVE_INFINITY;
    // A cursor in the middle of an op's parts reads that op again from there.
    const rows = storage
      .handle()
      .statements.changesAfter.all(start.part > 0 ? start.seq - 1 : start.seq, opsPerPageMax);
    for (const row of rows) {
      if (row.seq > end) return { ok: true, changes, next: cursorAt(at), atEnd: true };
      const parts = expand(storage, row.op);
      for (let part = row.seq === start.seq ? start.part : 0; part < parts.length; part++) {
        const change = parts[part];
        if (!change || (request.entities && !request.entities.includes(change.entity))) continue;
        const key = `${change.entity}/${change.id}`;
        if (told.has(key)) continue;
        if (changes.length === request.limit) return { ok: true, changes, next: cursorAt(at), atEnd: false };
        told.add(key);
        at = { seq: row.seq, part: part + 1 };
        changes.push({ ...change, cursor: cursorAt(at), at: row.at } as Change);
      }
      at = { seq: row.seq, part: 0 };
    }
    return { ok: true, changes, next: cursorAt(at), atEnd: rows.length < opsPerPageMax };
  }

  function parseCursor(cursor: string | undefined): Position | Failure {
    if (cursor === undefined || cursor === '') return { seq: 0, part: 0 };
    const match = cursorPattern.exec(cursor);
    if (!match)
      return failure('cursor_malformed', 'This is not a cursor of the feed. Leave `after` out to begin again.');
    const [, shopPart, feedId, seq, part] = match;
    if (shopPart !== shop.slice(0, 8))
      return failure(
        'cursor_of_another_shop',
        'This cursor is of another shop. Leave `after` out to begin with this one.',
      );
    const position = { seq: Number(seq), part: Number(part) };
    if (feedId !== storage.feedId() || position.seq > storage.state().seq)
      return failure(
        'resync',
        'This cursor is not of this appliance, or no longer. Read the books anew, then the feed from the beginning.',
      );
    return position;
  }

  const positionOf = (cursor: string | undefined): Position | undefined => {
    const position = cursor === undefined ? undefined : parseCursor(cursor);
    return position && 'seq' in position ? position : undefined;
  };

  return {
    read,
    end: () => cursorAt({ seq: storage.state().seq, part: 0 }),
    lag(cursor) {
      const position = positionOf(cursor);
      // In the middle of an arrival it is not behind it yet.
      return position && storage.state().seq - position.seq + (position.part > 0 ? 1 : 0);
    },
    subscribe(wake) {
      sleepers.add(wake);
      return () => sleepers.delete(wake);
    },
    wake() {
      for (const wake of [...sleepers]) wake();
    },
  };
}

/** All that an op changed, in a fixed order: the thing itself, then movements, then stock levels. */
function expand(storage: Storage, key: number): Unplaced[] {
  const row = storage.handle().statements.op.get(key);
  if (!row || row.header === null) return [];
  const header = parseHeader(row.header);
  // What the disk has spoilt keeps nobody from what stands behind it.
  if (typeof header === 'string') return [];
  const { entity, id } = header;
  const { books } = storage;
  if (entity === 'product' || entity === 'customer') {
    const record = books.record(entity, id);
    return record ? [{ entity, id, kind: record.deleted ? 'deleted' : 'updated', record }] : [];
  }
  if (entity === 'ticket') return expandTicket(storage, id, row.payload);
  const movement = entity === 'movement' ? books.movement(id) : undefined;
  return movement
    ? [{ entity: 'movement', id, kind: 'updated', record: movement }, ...stockChanges(storage, [movement.productId])]
    : [];
}

/** `payload`: of the op, which may be one that gave way to another; then what it had moved has changed as well. */
function expandTicket(storage: Storage, id: string, payload: string | Uint8Array): Unplaced[] {
  const { books } = storage;
  const ticket = books.ticket(id);
  if (!ticket) return [];
  const parsed = typeof payload === 'string' ? parsePayload(payload) : undefined;
  const given = typeof parsed === 'object' ? readTicketPayload(id, parsed) : undefined;
  const own = given ? derivedMovements(given) : [];
  const lines = derivedMovements(ticket.payload).length;
  const movements = lines === 0 ? [] : books.movements({ ticketId: id, limit: lines }).rows;
  return [
    { entity: 'ticket', id, kind: 'updated', record: ticket },
    ...movements.map((record) => ({ entity: 'movement', id: record.id, kind: 'updated', record }) as const),
    ...stockChanges(
      storage,
      [...movements, ...own].map(({ productId }) => productId),
    ),
  ];
}

function stockChanges({ books }: Storage, products: string[]): Unplaced[] {
  return [...new Set(products)].flatMap((id) => {
    const record = books.stock(id);
    return record ? [{ entity: 'stock', id, kind: 'updated', record } as const] : [];
  });
}
