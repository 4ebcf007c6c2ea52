// Tickets: what was sold is taken in whatever it says (flags tell what is odd), once, for ever, and never changed.

import { z } from '@hono/zod-openapi';
import { createTicket } from '../../../commands/create-ticket.ts';
import type { FactAnswer } from '../../../commands/fact.ts';
import type { TicketBody } from '../../../commands/ticket-body.ts';
import type { TicketRow } from '../../../core/books.ts';
import { type Failure, failure, type Outcome } from '../../../core/command.ts';
import type { Json } from '../../../core/json.ts';
import { runBatch } from '../batch.ts';
import type { Credential } from '../credentials.ts';
import { ticketDocument } from '../documents.ts';
import { keyedIds } from '../ids.ts';
import { listAnswer } from '../lists.ts';
import { type Identified, readItems, readTicket } from '../reading.ts';
import { type Answer, agreedId, type Execute, type Route, route } from '../route.ts';
import * as books from '../schemas/books.ts';
import * as requests from '../schemas/requests.ts';

const example = {
  id: '01938f6e-5c1a-7b3e-9d2f-4a8c6e0b1d37',
  terminalId: 'till-1',
  number: 'T1-000123',
  currency: 'EUR',
  lines: [{ productId: 'p-1', name: 'Coffee', quantity: 2, unitPrice: 250, taxRate: 1000, total: 500 }],
  payments: [{ method: 'card', amount: 500 }],
  total: 500,
  soldAt: '2026-11-20T09:30:00Z',
};

const shown = books.ticket
  .extend({
    receivedAt: z.string().openapi({ format: 'date-time', readOnly: true }),
    origin: z.string().openapi({ description: 'Appliance that took it in.', readOnly: true }),
    flags: z.array(z.string()).openapi({
      description:
        'What is odd: unknown_product, unknown_customer, unknown_ref, total_mismatch, payment_mismatch, negative_stock, clock_suspect, duplicate_number, id_conflict.',
      readOnly: true,
    }),
  })
  .openapi('StoredTicket');

const answers = {
  201: { description: 'Taken in, and on disk.', schema: shown },
  200: { description: 'It came before; as it is stored.', schema: shown },
};

const write = (execute: Execute, { id, body }: Identified<TicketBody>, credential: Credential) =>
  execute(
    createTicket({
      id,
      body,
      by: credential.id,
      terminalId: credential.terminalId,
    }),
  );

function written(outcome: Outcome<FactAnswer<TicketRow>>): Answer | Failure {
  if (!outcome.ok) return outcome;
  const { row } = outcome.result;
  if (outcome.result.outcome === 'known') return { status: 200, json: ticketDocument(row) };
  return { status: 201, json: ticketDocument(row), headers: { Location: `/api/v1/tickets/${row.id}` } };
}

const post = route({
  method: 'post',
  path: '/api/v1/tickets',
  access: 'terminal',
  tag: 'Books',
  summary: 'Take in a ticket',
  description:
    'A sale, refund or void that has happened. With an id it may be sent again, to any appliance, for ever: it counts once.',
  headers: ['Idempotency-Key'],
  body: { schema: books.ticket, example, read: readTicket },
  answers,
  problems: ['malformed', 'number_not_exact', 'ticket_differs'],
  run: async ({ body, credential, request, path, execute }) => {
    const ids = keyedIds(request.headers, credential, path);
    if (!ids.ok) return ids;
    return written(await write(execute, { id: body.id ?? ids.of(0), body: body.body }, credential));
  },
});

const put = route({
  method: 'put',
  path: '/api/v1/tickets/{id}',
  access: 'terminal',
  tag: 'Books',
  summary: 'Take in a ticket under its id',
  description: 'The same as POST. A ticket is never replaced: another content under the same id is a 409.',
  params: requests.byId,
  body: { schema: books.ticket, example, read: readTicket },
  answers,
  problems: ['malformed', 'id_malformed', 'id_differs', 'number_not_exact', 'ticket_differs'],
  run: async ({ params, body, credential, execute }) => {
    const refusal = agreedId(params.id, body.id);
    return refusal ?? written(await write(execute, { id: params.id, body: body.body }, credential));
  },
});

const batch = route({
  method: 'post',
  path: '/api/v1/tickets/batch',
  access: 'terminal',
  tag: 'Books',
  summary: 'Take in many tickets',
  description: 'Each stands for itself, as a POST of its own; the answer says what became of each.',
  headers: ['Idempotency-Key'],
  body: { schema: requests.batchOf(books.ticket), example: { items: [example] }, read: readItems, kind: 'batch' },
  answers: { 200: { description: 'A result for each ticket, in their order.', schema: requests.batchAnswer } },
  problems: ['malformed'],
  run: ({ body, credential, request, path, execute }) => {
    const ids = keyedIds(request.headers, credential, path);
    if (!ids.ok) return ids;
    return runBatch(body, (item, index) => writeItem(execute, item, ids.of(index), credential));
  },
});

function writeItem(execute: Execute, item: Json, keyedId: string | undefined, credential: Credential) {
  const reading = readTicket(item);
  if (!reading.ok) return reading;
  const { id = keyedId, body } = reading.value;
  return write(execute, { id, body }, credential).then((outcome) => {
    if (!outcome.ok) return outcome;
    const { row, outcome: became } = outcome.result;
    const { flags } = ticketDocument(row);
    return { ok: true, result: { status: became === 'created' ? 201 : 200, id: row.id, flags } } as const;
  });
}

const list = route({
  method: 'get',
  path: '/api/v1/tickets',
  access: 'read',
  tag: 'Books',
  summary: 'List tickets',
  query: requests.page.extend({
    terminalId: z.string().optional(),
    customerId: z.string().optional(),
    from: requests.moment.openapi({ description: 'Sold at or after.' }),
    to: requests.moment.openapi({ description: 'Sold before.' }),
  }),
  answers: { 200: { description: 'A page, in the order of arrival here.', schema: requests.listOf(shown) } },
  problems: ['query_malformed', 'cursor_malformed', 'cursor_of_another_appliance', 'cursor_of_another_shop'],
  run: ({ query }, room) => {
    const { limit, after, ...filter } = query;
    const { books: rows } = room.appliance;
    return listAnswer(
      room,
      'tickets',
      { limit, after },
      (place) => rows.tickets({ ...filter, ...place }),
      ticketDocument,
    );
  },
});

const read = route({
  method: 'get',
  path: '/api/v1/tickets/{id}',
  access: 'read',
  tag: 'Books',
  summary: 'Read a ticket',
  params: requests.byId,
  answers: { 200: { description: 'The ticket.', schema: shown } },
  problems: ['id_malformed', 'not_found'],
  run: ({ params }, { appliance }) => {
    const row = appliance.books.ticket(params.id);
    if (!row) return failure('not_found', `There is no ticket with the id "${params.id}" here.`);
    return { status: 200, json: ticketDocument(row) };
  },
});

export const ticketRoutes: readonly Route[] = [list, post, batch, read, put];
