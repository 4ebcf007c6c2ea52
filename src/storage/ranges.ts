// Where two unequal books differ: rows of a part in 256 ranges (by the first byte of their id's SHA-256), a hash for each
// range, and the rows of one range. Read from the whole part: only when equal heads came with unequal books.

import { derivedMovementId, derivedMovements, readTicketPayload } from '../core/facts.ts';
import { hex, parsePayload } from '../core/op.ts';
import type { Crypto } from '../ports.ts';
import { movementText } from './fold-facts.ts';
import type { Part } from './state.ts';
import { stockText } from './stock-sum.ts';
import type { Storage } from './storage.ts';

export const rangeCount = 256;

/** Id and first 16 hex digits of the hash of each row. */
export type RangeRows = { readonly [id: string]: string };

/** One hash (16 hex digits) for each range. */
export function rangeHashes(storage: Storage, crypto: Crypto, part: Part): string[] {
  const rows = Array.from({ length: rangeCount }, (): string[] => []);
  for (const [id, hash] of rowsOf(storage, crypto, part)) rows[rangeOf(crypto, id)]?.push(`${id}\n${hash}`);
  return rows.map((range) => hex(crypto.sha256(range.sort().join('\n'))).slice(0, 16));
}

export function rangeRows(storage: Storage, crypto: Crypto, part: Part, range: number, rowsMax: number): RangeRows {
  const rows: Record<string, string> = {};
  let count = 0;
  for (const [id, hash] of rowsOf(storage, crypto, part)) {
    if (rangeOf(crypto, id) !== range) continue;
    if (++count > rowsMax) break;
    rows[id] = hash.slice(0, 16);
  }
  return rows;
}

const rangeOf = (crypto: Crypto, id: string): number => crypto.sha256(id)[0] ?? 0;

/** Every row of a part with the hash of what of it counts in the digest. */
function* rowsOf(storage: Storage, crypto: Crypto, part: Part): Iterable<[id: string, hash: string]> {
  const { database } = storage.handle();
  if (part === 'products' || part === 'customers') {
    const rows = database
      .prepare('SELECT id, version FROM records WHERE entity = ? AND deleted = 0')
      .iterate(part.slice(0, -1));
    for (const row of rows as Iterable<{ id: string; version: string }>) yield [row.id, row.version];
  } else if (part === 'tickets') {
    const rows = database.prepare('SELECT id, payload FROM tickets JOIN ops ON ops.key = tickets.op').iterate();
    for (const row of rows as Iterable<{ id: string; payload: string }>)
      yield [row.id, hex(crypto.sha256(row.payload))];
  } else if (part === 'movements') {
    const tickets = database.prepare('SELECT id, payload FROM tickets JOIN ops ON ops.key = tickets.op').iterate();
    for (const ticket of tickets as Iterable<{ id: string; payload: string }>) {
      const parsed = parsePayload(ticket.payload);
      const payload = typeof parsed === 'object' ? readTicketPayload(ticket.id, parsed) : undefined;
      for (const movement of payload ? derivedMovements(payload) : []) {
        const id = derivedMovementId(ticket.id, movement.line);
        yield [id, hex(crypto.sha256(movementText(id, movement)))];
      }
    }
    const rows = database.prepare('SELECT id, product AS productId, kind, quantity FROM movements').iterate();
    for (const row of rows as Iterable<{ id: string; productId: string; kind: string; quantity: number }>)
      yield [row.id, hex(crypto.sha256(movementText(row.id, row)))];
  } else {
    for (const [product, { onHand }] of storage.levels())
      yield [product, hex(crypto.sha256(stockText(product, onHand)))];
  }
}
