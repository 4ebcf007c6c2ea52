// What becomes of whoever stands at the gate: who is turned away is named in the log and to whoever looks, who may join is
// told so, who is no longer of the shop is out at once, and two processes under one identity are found out.

import { refusalLinesMax, refusalLinesMs } from '../../core/limits.ts';
import type { WelcomeMessage } from '../../core/message.ts';
import type { CloseReason } from '../../core/session-state.ts';
import type { AddressState } from '../dialer.ts';
import type { Link } from '../link.ts';
import type { MeshParts } from '../parts.ts';
import type { PeerEntry } from '../peer-book.ts';
import type { Admitting } from './admission.ts';

export type Gate = {
  /** Why a connection of this appliance is ended before a word is said; undefined when it is not. `dialed` as below. */
  reasonToRefuse(peerKeyId: string, dialed: AddressState | null): string | undefined;
  /** `dialed`: the address at which we looked for it, if we did. */
  refused(link: Link, reason: CloseReason, detail: string, dialed: AddressState | null): void;
  newcomer(link: Link): void;
  welcomed(link: Link, message: WelcomeMessage): void;
  /** False when another process under the same key is linked, and known to be at work as well. */
  isAlone(link: Link, entry: PeerEntry): boolean;
  /** It has shown that it is of the shop: should that not be known yet, it is said. */
  proved(link: Link, name: string): void;
  /** After each commit: true when who is of the shop has changed. */
  review(): boolean;
};

/** Processes of one peer that are remembered: an appliance and some copies of it. */
const instancesMax = 8;

export function createGate(parts: MeshParts, admission: Admitting): Gate {
  const { ports, storage, config, peers, members, candidates, wish, alarms, links } = parts;
  const { log } = ports;
  /** Newcomers that were told so: it is they who end the link. */
  const told = new WeakSet<Link>();
  let reviewed = storage.state().trust;
  /** Links of members: who is none any more is out, whoever let him in. */
  const ofMembers = new WeakSet<Link>();
  let wasOut = members.now().revoked.has(config.replicaId);
  let linesSince = Number.NEGATIVE_INFINITY;
  let lines = 0;

  const nameOf = (id: string): string => peers.get(id)?.name ?? members.nameOf(id) ?? candidates.get(id)?.name ?? id;

  function reasonToRefuse(peerKeyId: string, dialed: AddressState | null): string | undefined {
    if (!parts.isEnabled()) return 'the mesh is turned off here';
    if (members.trustOf(peerKeyId) !== 'revoked') return undefined;
    logRefused({ reason: 'revoked', peer: peerKeyId, detail: 'it was shut out of the shop' });
    const does = dialed ? `answers at ${dialed.address}` : 'tries to connect';
    const detail = `The revoked appliance ${nameOf(peerKeyId)} ${does}: it is not let in.`;
    alarms.raise(`revoked ${peerKeyId}`, 'revoked_peer', detail);
    return 'this appliance is revoked';
  }

  function refused(link: Link, reason: CloseReason, detail: string, dialed: AddressState | null): void {
    const { address } = link.connection;
    if (reason === 'our_own_address') {
      if (dialed) dialed.peerId = 'self';
      return;
    }
    // Who has gone silent is not refused: that its link ended is told where it ends.
    if (told.has(link) || reason === 'heartbeat_timeout') return;
    logRefused({ reason, peer: link.peerKeyId, address, detail });
    if (reason === 'cloned') return raiseCloned(link, 'this appliance');
    const known = nameOf(link.peerKeyId);
    const who = known === link.peerKeyId ? `an appliance at ${address}` : known;
    const expected = dialed?.peerId && dialed.peerId !== link.peerKeyId ? dialed.peerId : undefined;
    if (expected && members.trustOf(expected) === 'trusted') return raiseKeyChanged(address, nameOf(expected));
    if (reason === 'not_approved') alarms.raise(`asks ${link.peerKeyId}`, 'approval_asked', `${who}: ${detail}.`);
    else alarms.raise(`refused ${link.peerKeyId}`, 'peer_refused', `${who} was refused: ${detail}.`);
  }

  function raiseKeyChanged(address: string, expected: string): void {
    const detail = `At ${address}, where ${expected} was, somebody with another key answers: another appliance at its address, or somebody who sits in between. It is not let in.`;
    alarms.raise(`key ${address}`, 'key_changed', detail);
  }

  function raiseCloned(link: Link, whose: string): void {
    const detail = `Two appliances run with the identity of ${whose}, one of them at ${link.connection.address}: one is a copy of the other. Give the copy an identity of its own: "tillmesh renew-identity" on it.`;
    alarms.raise(`cloned ${link.peerKeyId}`, 'cloned_identity', detail);
  }

  function newcomer(link: Link): void {
    const { peerKeyId } = link;
    const via = admission.viaOf(link);
    const known = admission.nameOf(link) ?? candidates.get(peerKeyId)?.name;
    const name = known ?? `appliance at ${link.connection.address}`;
    const isSaid = members.letIn(peerKeyId, { name, via, by: 'system' });
    if (!isSaid || members.trustOf(peerKeyId) !== 'trusted') return link.close('it cannot be let in now');
    log.info('let an appliance in', { peer: peerKeyId, via, address: link.connection.address });
    told.add(link);
    link.dispatch({ kind: 'tell', message: admission.welcome(link) });
    forgetStranger(peerKeyId);
  }

  function forgetStranger(id: string): void {
    candidates.remove(id);
    for (const cause of ['asks', 'refused']) alarms.clear(`${cause} ${id}`);
  }

  function welcomed(link: Link, message: WelcomeMessage): void {
    const { address, dialedByUs } = link.connection;
    if (!admission.isWelcome(link, message)) {
      refused(link, 'not_of_this_shop', 'it welcomed us without knowing what it must', null);
      return link.close('it is not whom we asked');
    }
    if (wish.isGranted()) return link.close('another one let us in');
    const { shop, name: hostName } = message;
    const seenAt = candidates.get(link.peerKeyId)?.address ?? null;
    wish.granted({ shop, host: link.peerKeyId, hostName, address: dialedByUs ? address : seenAt });
    link.close('it let us in');
  }

  /** A process that comes back after another was linked under its key: both are at work. */
  function isAlone(link: Link, entry: PeerEntry): boolean {
    const id = link.instance ?? '';
    const isBack = entry.instances.includes(id) && entry.instances.at(-1) !== id;
    if (isBack) {
      log.error('two appliances run under one identity', { peer: entry.id, address: link.connection.address });
      raiseCloned(link, entry.name);
      if (links.has(entry.id)) return false;
    }
    entry.instances = [...entry.instances.filter((known) => known !== id), id].slice(-instancesMax);
    return true;
  }

  function proved(link: Link, name: string): void {
    const { peerKeyId } = link;
    if (members.trustOf(peerKeyId) === 'trusted') ofMembers.add(link);
    const isNews = members.trustOf(peerKeyId) === 'pending' && admission.hasProvedKey(link);
    if (isNews) members.letIn(peerKeyId, { name, via: 'shop_key', by: 'system' });
    forgetStranger(peerKeyId);
    alarms.clear(`revoked ${peerKeyId}`);
  }

  function review(): boolean {
    const { trust } = storage.state();
    if (trust === reviewed) return false;
    reviewed = trust;
    const { revoked } = members.now();
    const isOut = revoked.has(config.replicaId);
    const isNewlyOut = isOut && !wasOut;
    wasOut = isOut;
    if (isOut) raiseOut();
    else alarms.clear('we are revoked');
    for (const link of [...links.values(), ...parts.strangers()]) {
      const trust = members.trustOf(link.peerKeyId);
      const isNoneAnyMore = ofMembers.has(link) && trust !== 'trusted';
      if (trust === 'trusted') ofMembers.add(link);
      // Should our own have been taken back elsewhere, it is heard of over the next link.
      if (isNewlyOut || revoked.has(link.peerKeyId) || isNoneAnyMore) link.close('it was shut out of the shop');
    }
    return true;
  }

  /** A line for each stranger that knocks, but no flood of them. */
  function logRefused(facts: Record<string, unknown>): void {
    const now = ports.clock.monotonic();
    if (now - linesSince > refusalLinesMs) {
      if (lines > refusalLinesMax) log.warn('more peers were refused', { count: lines - refusalLinesMax });
      [linesSince, lines] = [now, 0];
    }
    lines += 1;
    if (lines <= refusalLinesMax) log.warn('a peer was refused', facts);
  }

  function raiseOut(): void {
    const detail =
      'This appliance was shut out of the shop. It goes on selling, but nothing goes to the others or comes from them. If that was a mistake, approve it again at another appliance.';
    alarms.raise('we are revoked', 'we_are_revoked', detail);
  }

  return { reasonToRefuse, refused, newcomer, welcomed, isAlone, proved, review };
}
