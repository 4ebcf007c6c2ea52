// Products and customers: the same routes for both. Every answer about one record carries its ETag.

import { deleteRecord } from '../../../commands/delete-record.ts';
import { patchRecord } from '../../../commands/patch-record.ts';
import { type PutRecord, putRecord } from '../../../commands/put-record.ts';
import { isFailure, livingRecord, type RecordAnswer } from '../../../commands/record-edit.ts';
import type { RecordRow } from '../../../core/books.ts';
import type { Failure, Outcome } from '../../../core/command.ts';
import { gtinOf } from '../../../core/gtin.ts';
import type { Json } from '../../../core/json.ts';
import { runBatch } from '../batch.ts';
import { etagOf, isHeldBy, preconditionOf } from '../conditions.ts';
import { recordDocument } from '../documents.ts';
import { keyedIds } from '../ids.ts';
import { listAnswer } from '../lists.ts';
import { readItems, readRecord } from '../reading.ts';
import { type Answer, agreedId, type Execute, type Route, route } from '../route.ts';
import { customers, products, type RecordKind } from '../schemas/record-kinds.ts';
import * as requests from '../schemas/requests.ts';

/** What the queries of both kinds come to. */
type ListQuery = {
  limit: number;
  after?: string;
  q?: string;
  barcode?: string;
  sku?: string;
  archived?: boolean;
};

const recordAnswer = ({ row }: { row: RecordRow }, status: number, headers: Record<string, string> = {}): Answer => ({
  status,
  json: recordDocument(row),
  headers: { ETag: etagOf(row.version), ...headers },
});

const writtenAnswer = ({ list }: RecordKind, outcome: Outcome<RecordAnswer>): Answer | Failure => {
  if (!outcome.ok) return outcome;
  if (outcome.result.outcome !== 'created') return recordAnswer(outcome.result, 200);
  return recordAnswer(outcome.result, 201, { Location: `/api/v1/${list}/${outcome.result.row.id}` });
};

/** On what terms a record may be written: the versions named, and one id. */
function termsOf({ headers }: Request, id: string, sentId: string | undefined): ReturnType<typeof preconditionOf> {
  const condition = preconditionOf(headers);
  return condition.ok ? (agreedId(id, sentId) ?? condition) : condition;
}

const listRoute = (kind: RecordKind): Route =>
  route({
    method: 'get',
    path: `/api/v1/${kind.list}`,
    access: 'read',
    tag: 'Books',
    summary: `List ${kind.list}`,
    query: kind.query,
    answers: { 200: { description: 'A page, by id.', schema: requests.listOf(kind.shown) } },
    problems: ['query_malformed', 'cursor_malformed', 'cursor_of_another_list', 'cursor_of_another_shop'],
    run: ({ query }, room) => {
      const { q: search, barcode, sku, archived, ...page } = query as ListQuery;
      const gtin = barcode === undefined ? undefined : gtinOf(barcode);
      const { books: rows } = room.appliance;
      return listAnswer(
        room,
        kind.list,
        page,
        (place) => rows.records(kind.entity, { ...place, search, sku, gtin, archived }),
        recordDocument,
      );
    },
  });

const readRoute = (kind: RecordKind): Route =>
  route({
    method: 'get',
    path: `/api/v1/${kind.list}/{id}`,
    access: 'read',
    tag: 'Books',
    summary: `Read a ${kind.entity}`,
    params: requests.byId,
    headers: ['If-None-Match'],
    answers: {
      200: { description: 'The record.', schema: kind.shown },
      304: { description: 'You hold this version already.' },
    },
    problems: ['id_malformed', 'not_found', 'record_deleted'],
    run: ({ params, request }, { appliance }) => {
      const row = livingRecord(appliance.books, kind.entity, params.id);
      if (isFailure(row)) return row;
      if (isHeldBy(request.headers, row.version)) return { status: 304, headers: { ETag: etagOf(row.version) } };
      return recordAnswer({ row }, 200);
    },
  });

const createRoute = (kind: RecordKind): Route =>
  route({
    method: 'post',
    path: `/api/v1/${kind.list}`,
    access: 'terminal',
    tag: 'Books',
    summary: `Create a ${kind.entity}`,
    description: 'Again with the same content: 200. Another content under an id that is there: 409.',
    headers: ['Idempotency-Key'],
    body: { schema: kind.schema, example: kind.example, read: (json) => readRecord(json, kind.schema) },
    answers: {
      201: { description: 'Created.', schema: kind.shown },
      200: { description: 'It was there already, just so.', schema: kind.shown },
    },
    problems: ['malformed', 'record_exists', 'record_deleted', 'too_many_members'],
    run: async ({ body, credential, request, path, execute }) => {
      const ids = keyedIds(request.headers, credential, path);
      if (!ids.ok) return ids;
      const put: PutRecord = {
        entity: kind.entity,
        id: body.id ?? ids.of(0),
        document: body.body,
        by: credential.id,
        mode: 'create',
      };
      return writtenAnswer(kind, await execute(putRecord(put)));
    },
  });

const replaceRoute = (kind: RecordKind): Route =>
  route({
    method: 'put',
    path: `/api/v1/${kind.list}/{id}`,
    access: 'terminal',
    tag: 'Books',
    summary: `Create or replace a ${kind.entity}`,
    description: 'Members that are not sent are taken away.',
    params: requests.byId,
    headers: ['If-Match', 'If-None-Match'],
    body: { schema: kind.schema, example: kind.example, read: (json) => readRecord(json, kind.schema) },
    answers: {
      201: { description: 'Created.', schema: kind.shown },
      200: { description: 'Replaced, or so already.', schema: kind.shown },
    },
    problems: ['malformed', 'id_malformed', 'id_differs', 'version_differs', 'version_exists', 'too_many_members'],
    run: async ({ params, body, credential, request, execute }) => {
      const terms = termsOf(request, params.id, body.id);
      if (!terms.ok) return terms;
      const { precondition } = terms;
      const { id } = params;
      const put: PutRecord = {
        entity: kind.entity,
        id,
        document: body.body,
        by: credential.id,
        mode: 'put',
        precondition,
      };
      return writtenAnswer(kind, await execute(putRecord(put)));
    },
  });

const patchRoute = (kind: RecordKind): Route =>
  route({
    method: 'patch',
    path: `/api/v1/${kind.list}/{id}`,
    access: 'terminal',
    tag: 'Books',
    summary: `Change members of a ${kind.entity}`,
    description: 'JSON Merge Patch (RFC 7396): null takes a member away; attributes merge one by one.',
    params: requests.byId,
    headers: ['If-Match'],
    body: {
      schema: kind.schema,
      example: { name: 'Coffee, large' },
      read: (json) => readRecord(json, kind.schema),
      kind: 'mergePatch',
    },
    answers: { 200: { description: 'As it is now.', schema: kind.shown } },
    problems: [
      'malformed',
      'id_malformed',
      'id_differs',
      'not_found',
      'record_deleted',
      'version_differs',
      'too_many_members',
    ],
    run: async ({ params, body, credential, request, execute }) => {
      const terms = termsOf(request, params.id, body.id);
      if (!terms.ok) return terms;
      const { precondition } = terms;
      const patch = { entity: kind.entity, id: params.id, patch: body.body, by: credential.id, precondition };
      return writtenAnswer(kind, await execute(patchRecord(patch)));
    },
  });

const deleteRoute = (kind: RecordKind): Route =>
  route({
    method: 'delete',
    path: `/api/v1/${kind.list}/{id}`,
    access: 'terminal',
    tag: 'Books',
    summary: `Delete a ${kind.entity}`,
    description: 'It leaves the lists; a PUT brings it back.',
    params: requests.byId,
    headers: ['If-Match'],
    answers: { 204: { description: 'Deleted.' } },
    problems: ['id_malformed', 'not_found', 'record_deleted', 'version_differs'],
    run: async ({ params, credential, request, execute }) => {
      const condition = preconditionOf(request.headers);
      if (!condition.ok) return condition;
      const { precondition } = condition;
      const outcome = await execute(
        deleteRecord({ entity: kind.entity, id: params.id, by: credential.id, precondition }),
      );
      return outcome.ok ? { status: 204 } : outcome;
    },
  });

const batchRoute = (kind: RecordKind): Route =>
  route({
    method: 'post',
    path: `/api/v1/${kind.list}/batch`,
    access: 'terminal',
    tag: 'Books',
    summary: `Create or replace many ${kind.list}`,
    description: 'Each item stands for itself, as a PUT of its own; the answer says what became of each.',
    headers: ['Idempotency-Key'],
    body: {
      schema: requests.batchOf(kind.schema),
      example: { items: [kind.example] },
      read: readItems,
      kind: 'batch',
    },
    answers: { 200: { description: 'A result for each item, in their order.', schema: requests.batchAnswer } },
    problems: ['malformed'],
    run: ({ body, credential, request, path, execute }) => {
      const ids = keyedIds(request.headers, credential, path);
      if (!ids.ok) return ids;
      return runBatch(body, (item, index) => putItem(kind, execute, item, ids.of(index), credential.id));
    },
  });

function putItem(kind: RecordKind, execute: Execute, item: Json, keyedId: string | undefined, by: string) {
  const reading = readRecord(item, kind.schema);
  if (!reading.ok) return reading;
  const { id = keyedId, body } = reading.value;
  return execute(putRecord({ entity: kind.entity, id, document: body, by, mode: 'put' })).then((outcome) => {
    if (!outcome.ok) return outcome;
    const { row, outcome: became } = outcome.result;
    const result = { status: became === 'created' ? 201 : 200, id: row.id, version: row.version };
    return { ok: true, result } as const;
  });
}

const routesOf = (kind: RecordKind): Route[] => [
  listRoute(kind),
  createRoute(kind),
  batchRoute(kind),
  readRoute(kind),
  replaceRoute(kind),
  patchRoute(kind),
  deleteRoute(kind),
];

export const recordRoutes: readonly Route[] = [...routesOf(products), ...routesOf(customers)];
