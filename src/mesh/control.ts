// The mesh as people see and steer it: status, counters, peers.

import { failure, type Outcome } from '../core/command.ts';
import { syncDebounceMs } from '../core/limits.ts';
import { type AddressState, newAddress } from './dialer.ts';
import type { Link } from './link.ts';
import type { ConnectionStats, Mesh, MeshStatus, PeerState, PeerStatus } from './mesh.ts';
import type { MeshParts } from './parts.ts';
import type { PeerEntry } from './peer-book.ts';

type Control = Pick<
  Mesh,
  'status' | 'stats' | 'toggle' | 'reconnect' | 'peers' | 'addPeer' | 'changePeer' | 'removePeer' | 'sync'
>;

/** Attempts after which an address that does not answer counts as offline. */
const offlineAfter = 3;

export function createMeshControl(
  parts: MeshParts,
  switches: { setEnabled(enabled: boolean): void },
): Control & { staticAddresses(): string[] } {
  const { ports, storage, config, peers, dialer, alarms, links } = parts;
  const lastSyncAt = new Map<string, number>();

  function allPeers(): PeerStatus[] {
    const known = peers.all().map((entry) => peerStatus(parts, entry));
    const ids = new Set(peers.all().map((entry) => entry.id));
    const unknown = dialer
      .addresses()
      .filter(({ peerId }) => peerId !== 'self' && (peerId === null || !ids.has(peerId)));
    return [...known, ...unknown.map(addressStatus)];
  }

  function status(): MeshStatus {
    const all = allPeers();
    const trusted = all.filter((peer) => peer.trust === 'trusted' && peer.id !== null);
    const times = trusted.map((peer) => peer.verifiedEqualAt);
    const addresses = dialer.addresses();
    const walAlarm = storage.walAlarm();
    return {
      enabled: parts.isEnabled(),
      replicaId: config.replicaId,
      name: config.name,
      shop: config.shop,
      port: config.port,
      meshPort: config.meshPort,
      connected: links.size,
      verifiedEqualAt: times.length > 0 && times.every((at) => at !== null) ? Math.min(...(times as number[])) : null,
      discovery: {
        mdns: { enabled: false },
        static: addresses.filter((address) => address.source === 'static').length,
        remembered: addresses.filter((address) => address.source === 'remembered').length,
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
    if (!isAddress(address)) return failure('address_malformed', 'An address is HOST:PORT, such as 192.168.1.20:3031.');
    if (/^169\.254\.|^\[?fe80:/i.test(address))
      return failure('address_refused', 'Link-local addresses are not dialed.');
    if (!dialer.add(address, 'static'))
      return failure('too_many_peers', 'There is no room for another address: remove one first.');
    storage.note(({ database }) => {
      database.prepare('INSERT OR IGNORE INTO static_peers (address) VALUES (?)').run(address);
    });
    const known = allPeers().find((peer) => peer.address === address);
    return { ok: true, result: known ?? addressStatus(newAddress(address, 'static')) };
  }

  function changePeer(id: string, change: Parameters<Mesh['changePeer']>[1]): Outcome<PeerStatus> {
    const entry = peers.get(id);
    if (!entry) return noPeer();
    if (change.name !== undefined) entry.name = change.name;
    if (change.trust !== undefined) entry.trust = change.trust;
    peers.save(entry);
    if (entry.trust !== 'trusted') parts.closePeer(id, 'no longer trusted');
    else dialer.dialNow();
    return { ok: true, result: peerStatus(parts, entry) };
  }

  function removePeer(id: string): Outcome<null> {
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
    stats,
    toggle: switches.setEnabled,
    reconnect: () => dialer.dialNow(),
    peers: allPeers,
    addPeer,
    changePeer,
    removePeer,
    sync,
    staticAddresses: () =>
      (
        storage.handle().database.prepare('SELECT address FROM static_peers ORDER BY address').all() as {
          address: string;
        }[]
      ).map((row) => row.address),
  };
}

function peerStatus({ links, dialer, storage }: MeshParts, entry: PeerEntry): PeerStatus {
  const link = links.get(entry.id);
  const address = dialer.addresses().find((known) => known.peerId === entry.id);
  const heads = storage.books.heads();
  return {
    id: entry.id,
    name: entry.name,
    address: entry.address ?? link?.connection.address ?? null,
    state: stateOf(link, address, entry),
    trust: entry.trust,
    lastSeen: entry.lastSeen,
    lastSync: entry.lastSync,
    pending: link ? link.pending() : missing(entry.heads, heads),
    behind: link ? link.behind() : missing(heads, entry.heads),
    clockOffsetMs: link ? entry.clockOffsetMs : null,
    rttMs: link ? entry.rttMs : null,
    verifiedEqualAt: entry.verifiedEqualAt,
    lastError: link ? null : (address?.lastError ?? entry.lastError),
    version: entry.version,
  };
}

function missing(held: Readonly<Record<string, number>>, all: Readonly<Record<string, number>>): number {
  return Object.entries(all).reduce((sum, [origin, number]) => sum + Math.max(0, number - (held[origin] ?? 0)), 0);
}

function stateOf(link: Link | undefined, address: AddressState | undefined, entry: PeerEntry): PeerState {
  if (link) return link.pending() + link.behind() > 0 ? 'syncing' : 'connected';
  if (!address || entry.trust !== 'trusted') return 'disconnected';
  if (address.failures >= offlineAfter) return 'offline';
  return address.wasConnected ? 'reconnecting' : 'connecting';
}

const addressStatus = (address: AddressState): PeerStatus => ({
  id: null,
  name: null,
  address: address.address,
  state: address.failures >= offlineAfter ? 'offline' : 'connecting',
  trust: 'pending',
  lastSeen: null,
  lastSync: null,
  pending: 0,
  behind: 0,
  clockOffsetMs: null,
  rttMs: null,
  verifiedEqualAt: null,
  lastError: address.lastError,
  version: null,
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

const noPeer = () => failure('not_found', 'There is no such peer.');

const isAddress = (address: string): boolean => {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253}):([0-9]{1,5})$/.exec(address);
  return match !== null && Number(match[2]) >= 1 && Number(match[2]) <= 65535;
};
