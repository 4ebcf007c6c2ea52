// The exchange between appliances by plain HTTP, for tools. What it carries holds all books and the hashes of tokens:
// an admin's only, but for the card of who we are.

import { z } from '@hono/zod-openapi';
import { batchItemsMax } from '../../../core/limits.ts';
import type { GossipCommit } from '../../../mesh/mesh.ts';
import { readBy } from '../reading.ts';
import { type Route, route } from '../route.ts';
import * as requests from '../schemas/requests.ts';

const info = z
  .object({
    id: z.string(),
    name: z.string(),
    shop: z.string(),
    version: z.string(),
    protocol: z.object({ min: z.int(), max: z.int() }),
    heads: z.record(z.string(), z.int()),
    counts: z.object({ products: z.int(), customers: z.int(), tickets: z.int(), movements: z.int() }),
  })
  .openapi('GossipInfo');

const commit = z
  .object({
    origin: z.string().max(100),
    publicKey: z.string().max(200).openapi({ description: 'Base64.' }),
    commit: z.string().openapi({ description: 'The sealed commit, base64.' }),
    entities: z.array(z.string().max(64)).max(1000).default([]),
    last: z.int().default(0),
  })
  .openapi('GossipCommit') satisfies z.ZodType<GossipCommit, unknown>;

const readInfo = route({
  method: 'get',
  path: '/api/v1/gossip/info',
  access: 'read',
  tag: 'Mesh',
  summary: 'Who this appliance is and what it holds',
  answers: { 200: { description: 'Cheap to ask.', schema: info } },
  run: (_call, { appliance }) => ({ status: 200, json: appliance.mesh.gossip.info() }),
});

const changes = route({
  method: 'get',
  path: '/api/v1/gossip/items/changes',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Sealed commits since a cursor',
  query: z.object({
    since: z
      .string()
      .max(100_000)
      .optional()
      .openapi({ description: '`next` of an earlier answer, or a time; nothing is ever skipped.' }),
    limit: requests.limit,
  }),
  answers: {
    200: {
      description: 'Commits in the order in which they can be applied.',
      schema: z.object({ commits: z.array(commit), next: z.string() }),
    },
  },
  problems: ['query_malformed', 'cursor_malformed', 'cursor_of_another_shop'],
  run: ({ query }, { appliance }) => {
    const outcome = appliance.mesh.gossip.changes(query.since, query.limit);
    return outcome.ok ? { status: 200, json: outcome.result } : outcome;
  },
});

const batchBody = z.object({ commits: z.array(commit, { error: 'must be a list of commits' }).max(batchItemsMax) });
const batch = route({
  method: 'post',
  path: '/api/v1/gossip/items/batch',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Bring sealed commits',
  description: 'Each is verified by its seal and stands for itself; what is held already is passed over.',
  body: {
    schema: batchBody,
    example: { commits: [] },
    read: (json) => readBy(batchBody, json),
    kind: 'batch',
  },
  answers: {
    200: {
      description: 'A result for each commit, in their order.',
      schema: z.object({
        results: z.array(
          z.union([
            z.object({ ok: z.literal(true), applied: z.int() }),
            z.object({ ok: z.literal(false), code: z.string(), detail: z.string() }),
          ]),
        ),
      }),
    },
  },
  problems: ['malformed'],
  run: ({ body }, { appliance }) => ({ status: 200, json: appliance.mesh.gossip.apply(body.commits) }),
});

const sync = route({
  method: 'post',
  path: '/api/v1/gossip/sync',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Ask every linked peer for what we lack',
  body: { schema: z.object({}), example: {}, kind: 'optional', read: (json) => readBy(z.looseObject({}), json) },
  answers: { 202: { description: 'Asked.', schema: z.object({ asked: z.int() }) } },
  run: (_call, { appliance }) => ({ status: 202, json: appliance.mesh.gossip.sync() }),
});

export const gossipRoutes: readonly Route[] = [readInfo, changes, batch, sync];
