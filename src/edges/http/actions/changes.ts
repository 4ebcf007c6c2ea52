// The feed over HTTP: pages of changes by cursor, and waiting for the next one. Who waits is only woken; what is read is
// read from the feed, so nothing is missed between two requests.

import { z } from '@hono/zod-openapi';
import { rowsReadFirst } from '../../../core/limits.ts';
import type { FeedEntity } from '../../../feed/feed.ts';
import { feedAnswer } from '../lists.ts';
import { type Route, route } from '../route.ts';
import * as requests from '../schemas/requests.ts';

const entityNames = ['product', 'customer', 'ticket', 'movement', 'stock'] as const satisfies FeedEntity[];
const entitiesRule = `must name some of ${entityNames.join(', ')}, with commas`;

const entities = z
  .string()
  .transform((value, context) => {
    const names = value.split(',').map((name) => name.trim());
    const known = entityNames.filter((name) => names.includes(name));
    if (names.length <= entityNames.length && names.every((name) => known.some((entity) => entity === name)))
      return known;
    context.addIssue({ code: 'custom', message: entitiesRule });
    return z.NEVER;
  })
  .optional()
  .openapi({ type: 'string', description: `Only these; ${entitiesRule}.`, example: 'product,stock' });

const change = z
  .object({
    cursor: z.string(),
    entity: z.enum(entityNames),
    id: z.string(),
    kind: z.enum(['updated', 'deleted']),
    record: z.looseObject({}).nullable().openapi({ description: 'As it is now; null when it was deleted.' }),
  })
  .openapi('Change');

const changes = route({
  method: 'get',
  path: '/api/v1/changes',
  access: 'read',
  tag: 'Books',
  summary: 'Follow what changes',
  description:
    'In the order in which it was committed here. Go on with `next`, which is always there; an empty page means: nothing yet, or nothing of these entities on this stretch.',
  query: z.object({ limit: requests.limit, after: requests.after, wait: requests.wait, entities }),
  answers: {
    200: {
      description: 'Changes, each record as it is now.',
      schema: z.object({ data: z.array(change), next: z.string() }),
    },
  },
  problems: ['query_malformed', 'cursor_malformed', 'cursor_of_another_shop', 'resync', 'too_many_waiting'],
  run: ({ query, request, refusalNow }, room) => {
    const { feed } = room.appliance;
    const wanted = { after: query.after, limit: query.limit, entities: query.entities };
    const first = feed.read({ ...wanted, limit: Math.min(query.limit, rowsReadFirst) });
    if (!first.ok) return first;
    const waitMs = (query.wait ?? 0) * 1000;
    if (first.changes.length > 0 || !first.atEnd || waitMs === 0) return feedAnswer(feed.read, wanted, first);
    return room.waiters
      .next({ ...wanted, after: first.next, limit: Math.min(query.limit, rowsReadFirst) }, waitMs, {
        gone: request.signal,
        refusalNow,
      })
      .then((page) => (page.ok ? feedAnswer(feed.read, wanted, page) : page));
  },
});

const digest = route({
  method: 'get',
  path: '/api/v1/digest',
  access: 'read',
  tag: 'Books',
  summary: 'Digests of the books',
  description: 'Equal on two appliances exactly when the books are.',
  answers: {
    200: {
      description: 'Heads by origin, and the SHA-256 of each part.',
      schema: z.object({
        heads: z.record(z.string(), z.int()),
        products: z.string(),
        customers: z.string(),
        tickets: z.string(),
        movements: z.string(),
        stock: z.string(),
      }),
    },
  },
  run: (_call, { appliance: { books } }) => ({ status: 200, json: { heads: books.heads(), ...books.digests() } }),
});

export const changeRoutes: readonly Route[] = [changes, digest];
