// What the mesh answers, for the document: how peers, links and syncs are shown.

import { z } from '@hono/zod-openapi';
import type { PeerStatus } from '../../../mesh/mesh.ts';
import { timeText } from '../times.ts';

export const moment = z.string().nullable().openapi({ format: 'date-time' });

export const peer = z
  .object({
    id: z.string().nullable().openapi({ description: 'Null while the address has not shown who is there.' }),
    words: z.string().nullable().openapi({ description: 'Its key as six words, to compare with its own page.' }),
    name: z.string().nullable(),
    address: z.string().nullable(),
    state: z.enum(['connecting', 'connected', 'syncing', 'disconnected', 'reconnecting', 'offline']),
    trust: z.enum(['pending', 'trusted', 'revoked']),
    asks: z.boolean().openapi({ description: 'It asks to be let in.' }),
    lastSeen: moment,
    lastSync: moment,
    pending: z.int().openapi({ description: 'What we hold and the peer has not acknowledged.' }),
    behind: z.int().openapi({ description: 'What the peer holds and we do not.' }),
    clockOffsetMs: z.number().nullable(),
    rttMs: z.number().nullable(),
    verifiedEqualAt: moment.openapi({ description: 'When its books were last compared equal with ours.' }),
    lastError: z.string().nullable(),
    version: z.string().nullable(),
    snapshot: z
      .object({
        direction: z.enum(['receiving', 'sending']),
        step: z.enum(['making', 'moving', 'checking']),
        chunks: z.int(),
        chunksDone: z.int(),
        bytes: z.int(),
        bytesDone: z.int(),
      })
      .nullable()
      .openapi({ description: 'The books on their way as a file, to or from a newcomer.' }),
  })
  .openapi('Peer');

export const meshStatus = z
  .object({
    enabled: z.boolean(),
    replicaId: z.string(),
    words: z.string().nullable().openapi({ description: 'Its key as six words, to compare on another page.' }),
    name: z.string(),
    shop: z.string(),
    port: z.int(),
    meshPort: z.int(),
    asked: z.string().nullable().openapi({ description: 'Id of the appliance that was asked to let this one in.' }),
    connected: z.int(),
    verifiedEqualAt: moment,
    discovery: z.object({
      mdns: z.looseObject({
        enabled: z.boolean(),
        interfaces: z.array(z.object({ name: z.string(), address: z.string() })),
        lastHeardAt: moment,
        packetsHeard: z.int(),
        packetsDropped: z.int(),
        sent: z.int(),
        lastError: z.string().nullable(),
        seen: z.int(),
        silent: z.string().nullable().openapi({ description: 'Why nothing is heard though peers are there.' }),
      }),
      static: z.int(),
      remembered: z.int(),
      told: z.int(),
      seen: z.int(),
    }),
    peers: z.array(peer),
    alarms: z.array(z.object({ code: z.string(), detail: z.string(), at: moment })),
  })
  .openapi('MeshStatus');

export const meshStats = z
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

export const syncRow = z
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

export const peerDocument = (row: PeerStatus) => ({
  ...row,
  lastSeen: timeText(row.lastSeen),
  lastSync: timeText(row.lastSync),
  verifiedEqualAt: timeText(row.verifiedEqualAt),
});
