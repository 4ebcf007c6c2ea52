// What the parts of the mesh share.

import type { Ports } from '../ports.ts';
import type { Storage } from '../storage/storage.ts';
import type { Alarms } from './alarms.ts';
import type { Dialer } from './dialer.ts';
import type { Link } from './link.ts';
import type { MeshConfig, SnapshotProgress } from './mesh.ts';
import type { PeerBook } from './peer-book.ts';
import type { Candidates } from './trust/candidates.ts';
import type { JoinCodes } from './trust/join-codes.ts';
import type { Members } from './trust/members.ts';
import type { Wish } from './trust/wish.ts';

export type MeshParts = {
  readonly ports: Ports;
  readonly storage: Storage;
  readonly config: MeshConfig;
  /** Of this process, 26 characters: an appliance and its copy have two. */
  readonly instance: string;
  readonly peers: PeerBook;
  readonly members: Members;
  readonly candidates: Candidates;
  readonly codes: JoinCodes;
  readonly wish: Wish;
  readonly dialer: Dialer;
  readonly alarms: Alarms;
  /** Open links by replica id. */
  readonly links: Map<string, Link>;
  /** Links that have not greeted yet. */
  strangers(): Iterable<Link>;
  isEnabled(): boolean;
  replan(): void;
  closePeer(id: string, reason: string): void;
  snapshotProgress(link: Link): SnapshotProgress | null;
};
