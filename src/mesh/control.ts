// The mesh as people see and steer it: status, counters, peers.

import { type Failure, failure, type Outcome } from '../core/command.ts';
import { addressFault } from '../core/dial.ts';
import { statementsPerAuthorMax, syncDebounceMs } from '../core/limits.ts';
import type { Trust } from '../core/membership.ts';
import { fingerprintWords } from '../protocol/fingerprint.ts';
import { hasOwnBooks } from '../storage/carry.ts';
import { type AddressSource, type AddressState, newAddress } from './dialer.ts';
import type { Link } from './link.ts';
import type { ConnectionStats, Mesh, MeshStatus, PeerState, PeerStatus, ShopAppliance } from './mesh.ts';
import type { MeshParts } from './parts.ts';
import type { PeerEntry } from './peer-book.ts';
import { mdnsStatus } from './seen.ts';
import type { Candidate } from './trust/candidates.ts';
import { createJoining } from './trust/joining.ts';

type Control = Pick<
  Mesh,
  | 'status'
  | 'stats'
  | 'toggle'
  | 'reconnect'
  | 'peers'
  | 'appliances'
  | 'peerOrigins'
  | 'addPeer'
  | 'changePeer'
  | 'removePeer'
  | 'makeJoinCode'
  | 'join'
  | 'cancelJoin'
  | 'shopKey'
  | 'rotateShopKey'
  | 'vouchFor'
  | 'sync'
>;

/** Attempts after which an address that does not answer counts as offline. */
const offlineAfter = 3;

export function createMeshControl(
  parts: MeshParts,
  switches: { setEnabled(enabled: boolean): void },
): Control & { staticAddresses(): string[] } {
  const { ports, storage, config, peers, members, candidates, dialer, alarms, links } = parts;
  const joining = createJoining(parts);
  const lastSyncAt = new Map<string, number>();

  /** Whom we know; of whom others say that they are of the shop, or no longer; who was seen; where nobody was seen yet. */
  function allPeers(): PeerStatus[] {
    const known = peers.all().map((entry) => peerStatus(parts, entry));
    const ids = new Set([config.replicaId, 'self', ...peers.all().map(({ id }) => id)]);
    const { members: trusted, revoked } = members.now();
    const heardOf = [...trusted, ...revoked].filter((id) => !ids.has(id));
    for (const id of heardOf) ids.add(id);
    const seen = candidates.all().filter(({ id }) => !ids.has(id));
    for (const { id } of seen) ids.add(id);
    const places = new Set([...known, ...seen].map(({ address }) => address));
    const empty = dialer
      .addresses()
      .filter(({ peerId, address }) => !places.has(address) && (peerId === null || !ids.has(peerId)));
    return [
      ...known,
      ...heardOf.map((id) => heardStatus(parts, id)),
      ...seen.map((candidate) => candidateStatus(parts, candidate)),
      ...empty.map(addressStatus),
    ];
  }

  function appliances(): ShopAppliance[] {
    const { replicaId: id, name } = config;
    const self = { id, name, self: true, connected: true, host: null, origins: config.origins() };
    return [self, ...serving().map((entry) => shopAppliance(entry, links.get(entry.id)))];
  }

  const serving = (): PeerEntry[] =>
    peers.all().filter((entry) => members.trustOf(entry.id) === 'trusted' && entry.origins.length > 0);

  function status(): MeshStatus {
    const all = allPeers();
    const trusted = all.filter((peer) => peer.trust === 'trusted' && peer.id !== null);
    const times = trusted.map((peer) => peer.verifiedEqualAt);
    const addresses = dialer.addresses();
    const countFrom = (source: AddressSource) => addresses.filter((address) => address.source === source).length;
    const walAlarm = storage.walAlarm();
    return {
      enabled: parts.isEnabled(),
      replicaId: config.replicaId,
      words: fingerprintWords(config.replicaId),
      name: config.name,
      shop: config.shop,
      port: config.port,
      meshPort: config.meshPort,
      asked: joining.askedOf(),
      connected: links.size,
      verifiedEqualAt: times.length > 0 && times.every((at) => at !== null) ? Math.min(...(times as number[])) : null,
      discovery: {
        mdns: mdnsStatus(parts),
        static: countFrom('static'),
        remembered: countFrom('remembered'),
        told: countFrom('told'),
        seen: countFrom('seen'),
      },
      peers: all,
      alarms: [...alarms.all(), ...(walAlarm ? [{ code: 'wal_large', detail: walAlarm, at: ports.clock.now() }] : [])],
    };
  }

  function stats() {
    const connections = peers.all().map((entry) => connectionStats(entry, links.get(entry.id)));
    const total = (figure: (row: ConnectionStats) => number) => connections.reduce((sum, row) => sum + figure(row), 0);
    return {
      connections,
      totalMessagesSent: total((row) => row.messagesSent),
      totalMessagesReceived: total((row) => row.messagesReceived),
      totalBytesSent: total((row) => row.bytesSent),
      totalBytesReceived: total((row) => row.bytesReceived),
    };
  }

  function addPeer(address: string): Outcome<PeerStatus> {
    const fault = addressFault(address);
    if (fault === 'malformed') return addressMalformed();
    if (fault) return failure('address_refused', 'Addresses of no single machine on this network are not dialed.');
    if (!dialer.add(address, 'static'))
      return failure('too_many_peers', 'There is no room for another address: remove one first.');
    dialer.dialAfresh(address);
    storage.note(({ database }) => {
      database.prepare('INSERT OR IGNORE INTO static_peers (address) VALUES (?)').run(address);
    });
    const known = allPeers().find((peer) => peer.address === address);
    return { ok: true, result: known ?? addressStatus(newAddress(address, 'static')) };
  }

  function changePeer(id: string, change: Parameters<Mesh['changePeer']>[1], by: string): Outcome<PeerStatus> {
    const status = allPeers().find((peer) => peer.id === id);
    if (!status) return noPeer();
    const trouble = change.trust === undefined ? undefined : changeTrust(id, status, change.trust, by);
    if (trouble) return trouble;
    const entry = change.name === undefined ? undefined : peers.meet(id, change.name);
    if (entry && change.name !== undefined) {
      entry.name = change.name;
      peers.save(entry);
    }
    return { ok: true, result: allPeers().find((peer) => peer.id === id) ?? status };
  }

  function changeTrust(id: string, status: PeerStatus, trust: Trust, by: string): Failure | undefined {
    if (trust === status.trust) return undefined;
    if (trust === 'pending')
      return failure('trust_not_withdrawn', 'Trust is not taken back half: revoke the appliance to shut it out.');
    const name = status.name ?? `appliance at ${status.address}`;
    const said = trust === 'revoked' ? members.shutOut(id, by) : members.letIn(id, { name, via: 'approval', by });
    if (!said) return notWritten();
    if (members.trustOf(id) !== trust) return wordsUsedUp();
    if (trust === 'revoked') {
      alarms.clear(`refused ${id}`);
      candidates.remove(id);
      parts.closePeer(id, 'it was shut out of the shop');
      return undefined;
    }
    alarms.clear(`asks ${id}`);
    alarms.clear(`revoked ${id}`);
    meetHalfWay(id);
    return undefined;
  }

  /**
   * Approved here, and of another shop: an appliance that was never used, and is alone in its own shop, gives that up for
   * the other one; unless that one has asked already to be let in here.
   */
  function meetHalfWay(id: string): void {
    const candidate = candidates.get(id);
    const isElsewhere = candidate?.shop !== undefined && candidate.shop !== null && candidate.shop !== config.shop;
    const isNew = !hasOwnBooks(storage.handle()) && members.now().members.size <= 2;
    if (isElsewhere && isNew && !candidate.asks) joining.join({ peer: id, bringBooks: false }, () => {});
    if (candidate?.address) dialer.add(candidate.address, 'seen', id);
    dialer.dialNow();
  }

  function removePeer(id: string): Outcome<null> {
    candidates.remove(id);
    const entry = peers.get(id);
    const address = entry?.address ?? (dialer.addresses().some((known) => known.address === id) ? id : undefined);
    if (!entry && address === undefined) return noPeer();
    if (address) {
      dialer.remove(address);
      storage.note(({ database }) => {
        database.prepare('DELETE FROM static_peers WHERE address = ?').run(address);
      });
    }
    parts.closePeer(id, 'removed');
    if (entry) peers.remove(id);
    return { ok: true, result: null };
  }

  function sync(id: string, bidirectional: boolean): Outcome<{ started: boolean }> {
    const link = links.get(id);
    if (!link)
      return peers.get(id)
        ? failure('peer_unreachable', 'This peer is not linked now: it syncs by itself when it is back.')
        : noPeer();
    const now = ports.clock.monotonic();
    const isEarly = now - (lastSyncAt.get(id) ?? Number.NEGATIVE_INFINITY) < syncDebounceMs;
    if (isEarly) return { ok: true, result: { started: false } };
    lastSyncAt.set(id, now);
    link.dispatch({ kind: 'syncRequested', bidirectional });
    return { ok: true, result: { started: true } };
  }

  return {
    status,
    appliances,
    peerOrigins: () => serving().flatMap(({ origins }) => origins),
    stats,
    toggle: switches.setEnabled,
    reconnect() {
      ports.discovery?.refresh();
      dialer.dialAfresh();
    },
    peers: allPeers,
    addPeer,
    changePeer,
    removePeer,
    makeJoinCode: joining.makeCode,
    join: joining.join,
    cancelJoin: joining.cancel,
    shopKey: () => members.now().shopKey,
    rotateShopKey: (by) => (members.rotateShopKey(by) ? { ok: true, result: members.now().shopKey } : notWritten()),
    vouchFor: (replica, by) =>
      members.letIn(replica, { name: config.name, via: 'renewed', by }) ? { ok: true, result: null } : notWritten(),
    sync,
    staticAddresses: () =>
      (
        storage.handle().database.prepare('SELECT address FROM static_peers ORDER BY address').all() as {
          address: string;
        }[]
      ).map((row) => row.address),
  };
}

function peerStatus(parts: MeshParts, entry: PeerEntry): PeerStatus {
  const { links, dialer, storage, members, snapshotProgress } = parts;
  const link = links.get(entry.id);
  const address = dialer.addresses().find((known) => known.peerId === entry.id);
  const heads = storage.books.heads();
  const trust = members.trustOf(entry.id);
  return {
    id: entry.id,
    words: fingerprintWords(entry.id),
    name: entry.name,
    address: entry.address ?? link?.connection.address ?? null,
    state: stateOf(link, address, trust),
    trust,
    asks: parts.candidates.get(entry.id)?.asks ?? false,
    lastSeen: entry.lastSeen,
    lastSync: entry.lastSync,
    pending: link ? link.pending() : missing(entry.heads, heads),
    behind: link ? link.behind() : missing(heads, entry.heads),
    clockOffsetMs: link ? entry.clockOffsetMs : null,
    rttMs: link ? entry.rttMs : null,
    verifiedEqualAt: entry.verifiedEqualAt,
    lastError: link ? null : (address?.lastError ?? entry.lastError),
    version: entry.version,
    snapshot: link ? snapshotProgress(link) : null,
  };
}

function missing(held: Readonly<Record<string, number>>, all: Readonly<Record<string, number>>): number {
  return Object.entries(all).reduce((sum, [origin, number]) => sum + Math.max(0, number - (held[origin] ?? 0)), 0);
}

/** Of the shop, or no longer, as others say; never met. */
function heardStatus({ dialer, members }: MeshParts, id: string): PeerStatus {
  const address = dialer.addresses().find((known) => known.peerId === id);
  const trust = members.trustOf(id);
  return {
    ...nobody,
    id,
    words: fingerprintWords(id),
    name: members.nameOf(id),
    address: address?.address ?? null,
    state: stateOf(undefined, address, trust),
    trust,
    lastError: address?.lastError ?? null,
  };
}

function candidateStatus({ dialer }: MeshParts, candidate: Candidate): PeerStatus {
  const { id, name, address, asks, seenAt } = candidate;
  const dialed = dialer.addresses().find((known) => known.address === address);
  const words = fingerprintWords(id);
  return { ...nobody, id, words, name, address, asks, lastSeen: seenAt, lastError: dialed?.lastError ?? null };
}

function stateOf(link: Link | undefined, address: AddressState | undefined, trust: Trust): PeerState {
  if (link) return link.pending() + link.behind() > 0 ? 'syncing' : 'connected';
  if (!address || trust !== 'trusted') return 'disconnected';
  if (address.failures >= offlineAfter) return 'offline';
  return address.wasConnected ? 'reconnecting' : 'connecting';
}

const addressStatus = (address: AddressState): PeerStatus => ({
  ...nobody,
  address: address.address,
  state: address.failures >= offlineAfter ? 'offline' : 'connecting',
  lastError: address.lastError,
});

const nobody: PeerStatus = {
  id: null,
  words: null,
  name: null,
  address: null,
  state: 'disconnected',
  trust: 'pending',
  asks: false,
  lastSeen: null,
  lastSync: null,
  pending: 0,
  behind: 0,
  clockOffsetMs: null,
  rttMs: null,
  verifiedEqualAt: null,
  lastError: null,
  version: null,
  snapshot: null,
};

const shopAppliance = ({ id, name, address, origins }: PeerEntry, link: Link | undefined): ShopAppliance => ({
  id,
  name,
  self: false,
  connected: link !== undefined,
  host: (link?.connection.address ?? address)?.replace(/:[0-9]+$/, '') ?? null,
  origins,
});

function connectionStats(entry: PeerEntry, link: Link | undefined): ConnectionStats {
  const past = entry.counters;
  const now = link?.counters;
  return {
    peerId: entry.id,
    peerName: entry.name,
    messagesSent: past.messagesSent + (now?.messagesSent ?? 0),
    messagesReceived: past.messagesReceived + (now?.messagesReceived ?? 0),
    bytesSent: past.bytesSent + (now?.bytesSent ?? 0),
    bytesReceived: past.bytesReceived + (now?.bytesReceived ?? 0),
    lastPing: now?.lastPing ?? past.lastPing,
    lastPong: now?.lastPong ?? past.lastPong,
    reconnectAttempts: entry.reconnectAttempts,
  };
}

const notWritten = () => failure('storage_unavailable', 'It could not be written: nothing has changed. Try again.');

const wordsUsedUp = () =>
  failure(
    'trust_words_used_up',
    `This appliance has said too often who is of the shop (${statementsPerAuthorMax} times each way): nothing has changed. Do it at another appliance of the shop.`,
  );

const noPeer = () => failure('not_found', 'There is no such peer.');

const addressMalformed = () => failure('address_malformed', 'An address is HOST:PORT, such as 192.168.1.20:3031.');
