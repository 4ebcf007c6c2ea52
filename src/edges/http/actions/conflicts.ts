// Conflicts: what two people changed without knowing of each other, which of it counts, and how a person settles it.

import { z } from '@hono/zod-openapi';
import { resolveConflict } from '../../../commands/resolve-conflict.ts';
import type { Books, ConflictRow, ConflictSide } from '../../../core/books.ts';
import { type Failure, failure } from '../../../core/command.ts';
import { isJsonObject, type Json, type JsonObject } from '../../../core/json.ts';
import { documentToFields, fieldsToDocument } from '../../../core/merge.ts';
import { recordDocument, terminalDocument, ticketDocument, userDocument } from '../documents.ts';
import { listAnswer } from '../lists.ts';
import { type Reading, readBy, readRecord } from '../reading.ts';
import { type Route, route } from '../route.ts';
import * as books from '../schemas/books.ts';
import { moment } from '../schemas/mesh.ts';
import * as requests from '../schemas/requests.ts';
import { text } from '../schemas/values.ts';
import { timeText } from '../times.ts';

const side = z
  .object({
    origin: z.string(),
    number: z.int(),
    stamp: z.string().openapi({ description: 'Hybrid logical clock, 16 hex digits.' }),
    at: moment,
    values: z.record(z.string(), z.unknown()).openapi({
      description: 'By field (JSON Pointer); of tickets and movements the whole.',
      example: { '/name': 'Coffee' },
    }),
  })
  .openapi('ConflictSide');

const shown = z
  .object({
    id: z.string(),
    entity: z.string(),
    recordId: z.string(),
    kind: z.enum(['field', 'rival']),
    fields: z.array(z.string()),
    winner: side,
    loser: side,
    strategy: z.enum(['latest_edit', 'earliest_fact']),
    final: z.looseObject({}).nullable().openapi({ description: 'What counts now; null when it was deleted.' }),
    detectedAt: moment,
    resolvedAt: moment,
    resolvedBy: z.string().nullable().openapi({ description: 'system, or who resolved it.' }),
    notes: z.string().nullable(),
  })
  .openapi('Conflict');

const sideDocument = ({ values, at, ...rest }: ConflictSide): JsonObject => {
  const { '/tokenHash': _, '/passwordHash': __, ...told } = values;
  return { ...rest, at: timeText(at), values: told };
};

const conflictDocument = (rows: Books, row: ConflictRow): JsonObject => ({
  ...row,
  winner: sideDocument(row.winner),
  loser: sideDocument(row.loser),
  final: finalDocument(rows, row),
  detectedAt: timeText(row.detectedAt),
  resolvedAt: timeText(row.resolvedAt),
});

function finalDocument(rows: Books, { entity, recordId, kind, winner }: ConflictRow): JsonObject | null {
  if (entity === 'product' || entity === 'customer' || entity === 'terminal' || entity === 'user') {
    const row = rows.record(entity, recordId);
    if (!row || row.deleted) return null;
    if (entity === 'user') return userDocument(row);
    return entity === 'terminal' ? terminalDocument(row) : recordDocument(row);
  }
  const ticket = entity === 'ticket' ? rows.ticket(recordId) : undefined;
  if (ticket) return ticketDocument(ticket);
  return kind === 'rival' ? winner.values : null;
}

const list = route({
  method: 'get',
  path: '/api/v1/conflicts',
  access: 'admin',
  tag: 'Mesh',
  summary: 'List conflicts',
  query: requests.page.extend({ entity: z.string().optional(), resolved: requests.yesNo }),
  answers: { 200: { description: 'A page.', schema: requests.listOf(shown) } },
  problems: ['query_malformed', 'cursor_malformed', 'cursor_of_another_appliance', 'cursor_of_another_shop'],
  run: ({ query }, room) => {
    const { limit, after, ...filter } = query;
    const { observe, books: rows } = room.appliance;
    return listAnswer(
      room,
      'conflicts',
      { limit, after },
      (place) => observe.conflicts({ ...filter, ...place }),
      (row) => conflictDocument(rows, row),
    );
  },
});

const byConflict = z.object({
  id: z
    .string()
    .max(64)
    .openapi({ param: { name: 'id', in: 'path' } }),
});

const unknownConflict = (id: string): Failure => failure('not_found', `There is no conflict with the id "${id}" here.`);

const read = route({
  method: 'get',
  path: '/api/v1/conflicts/{id}',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Read a conflict',
  params: byConflict,
  answers: { 200: { description: 'Both sides, and what counts.', schema: shown } },
  problems: ['not_found'],
  run: ({ params }, { appliance }) => {
    const row = appliance.observe.conflict(params.id);
    return row ? { status: 200, json: conflictDocument(appliance.books, row) } : unknownConflict(params.id);
  },
});

const resolveBody = z.object({
  choose: z.enum(['winner', 'loser', 'fields'], { error: 'must be winner, loser or fields' }),
  fields: z
    .record(z.string(), z.unknown(), { error: 'must be an object' })
    .optional()
    .openapi({ description: 'With choose "fields": the values to count, by member name or by field.' }),
  notes: text.optional(),
});

const resolve = route({
  method: 'post',
  path: '/api/v1/conflicts/{id}/resolve',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Settle a conflict',
  description:
    'An edit like any other, which every appliance gets. Contested fields that are not named stay as they won.',
  params: byConflict,
  body: {
    schema: resolveBody,
    example: { choose: 'loser', notes: 'The supplier says so.' },
    read: (json) => readBy(resolveBody, json),
  },
  answers: { 200: { description: 'The conflict, settled.', schema: shown } },
  problems: ['malformed', 'not_found', 'conflict_resolved', 'conflict_of_facts', 'field_not_contested'],
  run: async ({ params, body, credential, execute }, room) => {
    const { observe } = room.appliance;
    const conflict = observe.conflict(params.id);
    if (!conflict) return unknownConflict(params.id);
    const fields = readFields(conflict.entity, body.fields as JsonObject | undefined);
    if (!fields.ok) return fields;
    const request = { conflict, choose: body.choose, fields: fields.value, notes: body.notes, by: credential.id };
    const outcome = await execute(resolveConflict(request));
    if (!outcome.ok) return outcome;
    return { status: 200, json: conflictDocument(room.appliance.books, observe.conflict(params.id) ?? conflict) };
  },
});

const schemaByEntity: Readonly<Record<string, typeof books.product | typeof books.customer>> = {
  product: books.product,
  customer: books.customer,
};

/** Values by member ({"name": …}) or by field ({"/attributes/colour": …}), checked as a patch of the record would be. */
function readFields(entity: string, fields: JsonObject | undefined): Reading<JsonObject | undefined> {
  const schema = schemaByEntity[entity];
  if (!fields || !schema) return { ok: true, value: undefined };
  const byField: JsonObject = {};
  const byMember: JsonObject = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith('/') || name === 'deleted') byField[name] = value;
    else byMember[name] = value;
  }
  Object.assign(byField, documentToFields(byMember));
  const { deleted, ...values } = byField;
  if (deleted !== undefined && typeof deleted !== 'boolean') {
    return failure('malformed', '/fields/deleted: must be true or false.', {
      errors: [{ pointer: '/fields/deleted', detail: 'must be true or false' }],
    });
  }
  const reading = readRecord(withoutEmptyAttributes(fieldsToDocument(values)), schema);
  return reading.ok ? { ok: true, value: byField } : reading;
}

const withoutEmptyAttributes = ({ attributes, ...document }: JsonObject): Json =>
  isJsonObject(attributes) && Object.keys(attributes).length > 0 ? { ...document, attributes } : document;

export const conflictRoutes: readonly Route[] = [list, read, resolve];
