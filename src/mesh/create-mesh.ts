// The mesh: links to peers, who dials whom, who is asked for what. It runs a session per link and decides what concerns
// more than one of them. It keeps no ops: links read from the journal, the inbox writes to it.

import type { SyncRow } from '../core/books.ts';
import { isServedOrigin, survivingLink } from '../core/dial.ts';
import { type Heads, replicaOf } from '../core/heads.ts';
import { base32, replicaIdOf } from '../core/identity.ts';
import { connectionsPendingMax } from '../core/limits.ts';
import { planSubscriptions } from '../core/subscription.ts';
import type { Connection, Ports, TimerHandle } from '../ports.ts';
import { readMeta, writeMeta } from '../storage/state.ts';
import type { Storage } from '../storage/storage.ts';
import type { Unit } from '../storage/unit.ts';
import { createAlarms } from './alarms.ts';
import { createClaims } from './claims.ts';
import { createMeshControl } from './control.ts';
import { type AddressState, createDialer, isHint } from './dialer.ts';
import { createForks, type Forks } from './forks.ts';
import { createGossip } from './gossip.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { createLink, type Link, type LinkEvents } from './link.ts';
import { createLive, type LiveMessages } from './live.ts';
import type { Mesh, MeshConfig } from './mesh.ts';
import { createOwnSide } from './own-side.ts';
import type { MeshParts } from './parts.ts';
import { addCounters, createPeerBook } from './peer-book.ts';
import { createPlaces } from './places.ts';
import { createSeen } from './seen.ts';
import { createSnapshots } from './snapshots.ts';
import { createTold } from './told.ts';
import { createAdmission } from './trust/admission.ts';
import { createCandidates } from './trust/candidates.ts';
import { createGate } from './trust/gate.ts';
import { createJoinCodes } from './trust/join-codes.ts';
import { createMembers } from './trust/members.ts';
import { type Asked, createWish, type Welcome } from './trust/wish.ts';
import { createUpkeep } from './upkeep.ts';

export type RunningMesh = Mesh & {
  start(): void;
  stop(): void;
  wake(unit: Unit | null): void;
  accept(connection: Connection): void;
};

const tickMs = 1_000;
const steadyMs = 10_000;
/** Hourly: what matters is written when it happens, and cards wear. */
const upkeepEveryTicks = 3600;

export type MeshEvents = {
  recordSync(row: SyncRow): void;
  /** Another shop has let us in, as we asked. */
  welcomed(welcome: Welcome): void;
  /** Something needs an eye that did not a moment ago. */
  alarmed(code: string, detail: string): void;
  /** Appliances of the shop have come, gone, or changed where they serve. */
  appliancesChanged(): void;
  readonly live: LiveMessages;
};

export function createMesh(ports: Ports, storage: Storage, config: MeshConfig, above: MeshEvents): RunningMesh {
  const { clock, log } = ports;
  const links = new Map<string, Link>();
  /** Connections that have not greeted yet, with the address that we dialed, if we did. */
  const strangers = new Map<Link, AddressState | null>();
  const addressByLink = new WeakMap<Link, AddressState>();
  const alarms = createAlarms(clock, above.alarmed);
  const peers = createPeerBook(storage);
  const members = createMembers(ports, storage, config);
  const candidates = createCandidates(clock);
  const wish = createWish(ports, readMeta<Asked | null>(storage.handle().statements, 'asks', null), {
    asked: (asked) => storage.note(({ statements }) => writeMeta(statements, 'asks', asked)),
    granted: above.welcomed,
    ended: () => ports.timers.soon(() => dialer.dialNow()),
  });
  let enabled = readMeta(storage.handle().statements, 'mesh_enabled', true);
  let timer: TimerHandle | null = null;
  let ticks = 0;
  let announcedOrigins = storage.state().origins.size;
  let stopped = false;

  const dialer = createDialer(ports, {
    isWanted,
    dialing({ peerId }) {
      const entry = peerId === null || links.has(peerId) ? undefined : peers.get(peerId);
      if (entry) entry.reconnectAttempts += 1;
    },
    connected: (connection, address) => open(connection, address),
  });
  const parts: MeshParts = {
    ports,
    storage,
    config,
    instance: base32(ports.random.bytes(16)),
    peers,
    members,
    candidates,
    codes: createJoinCodes(ports),
    wish,
    dialer,
    alarms,
    links,
    strangers: () => strangers.keys(),
    isEnabled: () => enabled,
    replan,
    closePeer: (id, reason) => links.get(id)?.close(reason),
    snapshotProgress: (link) => snapshots.progress(link),
  };
  const places = createPlaces(parts);
  const upkeep = createUpkeep(parts, above.recordSync);
  const admission = createAdmission(parts);
  const gate = createGate(parts, admission);
  const told = createTold(parts);
  const network = createSeen(parts);
  const snapshots = createSnapshots(parts);
  const live = createLive(parts, above.live);
  const claims = createClaims(parts);
  const forks: Forks = createForks(parts);
  const inbox: Inbox = createInbox(ports, storage, {
    settled: (link, frame, results) => forks.settled(link, frame, results),
    stampedAhead: upkeep.stampedAhead,
    applied(link, origins, ops, conflicts) {
      link.exchange.itemsReceived += ops;
      link.exchange.conflicts += conflicts;
      // Our own lost tail is back: it is wanted from nobody any more.
      if (origins.some((origin) => replicaOf(origin) === config.replicaId)) replan();
    },
  });

  const events: LinkEvents = {
    own: createOwnSide(parts, admission, (link) => forks.askFrom(link)),
    greeted,
    peerHeads,
    commits: (link, frame, bytes) => inbox.push(link, frame, bytes),
    complained: (link, origins) => forks.complained(link, origins),
    strays: (link, message) => forks.strays(link, message),
    snapshot: (link, message) => snapshots.message(link, message),
    chunk: (link, frame) => snapshots.chunk(link, frame),
    measured: upkeep.measured,
    compared(link, equal, differing, ids) {
      if (equal) forks.level(link);
      upkeep.compared(link, equal, differing, ids);
    },
    newcomer: gate.newcomer,
    welcomed: gate.welcomed,
    addresses: (link, message) => told.heard(link, message.peers),
    live: live.heard,
    refused(link, reason, detail) {
      const dialed = strangers.get(link) ?? null;
      gate.refused(link, reason, detail, dialed);
      if (dialed) dialed.lastError = detail;
    },
    drained: live.drained,
    closed,
  };

  function open(connection: Connection, address: AddressState | null): void {
    const peerKeyId = replicaIdOf(ports.crypto.sha256, connection.peerKey);
    const reason = stopped ? 'the appliance stops' : gate.reasonToRefuse(peerKeyId, address);
    if (reason !== undefined) {
      connection.close(reason);
      if (address) dialer.failed(address, reason);
      return;
    }
    if (address && !wish.isAny() && places.isOfLinked(address, peerKeyId))
      return connection.close('another link to the same peer stands');
    if (strangers.size >= connectionsPendingMax) dropOldestStranger();
    const link = createLink(ports, storage, connection, peerKeyId, events);
    strangers.set(link, address);
    if (address) addressByLink.set(link, address);
    link.dispatch({ kind: 'opened' });
  }

  /** Whoever fills the places and says nothing must not keep the shop's own appliances out. */
  function dropOldestStranger(): void {
    const [oldest] = strangers.keys();
    if (!oldest) return;
    strangers.delete(oldest);
    oldest.close('others were waiting');
  }

  function greeted(link: Link, peer: NonNullable<Link['peer']>): void {
    const address = strangers.get(link);
    strangers.delete(link);
    const entry = peers.meet(peer.id, peer.name, (id) => members.trustOf(id) === 'trusted');
    if (!entry || stopped) return link.close('no room for another peer');
    if (!gate.isAlone(link, entry)) return link.close('another process under its key is linked');
    const standing = links.get(peer.id);
    const isSameProcess = standing?.instance === link.instance;
    if (standing && isSameProcess && survivingLink(claimOf(standing), claimOf(link)).link === standing) {
      places.shown(link, entry, address ?? null);
      return link.close('another link to the same peer stands');
    }
    links.set(peer.id, link);
    if (standing && isSameProcess) standing.close('replaced by another link to the same peer');
    else if (standing) {
      // The link of its process before has not been missed yet.
      const reason = 'the peer was started anew';
      places.left(peer.id, addressByLink.get(standing), reason);
      standing.close(reason);
    }
    entry.name = peer.name;
    entry.version = peer.version;
    entry.origins = peer.origins.filter(isServedOrigin);
    entry.lastSeen = clock.now();
    entry.lastError = null;
    places.shown(link, entry, address ?? null);
    peers.save(entry);
    log.info('linked to a peer', { peer: peer.name, id: peer.id, address: link.connection.address });
    told.greeted(link);
    live.greeted(link);
    above.appliancesChanged();
  }

  const claimOf = (link: Link) => ({
    link,
    dialerId: link.role === 'dialer' ? config.replicaId : link.peerKeyId,
  });

  function peerHeads(link: Link, heads: Heads, hashes: Readonly<Record<string, string>>): void {
    // Its greeting was answered, and then there was no room for it.
    if (links.get(link.peerKeyId) !== link) return;
    const entry = entryOf(link);
    if (entry) entry.heads = heads;
    upkeep.protectOwnNumbers(heads);
    forks.compare(link, heads, hashes);
    // Not earlier: an old copy of our disk must not write under numbers that it has used before.
    if (link.peer) gate.proved(link, link.peer.name);
    snapshots.consider();
    replan();
  }

  function closed(link: Link, reason: string): void {
    const address = addressByLink.get(link);
    strangers.delete(link);
    inbox.forget(link);
    snapshots.closed(link);
    live.closed(link);
    if (!stopped) forks.forget(link);
    const entry = link.peer ? peers.get(link.peer.id) : undefined;
    if (entry) addCounters(entry, link);
    if (link.peer && entry && links.get(link.peer.id) === link) {
      links.delete(link.peer.id);
      log.info('a link ended', { peer: entry.name, reason });
      upkeep.record(link, entry, reason);
      entry.lastError = reason;
      if (!stopped) peers.save(entry);
      places.left(entry.id, address, reason);
      replan();
      if (!stopped) above.appliancesChanged();
    }
    // Whom we showed a code says no by leaving; a link of before we had one says nothing of it.
    if (address && !link.peer && admission.hasShownCode(link)) wish.refused(address.address);
    if (links.size === 0) storage.setMeshOffset(0);
    if (!address || stopped) return;
    // A link that breaks as soon as it stands is no success: its address waits longer each time.
    if (entry && ports.clock.monotonic() - link.session().openedAt > steadyMs) address.failures = 0;
    dialer.failed(address, address.lastError ?? reason);
  }

  /** Asks each link for what it should send us. */
  function replan(): void {
    if (stopped) return;
    const views = [...links].map(([peerId, link]) => ({
      peerId,
      heads: without(link.session().peerHeads, link.forked),
      wanted: link.session().wants,
      refused: [...link.refused, ...claims.lapsed(link)],
    }));
    const plan = planSubscriptions(config.replicaId, storage.books.heads(), views);
    for (const [peerId, planned] of plan) {
      const link = links.get(peerId);
      if (!link) continue;
      const wanted = snapshots.isAwaited() ? [] : planned;
      const replicas = [...new Set([...wanted, ...forks.searchedOn(link)])].sort();
      link.dispatch({ kind: 'subscribe', replicas, without: [...link.forked].sort() });
    }
  }

  /** Who is not linked to a new writer can have its ops from us, but must hear of it. */
  function announceNewReplicas(): void {
    const { size } = storage.state().origins;
    if (size > announcedOrigins) for (const link of links.values()) link.dispatch({ kind: 'announce' });
    announcedOrigins = size;
  }

  function isWanted(address: AddressState): boolean {
    const { source } = address;
    // Where we were ourselves, another may be by now.
    const peerId = address.peerId === 'self' ? null : address.peerId;
    if (stopped || !enabled || places.isLinked(address)) return false;
    const trust = peerId === null ? 'pending' : members.trustOf(peerId);
    // Where one was that is revoked, another may be by now; but for a mere hint nobody is looked for.
    if (trust === 'revoked' && isHint(source)) return false;
    // Where a person said that a peer is, whoever answers is shown to him.
    if (wish.isAny() || source === 'static' || peerId === null) return !wish.hasRefused(address.address);
    return trust !== 'pending' || members.shopKey() !== null;
  }

  function tick(): void {
    // Armed first: whatever goes wrong below, the next tick comes.
    timer = ports.timers.after(tickMs, tick);
    ticks += 1;
    for (const link of [...strangers.keys(), ...links.values()]) link.dispatch({ kind: 'tick' });
    if (storage.trouble()) return;
    if (claims.review()) replan();
    forks.expire();
    network.review();
    snapshots.tick();
    live.tick();
    if (ticks % upkeepEveryTicks === 0) upkeep.rest();
  }

  const entryOf = (link: Link) => (link.peer ? peers.get(link.peer.id) : undefined);

  const control = createMeshControl(parts, {
    setEnabled(wanted) {
      enabled = wanted;
      if (wanted) network.start();
      else network.stop();
      storage.note(({ statements }) => writeMeta(statements, 'mesh_enabled', wanted));
      if (wanted) dialer.dialNow();
      else for (const link of [...links.values(), ...strangers.keys()]) link.close('the mesh was turned off');
    },
  });

  return {
    ...control,
    gossip: createGossip(parts),
    wakeLive: live.wake,
    start() {
      for (const address of [...config.staticPeers, ...control.staticAddresses()]) dialer.add(address, 'static');
      for (const entry of peers.all()) {
        if (entry.address === null) continue;
        dialer.add(entry.address, 'remembered', entry.id);
        for (const known of dialer.addresses()) if (known.address === entry.address) known.peerId = entry.id;
      }
      const { formerId, name } = config;
      if (formerId !== null && members.trustOf(formerId) === 'pending')
        members.letIn(formerId, { name, via: 'renewed', by: 'system' });
      upkeep.tellCopied();
      forks.followAll();
      if (enabled) network.start();
      timer = ports.timers.after(tickMs, tick);
    },
    wake(unit) {
      if (stopped) return;
      announceNewReplicas();
      if (gate.review()) {
        above.appliancesChanged();
        told.review();
        dialer.dialNow();
      }
      for (const link of links.values()) link.dispatch({ kind: 'wake' });
      if (unit && unit.forkStatements.length > 0) forks.follow(unit.forkStatements);
    },
    accept: (connection) => open(connection, null),
    stop() {
      stopped = true;
      timer?.cancel();
      wish.stop();
      network.stop();
      snapshots.stop();
      dialer.stop();
      for (const [id, link] of links) {
        const entry = peers.get(id);
        if (!entry) continue;
        addCounters(entry, link);
        peers.save(entry);
      }
      for (const link of [...links.values(), ...strangers.keys()]) link.close('the appliance stops');
      links.clear();
    },
  };
}

const without = (heads: Heads, origins: ReadonlySet<string>): Heads =>
  Object.fromEntries(Object.entries(heads).filter(([origin]) => !origins.has(origin)));
