// B3 from the side of the digests: over the whole run, on whichever appliance, two readings of one part of the books have
// the same digest exactly when they read the same.

import type { Digests } from '../../src/core/books.ts';
import { type BooksRead, stable } from './reading.ts';

export type DigestRule = {
  /** A sentence when this reading contradicts an earlier one. */
  check(read: BooksRead, digests: Digests): string | undefined;
};

export function createDigestRule(): DigestRule {
  const textsByDigest = new Map<string, string>();
  const digestsByText = new Map<string, string>();
  return {
    check: (read, digests) => {
      for (const [part, text] of Object.entries(partTexts(read))) {
        const digest = `${part} ${digests[part as keyof Digests]}`;
        const [knownText, knownDigest] = [textsByDigest.get(digest), digestsByText.get(text)];
        if (knownText !== undefined && knownText !== text) return `B3 other ${part}, the same digest`;
        if (knownDigest !== undefined && knownDigest !== digest) return `B3 the same ${part}, another digest`;
        textsByDigest.set(digest, text);
        digestsByText.set(text, digest);
      }
      return undefined;
    },
  };
}

function partTexts({ records, tickets, movements, stock }: BooksRead): Record<keyof Digests, string> {
  const text = (part: string, rows: Iterable<unknown>): string => [part, ...[...rows].map(stable).sort()].join('\n');
  const ofEntity = (entity: string) => [...records.values()].filter((row) => row.entity === entity);
  return {
    products: text('products', ofEntity('product')),
    customers: text('customers', ofEntity('customer')),
    tickets: text(
      'tickets',
      [...tickets.values()].map(({ payload }) => payload),
    ),
    movements: text(
      'movements',
      [...movements.values()].map(({ id, productId, kind, quantity }) => [id, productId, kind, quantity]),
    ),
    stock: text(
      'stock',
      [...stock.values()].map(({ productId, onHand }) => [productId, onHand]),
    ),
  };
}
