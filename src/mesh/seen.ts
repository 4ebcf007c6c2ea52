// Who is seen on the network. Members are dialed at once, whoever else is shown to people; all known addresses are when we
// are on a network anew ourselves. When peers are linked and nothing is ever heard, it is said that the network keeps mDNS
// from us: else that looks like an empty shop. Unless mDNS knows of a reason of its own.

import { mdnsSilentMs } from '../core/limits.ts';
import type { DiscoveryStatus, Sighting } from '../ports.ts';
import type { MeshParts } from './parts.ts';

export type Seen = { start(): void; stop(): void /** Every second. */; review(): void };

const silence =
  'Your network blocks mDNS: peers answer at their addresses, but nothing is heard of them on the network. New appliances are not found by themselves: give them an address of this shop (--peer HOST:PORT).';

export function createSeen({ ports, config, members, candidates, wish, dialer, alarms, links }: MeshParts): Seen {
  let linkedSince: number | null = null;
  /** Where we were at the last look; null before the first. */
  let places: ReadonlySet<string> | null = null;

  function seen({ replicaId, address, name, shop }: Sighting): void {
    if (replicaId === config.replicaId) return;
    const trust = members.trustOf(replicaId);
    if (trust === 'pending') candidates.note(replicaId, { address, name, shop });
    const isLookedFor = trust === 'trusted' || (trust === 'pending' && (wish.isAny() || members.shopKey() !== null));
    if (!isLookedFor || links.has(replicaId)) return;
    dialer.add(address, 'seen', replicaId);
    dialer.hurry(address);
  }

  function review(): void {
    const status = ports.discovery?.status();
    lookForNetwork(status);
    const isHeard = status === undefined || !status.enabled || (status.seen > 0 && status.lastHeardAt !== null);
    // Where it cannot be spoken at all, the fault is this machine's, and is told as such.
    if (isHeard || status.interfaces.length === 0 || links.size === 0) linkedSince = null;
    else linkedSince ??= ports.clock.monotonic();
    const isSilent = linkedSince !== null && ports.clock.monotonic() - linkedSince >= mdnsSilentMs;
    if (isSilent) alarms.raise('mdns', 'mdns_silent', silence);
    else alarms.clear('mdns');
  }

  /** A cable, or the radio, is back, or brought another address: peers that hear no mDNS tell us of it by nothing else. */
  function lookForNetwork(status: DiscoveryStatus | undefined): void {
    if (!status?.enabled) return;
    const before = places;
    places = new Set(status.interfaces.map(({ name, address }) => `${name} ${address}`));
    if (before && [...places].some((place) => !before.has(place))) dialer.hurryAll();
  }

  return {
    start() {
      const { replicaId, name, shop, meshPort } = config;
      ports.discovery?.start({ replicaId, name, shop, meshPort }, { seen, gone: candidates.remove });
    },
    stop: () => void ports.discovery?.stop(),
    review,
  };
}

const off: DiscoveryStatus = {
  enabled: false,
  interfaces: [],
  lastHeardAt: null,
  packetsHeard: 0,
  packetsDropped: 0,
  sent: 0,
  lastError: null,
  seen: 0,
};

export const mdnsStatus = ({ ports, alarms }: MeshParts): DiscoveryStatus & { silent: string | null } => ({
  ...(ports.discovery?.status() ?? off),
  silent: alarms.has('mdns') ? silence : null,
});
