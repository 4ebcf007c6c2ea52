// Peers: who is known, who is trusted, and what can be asked of one of them.

import { z } from '@hono/zod-openapi';
import { readBy } from '../reading.ts';
import { type Route, route } from '../route.ts';
import { peer, peerDocument } from '../schemas/mesh.ts';
import * as requests from '../schemas/requests.ts';
import { text } from '../schemas/values.ts';

const byPeer = z.object({
  id: z
    .string()
    .max(300)
    .openapi({ param: { name: 'id', in: 'path' }, description: 'Replica id, or an address that nobody was seen at.' }),
});

const listPeers = route({
  method: 'get',
  path: '/api/v1/peers',
  access: 'admin',
  tag: 'Mesh',
  summary: 'List peers',
  answers: { 200: { description: 'All that are known.', schema: requests.listOf(peer) } },
  run: (_call, { appliance }) => ({
    status: 200,
    json: { data: appliance.mesh.peers().map(peerDocument), next: null },
  }),
});

const addBody = z.object({ address: z.string({ error: 'must be a text: HOST:PORT' }).max(300) });
const addPeer = route({
  method: 'post',
  path: '/api/v1/peers',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Dial an appliance at an address',
  description: 'It is kept and dialed again for ever; what answers there must show that it is of this shop.',
  body: { schema: addBody, example: { address: '192.168.1.20:3031' }, read: (json) => readBy(addBody, json) },
  answers: { 201: { description: 'Kept; dialing.', schema: peer } },
  problems: ['malformed', 'address_malformed', 'address_refused', 'too_many_peers'],
  run: ({ body }, { appliance }) => {
    const outcome = appliance.mesh.addPeer(body.address);
    return outcome.ok ? { status: 201, json: peerDocument(outcome.result) } : outcome;
  },
});

const changeBody = z.object({
  trust: z.enum(['pending', 'trusted', 'revoked'], { error: 'must be pending, trusted or revoked' }).optional(),
  name: text.min(1, { error: 'must not be empty' }).max(100).optional(),
});
const changePeer = route({
  method: 'patch',
  path: '/api/v1/peers/{id}',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Trust or revoke a peer, or name it',
  params: byPeer,
  body: {
    schema: changeBody,
    example: { trust: 'trusted' },
    read: (json) => readBy(changeBody, json),
    kind: 'mergePatch',
  },
  answers: { 200: { description: 'As it is now.', schema: peer } },
  problems: ['malformed', 'not_found', 'trust_not_withdrawn', 'trust_words_used_up', 'storage_unavailable'],
  run: ({ params, body, credential }, { appliance }) => {
    const outcome = appliance.mesh.changePeer(params.id, body, credential.id);
    return outcome.ok ? { status: 200, json: peerDocument(outcome.result) } : outcome;
  },
});

const removePeer = route({
  method: 'delete',
  path: '/api/v1/peers/{id}',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Forget a peer',
  params: byPeer,
  answers: { 204: { description: 'Forgotten; what it wrote stays.' } },
  problems: ['not_found'],
  run: ({ params }, { appliance }) => {
    const outcome = appliance.mesh.removePeer(params.id);
    return outcome.ok ? { status: 204 } : outcome;
  },
});

const syncBody = z.object({ bidirectional: z.boolean({ error: 'must be true or false' }).default(false) });
const syncPeer = route({
  method: 'post',
  path: '/api/v1/peers/{id}/sync',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Sync with a peer now',
  description: 'One at a time, and not again within some seconds: `started` says whether this call started one.',
  params: byPeer,
  body: {
    schema: syncBody,
    example: { bidirectional: true },
    read: (json) => readBy(syncBody, json),
    kind: 'optional',
  },
  answers: { 202: { description: 'Asked.', schema: z.object({ started: z.boolean() }) } },
  problems: ['malformed', 'not_found', 'peer_unreachable'],
  run: ({ params, body }, { appliance }) => {
    const outcome = appliance.mesh.sync(params.id, body.bidirectional);
    return outcome.ok ? { status: 202, json: outcome.result } : outcome;
  },
});

export const peerRoutes: readonly Route[] = [listPeers, addPeer, changePeer, removePeer, syncPeer];
