// The machine's IPv4 interfaces as discovery sees them: which to take part on, and whether an address is on their network.
// Never throws.

import { networkInterfaces } from 'node:os';
import { mdnsInterfacesMax } from '../../core/limits.ts';

export type Interface = {
  readonly name: string;
  readonly address: string;
  readonly netmask: string;
  readonly mac: string;
};

/**
 * Those of `names` that are up, or all that are up and not internal when it is null; null when the system does not tell
 * (no file descriptor left).
 */
export function readInterfaces(names: readonly string[] | null): Interface[] | null {
  try {
    return Object.entries(networkInterfaces())
      .flatMap(([name, addresses = []]) => addresses.map((address) => ({ ...address, name })))
      .filter(({ family, internal, name }) => family === 'IPv4' && (names ? names.includes(name) : !internal))
      .map(({ name, address, netmask, mac }) => ({ name, address, netmask, mac }))
      .slice(0, mdnsInterfacesMax);
  } catch {
    return null;
  }
}

/** It can be reached without a router: ours, or another of its network that is neither the first nor the last. */
export function isOnNetwork({ address, netmask }: Interface, candidate: string): boolean {
  const [own, mask, other] = [toNumber(address), toNumber(netmask), toNumber(candidate)];
  if (own === null || mask === null || other === null) return false;
  if (other === own) return true;
  const host = other & ~mask;
  return ((own ^ other) & mask) === 0 && host !== 0 && host !== ~mask;
}

function toNumber(address: string): number | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address)?.slice(1).map(Number);
  if (!parts?.every((part) => part <= 255)) return null;
  return parts.reduce((sum, part) => (sum << 8) | part, 0);
}
