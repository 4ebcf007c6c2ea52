// The mesh as people and tools see it: status, counters, history, and the few things that can be asked of it.

import { z } from '@hono/zod-openapi';
import type { SyncRow } from '../../../core/books.ts';
import { readBy } from '../reading.ts';
import { type Answer, type Route, route } from '../route.ts';
import { meshStats, meshStatus, peerDocument, syncRow } from '../schemas/mesh.ts';
import * as requests from '../schemas/requests.ts';
import { timeText } from '../times.ts';

const syncDocument = (row: SyncRow) => ({ ...row, at: timeText(row.at) });

const accepted = (description: string) => ({ 202: { description, schema: z.looseObject({}) } });
const nothing = { schema: z.object({}), example: {}, kind: 'optional' } as const;

const readStatus = route({
  method: 'get',
  path: '/api/v1/p2p/status',
  access: 'read',
  tag: 'Mesh',
  summary: 'How the appliance and its peers stand',
  answers: { 200: { description: 'As of now.', schema: meshStatus } },
  run: (_call, { appliance }) => {
    const { peers, alarms, verifiedEqualAt, discovery, ...rest } = appliance.mesh.status();
    const { mdns, ...counts } = discovery;
    const json = {
      ...rest,
      discovery: { mdns: { ...mdns, lastHeardAt: timeText(mdns.lastHeardAt) }, ...counts },
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
  access: 'read',
  tag: 'Mesh',
  summary: 'Counters of the links',
  answers: { 200: { description: 'As of now.', schema: meshStats } },
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

export const meshRoutes: readonly Route[] = [readStatus, readStats, reconnect, toggle, history];
