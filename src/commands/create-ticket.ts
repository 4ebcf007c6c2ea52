// Takes in a ticket: a sale, refund or void that has happened. It is never refused for what it says (B7), only for
// being another under an id that is taken; what is odd is flagged. Its stock movements follow from it in the merge.

import type { Books, TicketPayload, TicketRow } from '../core/books.ts';
import type { Command, CommandContext } from '../core/command.ts';
import { quantityToUnits } from '../core/facts.ts';
import { gtinOf } from '../core/gtin.ts';
import { idPattern } from '../core/limits.ts';
import { differingFact, type FactAnswer } from './fact.ts';
import type { By } from './record-edit.ts';
import type { TicketBody, TicketLine } from './ticket-body.ts';
import { figureFlags, isClockSuspect } from './ticket-flags.ts';

export type CreateTicket = {
  readonly id?: string | undefined;
  readonly body: TicketBody;
  readonly by: By;
  /** The till that sends it, where it is one; counts where the body names none. */
  readonly terminalId?: string | undefined;
};

export const createTicket =
  (request: CreateTicket): Command<FactAnswer<TicketRow>> =>
  (context) => {
    const { by } = request;
    const id = request.id ?? context.newId();
    const stored = context.books.ticket(id);
    const body = bodyOf(request, id, stored);
    if (stored) {
      const refusal = differingFact(context, 'ticket', stored.payload.body, body);
      return refusal ?? { ok: true, drafts: [], result: () => ({ outcome: 'known', row: stored }) };
    }
    const products = body.lines.map((line) => productOfLine(context.books, line));
    const payload: TicketPayload = {
      body,
      products,
      flags: flagsOf(context, body, products),
      receivedAt: context.meshMs,
      by,
    };
    if (context.clockMs !== context.meshMs) payload.clockAt = context.clockMs;
    const row = newRow(context, id, payload);
    return { ok: true, drafts: [{ entity: 'ticket', id, payload }], result: () => ({ outcome: 'created', row }) };
  };

/** What a read after the commit tells: nothing is under this id yet, so the merge takes the payload as it is. */
function newRow({ books, replicaId }: CommandContext, id: string, payload: TicketPayload): TicketRow {
  const { terminalId, number } = payload.body;
  const hasNumber = typeof terminalId === 'string' && (typeof number === 'string' || typeof number === 'number');
  const hasDuplicateNumber = hasNumber && books.hasTicketNumber(terminalId, String(number));
  return { id, payload, origin: replicaId, hasDuplicateNumber, hasRival: false };
}

/**
 * The body as it is stored. A till that does not name itself is known by its credential; a ticket that comes again by
 * another way is still the same ticket.
 */
function bodyOf(request: CreateTicket, id: string, stored: TicketRow | undefined): TicketBody {
  const terminalId = request.body.terminalId ?? stored?.payload.body.terminalId ?? request.terminalId;
  const body: TicketBody = { id, ...request.body };
  if (typeof terminalId === 'string') body.terminalId = terminalId;
  return body;
}

/**
 * The product that a line is of. An id is believed though nobody here knows it: the product may have been made on an
 * appliance that is cut off, and its stock must still be right when it arrives.
 */
function productOfLine(books: Books, line: TicketLine): string | null {
  if (line.productId !== undefined && idPattern.test(line.productId)) return line.productId;
  const bySku = line.sku === undefined ? undefined : books.productIdBySku(line.sku);
  if (bySku !== undefined) return bySku;
  return (line.barcode === undefined ? undefined : books.productIdByGtin(gtinOf(line.barcode))) ?? null;
}

function flagsOf(context: CommandContext, body: TicketBody, products: readonly (string | null)[]): string[] {
  const { books, clockMs, meshMs } = context;
  const flags = figureFlags(body);
  if (body.lines.some((line, index) => isUnknownProduct(books, line, products[index] ?? null))) {
    flags.push('unknown_product');
  }
  if (isStockNegative(books, body, products)) flags.push('negative_stock');
  if (isClockSuspect(body.soldAt, clockMs, meshMs)) flags.push('clock_suspect');
  if (body.customerId !== undefined && !books.hasRecord('customer', body.customerId)) flags.push('unknown_customer');
  if (body.kind !== 'sale' && (body.ref === undefined || !books.ticket(body.ref))) flags.push('unknown_ref');
  return flags.sort();
}

/** A line that names no product at all (a service, a discount) is no unknown product. */
function isUnknownProduct(books: Books, line: TicketLine, productId: string | null): boolean {
  if (productId === null) {
    return line.productId !== undefined || line.sku !== undefined || line.barcode !== undefined;
  }
  return !books.hasRecord('product', productId);
}

/** Whether the sale takes more of a product than is there. What a refund or void brings back cannot. */
function isStockNegative(books: Books, body: TicketBody, products: readonly (string | null)[]): boolean {
  if (body.kind !== 'sale') return false;
  const taken = new Map<string, number>();
  body.lines.forEach((line, index) => {
    const productId = products[index];
    if (productId) taken.set(productId, (taken.get(productId) ?? 0) + (quantityToUnits(line.quantity) ?? 0));
  });
  for (const [productId, units] of taken) {
    if (units > 0 && (books.stock(productId)?.onHand ?? 0) < units) return true;
  }
  return false;
}
