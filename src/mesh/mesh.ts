// What the mesh shows and can be told: the shapes of the Mesh part of the contract.

import type { Outcome } from '../core/command.ts';
import type { Heads } from '../core/heads.ts';
import type { Membership, Trust } from '../core/membership.ts';
import type { DiscoveryStatus, ShopOfKey } from '../ports.ts';
import type { JoinCode } from './trust/join-codes.ts';
import type { Welcome } from './trust/wish.ts';

export type MeshConfig = {
  replicaId: string;
  shop: string;
  /** Of the key in the configuration; null where there is none. */
  shopKey: ShopOfKey | null;
  formerId: string | null;
  starts: number | null;
  name: string;
  version: string;
  staticPeers: readonly string[];
  port: number;
  meshPort: number;
  /** Under which tills and pages reach it now. */
  origins: () => readonly string[];
};

/** One of the shop, as tills know it. */
export type ShopAppliance = {
  id: string;
  name: string;
  self: boolean;
  /** Linked now. */
  connected: boolean;
  /** The host where its mesh port was reached, or is now; null for ourselves, or where that is not known. */
  host: string | null;
  /** Under which it says that it serves. */
  origins: readonly string[];
};

export type PeerState = 'connecting' | 'connected' | 'syncing' | 'disconnected' | 'reconnecting' | 'offline';

/** How far a snapshot has come. While it is made its chunks are not yet counted. */
export type SnapshotProgress = {
  direction: 'receiving' | 'sending';
  step: 'making' | 'moving' | 'checking';
  chunks: number;
  chunksDone: number;
  bytes: number;
  bytesDone: number;
};

/** Times are Unix milliseconds, null for never. */
export type PeerStatus = {
  /** Replica id; null while an address has not yet shown who is there. */
  id: string | null;
  /** Its key, as six words to compare. */
  words: string | null;
  name: string | null;
  address: string | null;
  state: PeerState;
  trust: Trust;
  /** It asks to be let in. */
  asks: boolean;
  lastSeen: number | null;
  lastSync: number | null;
  /** Ops that we hold and the peer has not acknowledged; and that it holds and we do not. */
  pending: number;
  behind: number;
  clockOffsetMs: number | null;
  rttMs: number | null;
  verifiedEqualAt: number | null;
  /** Why the last attempt failed, as a sentence. */
  lastError: string | null;
  version: string | null;
  /** The books that go to it, or come from it, as a file. */
  snapshot: SnapshotProgress | null;
};

export type MeshStatus = {
  enabled: boolean;
  replicaId: string;
  /** Our own key, as six words to compare. */
  words: string | null;
  name: string;
  shop: string;
  port: number;
  meshPort: number;
  /** Replica id of the appliance that was asked to let us in. */
  asked: string | null;
  connected: number;
  /** When every trusted peer was last compared equal with us; null when some never was, or there is none. */
  verifiedEqualAt: number | null;
  /** Counts of addresses by where they come from. `silent`: why nothing is heard by mDNS though peers are there. */
  discovery: {
    mdns: DiscoveryStatus & { silent: string | null };
    static: number;
    remembered: number;
    told: number;
    seen: number;
  };
  peers: PeerStatus[];
  /** What needs an eye: each a sentence with its cause. */
  alarms: { code: string; detail: string; at: number }[];
};

export type ConnectionStats = {
  peerId: string;
  peerName: string;
  messagesSent: number;
  messagesReceived: number;
  bytesSent: number;
  bytesReceived: number;
  lastPing: number | null;
  lastPong: number | null;
  reconnectAttempts: number;
};

export type GossipInfo = {
  id: string;
  name: string;
  shop: string;
  version: string;
  protocol: { min: number; max: number };
  heads: Heads;
  counts: { products: number; customers: number; tickets: number; movements: number };
};

/** A commit in JSON, for plain HTTP: bytes in base64. */
export type GossipCommit = { origin: string; publicKey: string; commit: string; entities: string[]; last: number };

export type JoinRequest = {
  readonly code?: string | undefined;
  /** HOST:PORT of a mesh port, or the id of an appliance that was seen. */
  readonly peer?: string | undefined;
  /** Our own books, if there are any, come along. */
  readonly bringBooks: boolean;
};

/** joined: the other shop's books are on their way. asked: somebody there must approve us first. */
export type JoinAnswer =
  | { readonly state: 'joined'; readonly welcome: Welcome }
  | { readonly state: 'asked'; readonly peer: string; readonly words: string | null };

export type Mesh = {
  status(): MeshStatus;
  stats(): {
    connections: ConnectionStats[];
    totalMessagesSent: number;
    totalMessagesReceived: number;
    totalBytesSent: number;
    totalBytesReceived: number;
  };
  /** Persisted: a mesh turned off stays off over a restart. */
  toggle(enabled: boolean): void;
  /** Dials every known peer that is not linked now, whatever its backoff says. */
  reconnect(): void;
  peers(): PeerStatus[];
  /** Those of the shop that have ever said where they serve, and ourselves, first. */
  appliances(): ShopAppliance[];
  /** All that the others say of where they serve. */
  peerOrigins(): readonly string[];
  /** Something was said to tills: for those at the other appliances, too. */
  wakeLive(): void;
  addPeer(address: string): Outcome<PeerStatus>;
  /** `by`: the credential that asks. Trust and its end are said to the whole shop. */
  changePeer(id: string, change: { trust?: Trust; name?: string }, by: string): Outcome<PeerStatus>;
  removePeer(id: string): Outcome<null>;
  /** "Sync now". Debounced and single-flight: `started` tells whether this call started one. */
  sync(id: string, bidirectional: boolean): Outcome<{ started: boolean }>;
  makeJoinCode(): JoinCode;
  /** To be of another shop. `done` is called once, within some 20 s. */
  join(request: JoinRequest, done: (outcome: Outcome<JoinAnswer>) => void): void;
  cancelJoin(): void;
  /** What lets appliances in unattended now. */
  shopKey(): Membership['shopKey'];
  /** A new one; the one before lets nobody in any more. */
  rotateShopKey(by: string): Outcome<Membership['shopKey']>;
  /** Says that another key of ours is of the shop. */
  vouchFor(replica: string, by: string): Outcome<null>;
  gossip: {
    info(): GossipInfo;
    /** `since`: a cursor from an earlier answer (heads), or a time; nothing is ever skipped. */
    changes(since: string | undefined, limit: number): Outcome<{ commits: GossipCommit[]; next: string }>;
    apply(commits: GossipCommit[]): {
      results: ({ ok: true; applied: number } | { ok: false; code: string; detail: string })[];
    };
    /** Asks every linked peer for what we lack. */
    sync(): { asked: number };
  };
};
