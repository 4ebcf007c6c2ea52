// Addresses of members that members tell each other, so that one address given by a person is enough for all. What is told
// is where the teller itself has reached them; it is a hint where to dial, a sign of life, and kept until the trust in them is
// heard of.

import { addressFault } from '../core/dial.ts';
import { peersMax, redialFirstMs, toldAddressesMax } from '../core/limits.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';

export type Told = {
  /** A link stands: its peer hears of the others, and they of it. */
  greeted(link: Link): void;
  heard(link: Link, peers: readonly { readonly id: string; readonly address: string }[]): void;
  /** Who is of the shop has changed. */
  review(): void;
};

export function createTold({ ports, config, peers, members, dialer, links }: MeshParts): Told {
  /** The last address told of each, of members and of those not yet known as such. */
  const addresses = new Map<string, string>();

  function reachedAt(id: string): { id: string; address: string }[] {
    const address = peers.get(id)?.address;
    return address ? [{ id, address }] : [];
  }

  function review(): void {
    for (const [id, address] of addresses) {
      if (members.trustOf(id) !== 'trusted' || links.has(id)) continue;
      addresses.delete(id);
      dialer.add(address, 'told', id);
      if (!isJustDialed(address)) dialer.hurry(address);
    }
  }

  /** Whoever tells without end makes us dial no more often than this. */
  const isJustDialed = (told: string): boolean =>
    dialer
      .addresses()
      .some(({ address, dialedAt }) => address === told && ports.clock.monotonic() - dialedAt < redialFirstMs);

  return {
    greeted(link) {
      const others = [...links.keys()].filter((id) => id !== link.peerKeyId && members.trustOf(id) === 'trusted');
      const known = others.flatMap(reachedAt).slice(0, toldAddressesMax);
      if (known.length > 0) link.dispatch({ kind: 'tell', message: { type: 'addresses', peers: known } });
      const news = reachedAt(link.peerKeyId);
      if (news.length === 0 || members.trustOf(link.peerKeyId) !== 'trusted') return;
      for (const id of others) links.get(id)?.dispatch({ kind: 'tell', message: { type: 'addresses', peers: news } });
    },
    heard(link, told) {
      const isHere = isLoopback(link.connection.address);
      for (const { id, address } of told) {
        // Of loopback only a neighbour on this machine knows anything.
        if (isLoopback(address) && !isHere) continue;
        if (id === config.replicaId || links.has(id) || addressFault(address)) continue;
        addresses.delete(id);
        if (addresses.size < peersMax * 2) addresses.set(id, address);
      }
      review();
    },
    review,
  };
}

const isLoopback = (address: string): boolean => /^(127\.|localhost:|\[::1\]:)/i.test(address);
