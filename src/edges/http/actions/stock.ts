// Stock: levels are sums of movements, so they are read here and changed by movements alone.

import { z } from '@hono/zod-openapi';
import { createMovement } from '../../../commands/create-movement.ts';
import { failure } from '../../../core/command.ts';
import { movementDocument, stockDocument } from '../documents.ts';
import { keyedIds } from '../ids.ts';
import { listAnswer } from '../lists.ts';
import { readMovement } from '../reading.ts';
import { type Route, route } from '../route.ts';
import * as books from '../schemas/books.ts';
import * as requests from '../schemas/requests.ts';
import { id } from '../schemas/values.ts';

const level = z
  .object({
    productId: z.string(),
    onHand: z.number().openapi({ example: 12 }),
    updatedAt: z.string().nullable().openapi({ format: 'date-time' }),
  })
  .openapi('StockLevel');

const shownMovement = books.movement
  .extend({ origin: z.string().openapi({ description: 'Appliance that wrote it.', readOnly: true }) })
  .openapi('StoredMovement');

const levels = route({
  method: 'get',
  path: '/api/v1/stock',
  access: 'read',
  tag: 'Books',
  summary: 'List stock levels',
  query: requests.page,
  answers: { 200: { description: 'A page, by product.', schema: requests.listOf(level) } },
  problems: ['query_malformed', 'cursor_malformed', 'cursor_of_another_list', 'cursor_of_another_shop'],
  run: ({ query }, room) =>
    listAnswer(room, 'stock', query, (place) => room.appliance.books.stockLevels(place), stockDocument),
});

const oneLevel = route({
  method: 'get',
  path: '/api/v1/stock/{productId}',
  access: 'read',
  tag: 'Books',
  summary: 'Read the stock level of a product',
  params: z.object({ productId: id.openapi({ param: { name: 'productId', in: 'path' } }) }),
  answers: { 200: { description: 'What is on hand; 0 for a product that never moved.', schema: level } },
  problems: ['id_malformed', 'not_found'],
  run: ({ params: { productId } }, { appliance: { books: rows } }) => {
    const row = rows.stock(productId);
    if (row) return { status: 200, json: stockDocument(row) };
    if (rows.hasRecord('product', productId)) return { status: 200, json: { productId, onHand: 0, updatedAt: null } };
    return failure('not_found', `There is no product "${productId}" here, and nothing of it ever moved.`);
  },
});

const movements = route({
  method: 'get',
  path: '/api/v1/stock/movements',
  access: 'read',
  tag: 'Books',
  summary: 'List movements of stock',
  description: 'Those of tickets have ids derived from the ticket: TICKET/LINE.',
  query: requests.page.extend({ productId: z.string().optional(), ticketId: z.string().optional() }),
  answers: { 200: { description: 'A page, in the order of arrival here.', schema: requests.listOf(shownMovement) } },
  problems: ['query_malformed', 'cursor_malformed', 'cursor_of_another_appliance', 'cursor_of_another_shop'],
  run: ({ query }, room) => {
    const { limit, after, ...filter } = query;
    const { books: rows } = room.appliance;
    const read = (place: { after: string | undefined; limit: number }) => rows.movements({ ...filter, ...place });
    return listAnswer(room, 'movements', { limit, after }, read, movementDocument);
  },
});

const move = route({
  method: 'post',
  path: '/api/v1/stock/movements',
  access: 'terminal',
  tag: 'Books',
  summary: 'Record a movement of stock',
  description:
    'Either `quantity`, signed, or `counted`: then the difference to what is on hand here is the movement, and sales made elsewhere meanwhile still count. With an id it may be sent again: it counts once.',
  headers: ['Idempotency-Key'],
  body: {
    schema: books.movement,
    example: { id: 'delivery-17-1', productId: 'p-1', kind: 'receipt', quantity: 24, reason: 'delivery 17' },
    read: readMovement,
  },
  answers: {
    201: { description: 'Recorded.', schema: shownMovement },
    200: { description: 'It came before; as it is stored.', schema: shownMovement },
  },
  problems: ['malformed', 'quantity_missing', 'number_not_exact', 'movement_differs'],
  run: async ({ body, credential, request, path, execute }) => {
    const ids = keyedIds(request.headers, credential, path);
    if (!ids.ok) return ids;
    const outcome = await execute(createMovement({ id: body.id ?? ids.of(0), body: body.body, by: credential.id }));
    if (!outcome.ok) return outcome;
    const status = outcome.result.outcome === 'created' ? 201 : 200;
    return { status, json: movementDocument(outcome.result.row) };
  },
});

export const stockRoutes: readonly Route[] = [levels, movements, move, oneLevel];
