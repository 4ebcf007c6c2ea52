// The mesh as people and tools see it: status, counters, peers, and the few things that can be asked of it.

import { z } from '@hono/zod-openapi';
import type { SyncRow } from '../../../core/books.ts';
import type { PeerStatus } from '../../../mesh/mesh.ts';
import { readBy } from '../reading.ts';
import { type Answer, type Route, route } from '../route.ts';
import * as requests from '../schemas/requests.ts';
import { text } from '../schemas/values.ts';
import { timeText } from '../times.ts';

const moment = z.string().nullable().openapi({ format: 'date-time' });

const peer = z
  .object({
    id: z.string().nullable().openapi({ description: 'Null while the address has not shown who is there.' }),
    name: z.string().nullable(),
    address: z.string().nullable(),
    state: z.enum(['connecting', 'connected', 'syncing', 'disconnected', 'reconnecting', 'offline']),
    trust: z.enum(['pending', 'trusted', 'revoked']),
    lastSeen: moment,
    lastSync: moment,
    pending: z.int().openapi({ description: 'What we hold and the peer has not acknowledged.' }),
    behind: z.int().openapi({ description: 'What the peer holds and we do not.' }),
    clockOffsetMs: z.number().nullable(),
    rttMs: z.number().nullable(),
    verifiedEqualAt: moment.openapi({ description: 'When its books were last compared equal with ours.' }),
    lastError: z.string().nullable(),
    version: z.string().nullable(),
  })
  .openapi('Peer');

const status = z
  .object({
    enabled: z.boolean(),
    replicaId: z.string(),
    name: z.string(),
    shop: z.string(),
    port: z.int(),
    meshPort: z.int(),
    connected: z.int(),
    verifiedEqualAt: moment,
    discovery: z.object({ mdns: z.looseObject({}), static: z.int(), remembered: z.int() }),
    peers: z.array(peer),
    alarms: z.array(z.object({ code: z.string(), detail: z.string(), at: moment })),
  })
  .openapi('MeshStatus');

const stats = z
  .object({
    connections: z.array(
      z.object({
        peerId: z.string(),
        peerName: z.string(),
        messagesSent: z.int(),
        messagesReceived: z.int(),
        bytesSent: z.int(),
        bytesReceived: z.int(),
        lastPing: moment,
        lastPong: moment,
        reconnectAttempts: z.int(),
      }),
    ),
    totalMessagesSent: z.int(),
    totalMessagesReceived: z.int(),
    totalBytesSent: z.int(),
    totalBytesReceived: z.int(),
  })
  .openapi('MeshStats');

const syncRow = z
  .object({
    peerId: z.string(),
    peerName: z.string(),
    at: moment,
    itemsReceived: z.int(),
    itemsSent: z.int(),
    conflicts: z.int(),
    durationMs: z.number(),
    bytes: z.int(),
    error: z.string().nullable(),
  })
  .openapi('SyncHistoryItem');

const peerDocument = (row: PeerStatus) => ({
  ...row,
  lastSeen: timeText(row.lastSeen),
  lastSync: timeText(row.lastSync),
  verifiedEqualAt: timeText(row.verifiedEqualAt),
});

const syncDocument = (row: SyncRow) => ({ ...row, at: timeText(row.at) });

const byPeer = z.object({
  id: z
    .string()
    .max(300)
    .openapi({ param: { name: 'id', in: 'path' }, description: 'Replica id, or an address that nobody was seen at.' }),
});

const accepted = (description: string) => ({ 202: { description, schema: z.looseObject({}) } });
const nothing = { schema: z.object({}), example: {}, kind: 'optional' } as const;

const readStatus = route({
  method: 'get',
  path: '/api/v1/p2p/status',
  access: 'terminal',
  tag: 'Mesh',
  summary: 'How the appliance and its peers stand',
  answers: { 200: { description: 'As of now.', schema: status } },
  run: (_call, { appliance }) => {
    const { peers, alarms, verifiedEqualAt, ...rest } = appliance.mesh.status();
    const json = {
      ...rest,
      verifiedEqualAt: timeText(verifiedEqualAt),
      peers: peers.map(peerDocument),
      alarms: alarms.map((alarm) => ({ ...alarm, at: timeText(alarm.at) })),
    };
    return { status: 200, json };
  },
});

const readStats = route({
  method: 'get',
  path: '/api/v1/p2p/stats',
  access: 'terminal',
  tag: 'Mesh',
  summary: 'Counters of the links',
  answers: { 200: { description: 'As of now.', schema: stats } },
  run: (_call, { appliance }) => {
    const { connections, ...totals } = appliance.mesh.stats();
    const shown = connections.map((link) => ({
      ...link,
      lastPing: timeText(link.lastPing),
      lastPong: timeText(link.lastPong),
    }));
    return { status: 200, json: { connections: shown, ...totals } };
  },
});

const reconnect = route({
  method: 'post',
  path: '/api/v1/p2p/reconnect',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Dial every peer that is not linked, now',
  body: { ...nothing, read: (json) => readBy(z.looseObject({}), json) },
  answers: accepted('Dialing.'),
  run: (_call, { appliance }): Answer => {
    appliance.mesh.reconnect();
    return { status: 202, json: {} };
  },
});

const toggleBody = z.object({ enabled: z.boolean({ error: 'must be true or false' }) });
const toggle = route({
  method: 'post',
  path: '/api/v1/p2p/toggle',
  access: 'admin',
  tag: 'Mesh',
  summary: 'Turn the mesh on or off',
  description: 'Kept over a restart.',
  body: { schema: toggleBody, example: { enabled: true }, read: (json) => readBy(toggleBody, json) },
  answers: { 200: { description: 'As it is now.', schema: toggleBody } },
  problems: ['malformed'],
  run: ({ body }, { appliance }): Answer => {
    appliance.mesh.toggle(body.enabled);
    return { status: 200, json: { enabled: appliance.mesh.status().enabled } };
  },
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
  problems: ['malformed', 'not_found'],
  run: ({ params, body }, { appliance }) => {
    const outcome = appliance.mesh.changePeer(params.id, body);
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

const history = route({
  method: 'get',
  path: '/api/v1/sync/history',
  access: 'admin',
  tag: 'Mesh',
  summary: 'What was exchanged with whom',
  query: z.object({ peer: z.string().optional(), limit: requests.limit }),
  answers: { 200: { description: 'The latest first.', schema: requests.listOf(syncRow) } },
  problems: ['query_malformed'],
  run: ({ query }, { appliance }) => ({
    status: 200,
    json: {
      data: appliance.observe.history({ peerId: query.peer, limit: query.limit }).map(syncDocument),
      next: null,
    },
  }),
});

export const meshRoutes: readonly Route[] = [
  readStatus,
  readStats,
  reconnect,
  toggle,
  listPeers,
  addPeer,
  changePeer,
  removePeer,
  syncPeer,
  history,
];
