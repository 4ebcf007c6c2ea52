// The records and documents of the books, as a client may send them. Hardly anything must be there; members that stand
// nowhere here are kept as they are.

import { z } from '@hono/zod-openapi';
import { movementKinds } from '../../../commands/create-movement.ts';
import { barcodesPerProductMax, ticketLinesMax } from '../../../core/limits.ts';
import { isListOf, isTextUpTo, objectGlance, withGlance } from './glance.ts';
import * as value from './values.ts';

const is = (sentence: string) => ({ error: sentence });

export const product = z
  .looseObject({
    id: value.id.optional(),
    sku: z.string(is('must be a text of at most 200 characters')).max(200).optional(),
    barcodes: z
      .array(
        z.string(is('must be a text: a number loses its leading zeros')).min(1).max(100),
        is('must be a list of texts'),
      )
      .max(barcodesPerProductMax)
      .optional(),
    name: value.text.optional(),
    price: value.money.optional(),
    currency: value.currency.optional(),
    taxRate: value.taxRate.optional(),
    category: value.text.optional(),
    archived: z.boolean(is('must be true or false')).optional(),
    attributes: value.attributes.optional(),
  })
  .openapi('Product');

export const customer = z
  .looseObject({
    id: value.id.optional(),
    name: value.text.optional(),
    email: value.text.optional(),
    phone: value.text.optional(),
    address: z.union([value.text, z.record(z.string(), z.unknown())], is('must be a text or an object')).optional(),
    note: value.text.optional(),
    archived: z.boolean(is('must be true or false')).optional(),
    attributes: value.attributes.optional(),
  })
  .openapi('Customer');

export const terminalRole = z.enum(['terminal', 'read-only'], { error: 'must be terminal or read-only' });

export const terminal = z
  .looseObject({
    id: value.id.optional(),
    name: value.text.min(1, is('must not be empty')),
    role: terminalRole.optional().openapi({ description: 'read-only: may look, and write nothing.' }),
    user: value.id
      .optional()
      .openapi({ description: 'Name of the user whose till it is: messages to him reach it.', example: 'ada' }),
    attributes: value.attributes.optional(),
  })
  .openapi('Terminal');

export const ticketLine = z
  .looseObject({
    productId: value.reference.optional(),
    sku: value.reference.optional(),
    barcode: value.reference.optional(),
    name: value.text.optional(),
    quantity: value.quantity.default(1),
    unitPrice: value.money.optional(),
    discount: value.money.optional(),
    taxRate: value.taxRate.optional(),
    total: value.money.optional(),
  })
  .openapi('TicketLine');

export const payment = z
  .looseObject({
    method: value.text.optional(),
    amount: value.money.optional(),
    reference: value.text.optional(),
  })
  .openapi('Payment');

const ticketKinds = ['sale', 'refund', 'void'] as const;

export const ticket = z
  .looseObject({
    id: value.id.optional(),
    terminalId: value.reference.optional(),
    number: withGlance(
      z.union([value.reference, z.int()], is('must be a text or a whole number')),
      (number) => Number.isSafeInteger(number) || isTextUpTo(200)(number),
    )
      .optional()
      .openapi({ description: 'Of the till; not the id.', example: 'T1-000123' }),
    kind: withGlance(z.enum(ticketKinds, is('must be sale, refund or void')), (kind) =>
      (ticketKinds as readonly unknown[]).includes(kind),
    ).default('sale'),
    ref: value.reference.optional().openapi({ description: 'Id of the ticket that a refund or void is about.' }),
    currency: value.currency.optional(),
    lines: withGlance(
      z.array(ticketLine, is('must be a list of lines')).max(ticketLinesMax),
      isListOf(objectGlance(ticketLine), ticketLinesMax),
    ).default([]),
    payments: withGlance(
      z.array(payment, is('must be a list of payments')).max(ticketLinesMax),
      isListOf(objectGlance(payment), ticketLinesMax),
    ).optional(),
    total: value.money.optional(),
    customerId: value.reference.optional(),
    cashier: value.text.optional(),
    soldAt: value.time.optional().openapi({ description: 'When it is missing, the time of receipt counts.' }),
    attributes: value.attributes.optional(),
  })
  .openapi('Ticket');

export const movement = z
  .looseObject({
    id: value.id.optional(),
    productId: value.id,
    kind: z
      .enum(movementKinds, is(`must be one of ${movementKinds.join(', ')}`))
      .optional()
      .openapi({ description: 'count where `counted` is given, else adjustment.' }),
    quantity: value.quantity.optional().openapi({ description: 'Signed: what leaves is negative.', example: -2 }),
    counted: value.quantity.optional().openapi({ description: 'For a count: how many there are.', example: 12 }),
    reason: value.text.optional(),
    ticketId: value.reference.optional(),
    at: value.time.optional().openapi({ description: 'When it is missing, the time of receipt counts.' }),
  })
  .openapi('Movement');

/** Members that only the appliance writes: taken out of what a client sends, never stored. */
export const readOnlyMembers: ReadonlySet<string> = new Set([
  'origin',
  'version',
  'createdAt',
  'updatedAt',
  'receivedAt',
  'flags',
]);

/** Tickets that need no reading: sound, nothing missing, nothing to take out. */
export const isPlainTicket = objectGlance(ticket, readOnlyMembers);
