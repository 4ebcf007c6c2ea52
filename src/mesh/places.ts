// Where peers are, as links show it. A link that we dialed shows who is at that address, one that a peer dialed where it is
// now. Where a person said that a peer is, another may be by now, however well the peer is linked from elsewhere: such an
// address rests only once a connection to there has shown who answers, and until the links to that process have ended.

import type { AddressState } from './dialer.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';
import type { PeerEntry } from './peer-book.ts';

export type Places = {
  /** Whoever answers at the address is linked, as far as is known: it need not be dialed. */
  isLinked(address: AddressState): boolean;
  /** Who answers there is linked already: there is nothing to say to it, and the address rests. */
  isOfLinked(address: AddressState, peerId: string): boolean;
  /** Its peer has greeted; `dialed`: the address where we reached it, if it was we. */
  shown(link: Link, entry: PeerEntry, dialed: AddressState | null): void;
  /** It ended, or is of a process that is no more: who is at which address is to be seen anew. `own` is dialed by itself. */
  left(peerId: string, own: AddressState | undefined, reason: string): void;
};

export function createPlaces({ dialer, peers, links }: Pick<MeshParts, 'dialer' | 'peers' | 'links'>): Places {
  const stateAt = (place: string | null) => dialer.addresses().find(({ address }) => address === place);

  function shown(link: Link, entry: PeerEntry, dialed: AddressState | null): void {
    const place = dialed?.address ?? placeOf(link);
    if (place === null) return;
    const former = dialed?.peerId ?? entry.id;
    if (dialed) {
      dialed.lastError = null;
      dialed.wasConnected = true;
      entry.address = place;
    } else moveTo(entry, place);
    const state = dialed ?? stateAt(place);
    if (state) {
      state.peerId = entry.id;
      state.shownTo = link.instance;
    }
    if (entry.address === place) dialer.isAt(entry.id, place);
    if (former !== entry.id) displaced(former);
  }

  /** Another answers where it was; if it has dialed us, we know where it is. */
  function displaced(id: string): void {
    const [link, entry] = [links.get(id), peers.get(id)];
    if (link?.role === 'listener' && entry) shown(link, entry, null);
  }

  /** A peer that dialed us shows where it is now; an address that a person gave stays, unless another is there. */
  function moveTo(entry: PeerEntry, place: string): void {
    if (entry.address === place) return;
    const before = stateAt(entry.address);
    if (before?.peerId === entry.id) {
      if (before.source === 'static') return;
      dialer.remove(before.address);
    }
    entry.address = place;
    dialer.add(place, 'remembered');
  }

  return {
    isLinked({ peerId, source, shownTo }) {
      const link = peerId === null ? undefined : links.get(peerId);
      return link !== undefined && (source !== 'static' || shownTo === link.instance);
    },
    isOfLinked(address, peerId) {
      const link = links.get(peerId);
      if (!link) return false;
      const former = address.peerId;
      address.peerId = peerId;
      address.shownTo = link.instance;
      address.failures = 0;
      address.lastError = null;
      if (former !== null && former !== peerId) displaced(former);
      return true;
    },
    shown,
    left(peerId, own, reason) {
      for (const state of dialer.addresses()) {
        if (state.peerId !== peerId) continue;
        state.shownTo = null;
        if (state !== own) dialer.failed(state, reason);
      }
    },
  };
}

/** Of a link that the peer dialed: where it takes such itself, if it does. */
const placeOf = ({ connection, peer }: Link): string | null =>
  peer && peer.meshPort > 0 ? `${connection.address.replace(/:[0-9]+$/, '')}:${peer.meshPort}` : null;
