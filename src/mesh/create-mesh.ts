// Being written: until it is whole, an appliance stands alone.

import { failure } from '../core/command.ts';
import type { Connection, Ports } from '../ports.ts';
import type { Storage } from '../storage/storage.ts';
import type { Mesh } from './mesh.ts';

export type MeshConfig = {
  replicaId: string;
  shop: string;
  shopKey: Uint8Array | null;
  name: string;
  version: string;
  staticPeers: readonly string[];
  port: number;
  meshPort: number;
};

export type RunningMesh = Mesh & { start(): void; stop(): void; wake(): void; accept(connection: Connection): void };

export function createMesh(_ports: Ports, storage: Storage, config: MeshConfig): RunningMesh {
  const alone = failure('not_found', 'There is no such peer.');
  return {
    start() {},
    stop() {},
    wake() {},
    accept: (connection) => connection.close('not yet'),
    status: () => ({
      enabled: true,
      replicaId: config.replicaId,
      name: config.name,
      shop: config.shop,
      port: config.port,
      meshPort: config.meshPort,
      connected: 0,
      verifiedEqualAt: null,
      discovery: { mdns: { enabled: false }, static: 0, remembered: 0 },
      peers: [],
      alarms: [],
    }),
    stats: () => ({
      connections: [],
      totalMessagesSent: 0,
      totalMessagesReceived: 0,
      totalBytesSent: 0,
      totalBytesReceived: 0,
    }),
    toggle() {},
    reconnect() {},
    peers: () => [],
    addPeer: () => alone,
    changePeer: () => alone,
    removePeer: () => alone,
    sync: () => alone,
    history: () => [],
    conflicts: () => ({ rows: [], next: null }),
    conflict: () => undefined,
    gossip: {
      info: () => ({
        id: config.replicaId,
        name: config.name,
        shop: config.shop,
        version: config.version,
        protocol: { min: 1, max: 1 },
        heads: storage.books.heads(),
        counts: storage.books.counts(),
      }),
      changes: () => alone,
      apply: () => ({ results: [] }),
      sync: () => ({ asked: 0 }),
    },
  };
}
