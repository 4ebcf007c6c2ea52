// Tills and their tokens. A token is shown once, in the answer that makes it.

import { z } from '@hono/zod-openapi';
import { makeTerminal } from '../../../commands/make-terminal.ts';
import { revokeTerminal } from '../../../commands/revoke-terminal.ts';
import type { JsonObject } from '../../../core/json.ts';
import { hashOf, terminalToken, tokenBytes } from '../credentials.ts';
import { terminalDocument } from '../documents.ts';
import { keyedIds } from '../ids.ts';
import { listAnswer } from '../lists.ts';
import { readRecord } from '../reading.ts';
import { type Route, route } from '../route.ts';
import * as books from '../schemas/books.ts';
import * as requests from '../schemas/requests.ts';
import { madeByAppliance } from '../schemas/values.ts';
import { timeText } from '../times.ts';

const shown = books.terminal
  .extend({
    revoked: z.boolean(),
    lastUsedAt: z.string().nullable().openapi({
      format: 'date-time',
      description:
        'When its token was last used at this appliance; over a restart, to the hour. Null when it never was.',
    }),
    ...madeByAppliance,
  })
  .openapi('StoredTerminal');

const make = route({
  method: 'post',
  path: '/api/v1/terminals',
  access: 'admin',
  tag: 'Terminals',
  summary: 'Make a till and its token',
  description: 'The token is shown in this answer and never again; every appliance of the shop knows it.',
  headers: ['Idempotency-Key'],
  body: {
    schema: books.terminal,
    example: { name: 'Till 1' },
    read: (json) => readRecord(json, books.terminal),
  },
  answers: {
    201: {
      description: 'Made.',
      schema: z.object({
        id: z.string(),
        name: z.string(),
        role: books.terminalRole,
        token: z.string().openapi({ example: 'till_…' }),
      }),
    },
  },
  problems: ['malformed', 'id_reserved', 'terminal_exists'],
  run: async ({ body, credential, request, path, execute }, room) => {
    const ids = keyedIds(request.headers, credential, path);
    if (!ids.ok) return ids;
    const id = body.id ?? ids.of(0) ?? `till-${Buffer.from(room.random.bytes(10)).toString('hex')}`;
    const token = terminalToken(id, room.random.bytes(tokenBytes));
    const { tokenHash: _, revoked: __, lastUsedAt: ___, ...sent } = body.body;
    const document = sent as JsonObject & { name: string };
    const outcome = await execute(makeTerminal({ id, document, tokenHash: hashOf(token), by: credential.id }));
    if (!outcome.ok) return outcome;
    return { status: 201, json: { id, name: document.name, role: document.role ?? 'terminal', token } };
  },
});

const list = route({
  method: 'get',
  path: '/api/v1/terminals',
  access: 'admin',
  tag: 'Terminals',
  summary: 'List tills',
  query: requests.page,
  answers: { 200: { description: 'A page, by id; without tokens.', schema: requests.listOf(shown) } },
  problems: ['query_malformed', 'cursor_malformed', 'cursor_of_another_list', 'cursor_of_another_shop'],
  run: ({ query }, room) =>
    listAnswer(
      room,
      'terminals',
      query,
      (place) => room.appliance.books.records('terminal', place),
      (row) => ({
        ...terminalDocument(row),
        lastUsedAt: timeText(room.appliance.observe.terminalUses.last(row.id) ?? null),
      }),
    ),
});

const revoke = route({
  method: 'delete',
  path: '/api/v1/terminals/{id}',
  access: 'admin',
  tag: 'Terminals',
  summary: 'Revoke a till’s token',
  description: 'At once here, and on every appliance as soon as it hears of it. The till stays in the list, revoked.',
  params: requests.byId,
  answers: { 204: { description: 'Revoked, now or before.' } },
  problems: ['id_malformed', 'not_found'],
  run: async ({ params, credential, execute }) => {
    const outcome = await execute(revokeTerminal({ id: params.id, by: credential.id }));
    return outcome.ok ? { status: 204 } : outcome;
  },
});

export const terminalRoutes: readonly Route[] = [list, make, revoke];
