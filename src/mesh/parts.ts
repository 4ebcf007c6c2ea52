// What the parts of the mesh share.

import type { Ports } from '../ports.ts';
import type { Storage } from '../storage/storage.ts';
import type { Alarms } from './alarms.ts';
import type { Dialer } from './dialer.ts';
import type { Link } from './link.ts';
import type { PeerBook } from './peer-book.ts';

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

export type MeshParts = {
  readonly ports: Ports;
  readonly storage: Storage;
  readonly config: MeshConfig;
  readonly peers: PeerBook;
  readonly dialer: Dialer;
  readonly alarms: Alarms;
  /** Open links by replica id. */
  readonly links: Map<string, Link>;
  isEnabled(): boolean;
  replan(): void;
  closePeer(id: string, reason: string): void;
};
