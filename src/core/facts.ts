// Facts: what a ticket and a movement mean for the stock. Derived the same way everywhere, from the op alone; the ids of
// derived movements come from the ticket's, so the same ticket written twice derives the same movements.

import type { MovementPayload, TicketPayload } from './books.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { amountMax, idPattern, quantityScale } from './limits.ts';

export type DerivedMovement = {
  /** Index of the ticket's line, from 0. */
  readonly line: number;
  readonly productId: string;
  readonly kind: 'sale' | 'return';
  /** Signed milli-units. */
  readonly quantity: number;
};

/** "/" is in no client's id, so a derived id never meets one. */
export const derivedMovementId = (ticketId: string, line: number): string => `${ticketId}/${line + 1}`;

/** A sale takes its quantities out of stock; refunds and voids bring theirs back, whatever sign they were sent with. */
export function derivedMovements(payload: TicketPayload): DerivedMovement[] {
  const lines = Array.isArray(payload.body.lines) ? payload.body.lines : [];
  const isSale = payload.body.kind === undefined || payload.body.kind === 'sale';
  const movements: DerivedMovement[] = [];
  for (let line = 0; line < lines.length; line++) {
    const productId = payload.products[line];
    const units = quantityToUnits(isJsonObject(lines[line]) ? (lines[line] as JsonObject).quantity : undefined);
    if (typeof productId !== 'string' || units === undefined || units === 0) continue;
    const quantity = isSale ? -units : Math.abs(units);
    movements.push({ line, productId, kind: isSale ? 'sale' : 'return', quantity });
  }
  return movements;
}

/** Milli-units of a quantity with at most 3 decimals; undefined for anything else. */
export function quantityToUnits(quantity: Json | undefined): number | undefined {
  if (typeof quantity !== 'number' || !Number.isFinite(quantity)) return undefined;
  const units = Math.round(quantity * quantityScale);
  if (Math.abs(units) > amountMax || Math.abs(units / quantityScale - quantity) > 1e-9) return undefined;
  return units === 0 ? 0 : units;
}

/** The payload of a ticket's op, when it has the shape that the fold needs. */
export function readTicketPayload(id: string, payload: JsonObject): TicketPayload | undefined {
  const { body, products, flags, receivedAt } = payload;
  if (!isJsonObject(body) || body.id !== id) return undefined;
  if (!Array.isArray(products) || !products.every((product) => product === null || isId(product))) return undefined;
  if (!Array.isArray(flags) || typeof receivedAt !== 'number') return undefined;
  return payload as unknown as TicketPayload;
}

export function readMovementPayload(id: string, payload: JsonObject): MovementPayload | undefined {
  const { body, productId, kind, quantity } = payload;
  if (!isJsonObject(body) || body.id !== id || !isId(productId) || typeof kind !== 'string') return undefined;
  if (!Number.isSafeInteger(quantity) || Math.abs(quantity as number) > amountMax * 2) return undefined;
  return payload as unknown as MovementPayload;
}

/** What is no id could be two in memory and one on disk (lone surrogates), and so unequal books. */
const isId = (value: Json | undefined): value is string => typeof value === 'string' && idPattern.test(value);
