// From JSON to what a command takes: checked by the schemas, read-only members taken out, null where a member may be
// missing taken as missing. Failures name every member at fault by its JSON Pointer.

import type { z } from '@hono/zod-openapi';
import type { MovementBody } from '../../commands/create-movement.ts';
import type { TicketBody } from '../../commands/ticket-body.ts';
import { type Failure, failure } from '../../core/command.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { batchItemsMax, bodyBytesMax, ticketLinesMax } from '../../core/limits.ts';
import { pointerOf } from './json-fault.ts';
import * as books from './schemas/books.ts';

export type Reading<Value> = { readonly ok: true; readonly value: Value } | Failure;

export function readBy<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code = 'malformed',
): Reading<z.output<Schema>> {
  const parsed = schema.safeParse(value);
  return parsed.success ? { ok: true, value: parsed.data } : malformed(parsed.error, code);
}

function malformed(error: z.ZodError, code: string): Failure {
  const errors = error.issues.map((issue) => ({ pointer: pointerOf(issue.path), detail: issue.message }));
  const [first] = errors;
  const more = errors.length > 1 ? ` And ${errors.length - 1} more, see errors.` : '';
  return failure(code, `${first?.pointer || 'The message'}: ${first?.detail ?? 'malformed'}.${more}`, { errors });
}

export type Identified<Body> = { readonly id: string | undefined; readonly body: Body };

/** A ticket, without its id. */
export function readTicket(value: Json): Reading<Identified<TicketBody>> {
  if (!isJsonObject(value)) return notAnObject();
  if (books.isPlainTicket(value)) return identified<TicketBody>({ ok: true, value });
  const { lines, payments } = value;
  if (Array.isArray(lines) && lines.length > ticketLinesMax) return tooMany('/lines', ticketLinesMax, 'lines');
  if (Array.isArray(payments) && payments.length > ticketLinesMax)
    return tooMany('/payments', ticketLinesMax, 'payments');
  const present = presentMembers(value, books.ticket);
  if (Array.isArray(lines)) present.lines = lines.map((line) => presentItem(line, books.ticketLine));
  if (Array.isArray(payments)) present.payments = payments.map((payment) => presentItem(payment, books.payment));
  return identified<TicketBody>(readBy(books.ticket, present));
}

/** A movement, without its id; `kind` is filled in. */
export function readMovement(value: Json): Reading<Identified<MovementBody>> {
  if (!isJsonObject(value)) return notAnObject();
  const present = presentMembers(value, books.movement);
  if (present.kind === undefined) present.kind = present.counted === undefined ? 'adjustment' : 'count';
  return identified<MovementBody>(readBy(books.movement, present));
}

export type RecordSchema = typeof books.product | typeof books.customer | typeof books.terminal;

/** A record or a patch of one, without its id. Null members are kept: they say "take this away". */
export function readRecord(value: Json, schema: RecordSchema): Reading<Identified<JsonObject>> {
  if (!isJsonObject(value)) return notAnObject();
  const present = presentMembers(value, schema);
  const reading = identified<JsonObject>(readBy(schema, present));
  if (!reading.ok) return reading;
  const body = { ...reading.value.body };
  for (const [name, member] of Object.entries(value)) {
    if (member === null && name !== 'id' && !books.readOnlyMembers.has(name)) body[name] = null;
  }
  return { ok: true, value: { ...reading.value, body } };
}

/** The items of a batch: what each holds is read one by one, so that one cannot spoil the others. */
export function readItems(value: Json): Reading<Json[]> {
  const items = isJsonObject(value) ? value.items : undefined;
  if (!Array.isArray(items)) {
    return failure('malformed', 'A batch is an object with a list "items".', {
      errors: [{ pointer: '/items', detail: 'must be a list' }],
    });
  }
  return items.length > batchItemsMax ? tooMany('/items', batchItemsMax, 'items') : { ok: true, value: items };
}

/** An item may not be larger than it could be alone: else it would fit in no op. */
export const isItemTooLarge = (item: Json): boolean => JSON.stringify(item).length > bodyBytesMax;

type Shaped = { readonly shape: Readonly<Record<string, unknown>> };

/** Members that are there: read-only ones do not count, nor do known ones that are null. */
function presentMembers(value: JsonObject, { shape }: Shaped): JsonObject {
  const present: JsonObject = {};
  for (const name of Object.keys(value)) {
    const member = value[name];
    if (member === undefined || books.readOnlyMembers.has(name)) continue;
    if (member !== null || shape[name] === undefined) present[name] = member;
  }
  return present;
}

const presentItem = (item: Json, shaped: Shaped): Json => {
  if (!isJsonObject(item)) return item;
  for (const name in item)
    if (item[name] === null && shaped.shape[name] !== undefined) return withoutNulls(item, shaped);
  return item;
};

const withoutNulls = (item: JsonObject, { shape }: Shaped): JsonObject =>
  Object.fromEntries(Object.entries(item).filter(([name, member]) => member !== null || shape[name] === undefined));

/** The schemas pass on what JSON.parse made, so what comes out of them is JSON too. */
function identified<Body>(reading: Reading<{ id?: string | undefined }>): Reading<Identified<Body>> {
  if (!reading.ok) return reading;
  const { id, ...body } = reading.value;
  return { ok: true, value: { id, body: body as unknown as Body } };
}

const notAnObject = (): Failure =>
  failure('malformed', 'The message must be an object: {…}.', {
    errors: [{ pointer: '', detail: 'must be an object' }],
  });

const tooMany = (pointer: string, most: number, what: string): Failure =>
  failure('malformed', `There are too many ${what}: ${most} at most in one message.`, {
    errors: [{ pointer, detail: `at most ${most} ${what}` }],
  });
