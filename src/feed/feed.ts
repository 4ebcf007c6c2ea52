// The change feed: what changed in the books, in the order in which it was committed here, resumable by cursor. Readers
// are only woken; they pull. A record that changed twice is told once, as it is now.

import type { MovementRow, RecordRow, StockRow, TicketRow } from '../core/books.ts';
import type { Failure } from '../core/command.ts';

export type Change = { readonly cursor: string } & (
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

export type FeedPage = { readonly ok: true; readonly changes: Change[]; readonly next: string };

export type Feed = {
  /**
   * Changes after a cursor (from the beginning without one), at most `limit`. Fails with cursor_malformed,
   * cursor_of_another_shop, or resync: the cursor is of another appliance, or older than what is kept.
   */
  read(request: {
    after?: string | undefined;
    limit: number;
    entities?: readonly FeedEntity[] | undefined;
  }): FeedPage | Failure;
  /** Calls `wake` after each commit that changed the books, until the returned function is called. */
  subscribe(wake: () => void): () => void;
};
