// How appliances come to be of one shop: codes to give out, the wish to join another, the shop key, a key of one's own.

import { z } from '@hono/zod-openapi';
import type { Outcome } from '../../../core/command.ts';
import type { JoinAnswer } from '../../../mesh/mesh.ts';
import { readBy } from '../reading.ts';
import { type Answer, type Route, route } from '../route.ts';
import { timeText } from '../times.ts';

const nothing = { schema: z.object({}), example: {}, kind: 'optional' } as const;

const makeCode = route({
  method: 'post',
  path: '/api/v1/join-codes',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Make a code that lets one appliance in',
  description:
    'For a quarter of an hour, once, and for five wrong attempts at most. `longCode` is the same invitation, for a machine to read from a picture.',
  body: { ...nothing, read: (json) => readBy(z.looseObject({}), json) },
  answers: {
    201: {
      description: 'Shown in this answer and never again.',
      schema: z.object({ code: z.string(), longCode: z.string(), expiresAt: z.iso.datetime() }),
    },
  },
  run: (_call, { appliance }): Answer => {
    const { code, longCode, expiresAt } = appliance.mesh.makeJoinCode();
    return { status: 201, json: { code, longCode, expiresAt: timeText(expiresAt) } };
  },
});

const joinBody = z.object({
  code: z.string({ error: 'must be a text' }).max(100).optional(),
  peer: z.string({ error: 'must be a text: HOST:PORT, or the id of a peer' }).max(300).optional(),
  bringBooks: z.boolean({ error: 'must be true or false' }).default(false),
});
const join = route({
  method: 'post',
  path: '/api/v1/join',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Join the shop of another appliance',
  description:
    'With a code: shown to `peer`, or to all that are seen; answered within some 20 seconds. Without one: `peer` (its id) is asked, and somebody there must approve this appliance. Books of its own are brought along when `bringBooks` says so; the appliance is back under the same address after a moment.',
  body: { schema: joinBody, example: { code: '4F7K-2M9P-QR3T-8XVA' }, read: (json) => readBy(joinBody, json) },
  answers: {
    200: {
      description: 'Let in: the books of that shop are on their way.',
      schema: z.object({ state: z.literal('joined'), shop: z.string(), host: z.string(), hostName: z.string() }),
    },
    202: {
      description: 'Asked: compare the words on both pages, and approve this appliance there.',
      schema: z.object({ state: z.literal('asked'), peer: z.string(), words: z.string().nullable() }),
    },
  },
  problems: [
    'malformed',
    'has_own_books',
    'code_malformed',
    'address_malformed',
    'code_not_known',
    'nobody_found',
    'peer_not_seen',
    'peer_revoked',
    'join_replaced',
    'join_overtaken',
    'of_that_shop',
  ],
  run: async ({ body }, { appliance }) => {
    const outcome = await new Promise<Outcome<JoinAnswer>>((resolve) => appliance.mesh.join(body, resolve));
    if (!outcome.ok) return outcome;
    const { result } = outcome;
    if (result.state === 'asked') return { status: 202, json: result };
    const { shop, host, hostName } = result.welcome;
    return { status: 200, json: { state: 'joined', shop, host, hostName } };
  },
});

const cancelJoin = route({
  method: 'delete',
  path: '/api/v1/join',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Take the wish to join back',
  answers: { 204: { description: 'Nobody is asked any more.' } },
  run: (_call, { appliance }): Answer => {
    appliance.mesh.cancelJoin();
    return { status: 204 };
  },
});

const shopKey = z.object({
  state: z
    .enum(['configured', 'rotated', 'none'])
    .openapi({ description: 'none: whoever was shut out may know it, so it lets nobody in; make a new one.' }),
  key: z.string().nullable().openapi({ description: 'Of a rotated one; a configured one is known to whoever set it.' }),
});

const readShopKey = route({
  method: 'get',
  path: '/api/v1/shop-key',
  access: 'admin',
  tag: 'Mesh',
  summary: 'The key that lets appliances in unattended',
  description: 'For TILLMESH_SHOP_KEY of appliances that are set up from now on. Those that are in need none.',
  answers: { 200: { description: 'As of now.', schema: shopKey } },
  run: (_call, { appliance }): Answer => ({ status: 200, json: shopKeyDocument(appliance.mesh.shopKey()) }),
});

const rotateShopKey = route({
  method: 'post',
  path: '/api/v1/shop-key',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Make a new shop key',
  description: 'The one before lets nobody in any more. Done by itself when an appliance is shut out.',
  body: { ...nothing, read: (json) => readBy(z.looseObject({}), json) },
  answers: { 201: { description: 'The new one.', schema: shopKey } },
  problems: ['storage_unavailable'],
  run: ({ credential }, { appliance }) => {
    const outcome = appliance.mesh.rotateShopKey(credential.id);
    return outcome.ok ? { status: 201, json: shopKeyDocument(outcome.result) } : outcome;
  },
});

type ShopKey = { kind: 'configured' | 'rotated' | 'none'; key?: string };
const shopKeyDocument = ({ kind, key = undefined }: ShopKey) => ({ state: kind, key: key ?? null });

const renewIdentity = route({
  method: 'post',
  path: '/api/v1/identity/renew',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Give this appliance a key of its own',
  description:
    'For a copy of an appliance that runs on beside it: it becomes another of the same shop, books and all, and is back under the same address after a moment.',
  body: { ...nothing, read: (json) => readBy(z.looseObject({}), json) },
  answers: { 202: { description: 'It will be this one.', schema: z.object({ replicaId: z.string() }) } },
  problems: ['storage_unavailable'],
  run: ({ credential }, room) => {
    const outcome = room.renewIdentity(credential.id);
    return outcome.ok ? { status: 202, json: outcome.result } : outcome;
  },
});

export const joiningRoutes: readonly Route[] = [makeCode, join, cancelJoin, readShopKey, rotateShopKey, renewIdentity];
