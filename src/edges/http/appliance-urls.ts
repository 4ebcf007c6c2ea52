// Where tills reach an appliance of the shop: of the addresses that it tells itself, those that can be reached from elsewhere,
// the likeliest first.

/** An appliance with many cards and names: a till that tries each loses seconds. */
const urlsMax = 8;

/**
 * `host`: where the appliance itself was reached by its mesh, or null. Addresses of loopback are of use to whoever is on that
 * machine: where it was reached there itself, or the asker is on it (`isFromHere`) and nothing else is known.
 */
export function reachableUrls(origins: readonly string[], host: string | null, isFromHere: boolean): string[] {
  const isNear = host === null ? isFromHere : isLoopback(host);
  const outside = origins.filter((origin) => !isLoopback(hostOf(origin)));
  const usable = isNear || outside.length === 0 ? origins : outside;
  const rank = (origin: string): number => {
    const at = hostOf(origin);
    return at === host ? 0 : /^[0-9.]+$/.test(at) ? 1 : at.startsWith('[') ? 3 : 2;
  };
  return [...usable].sort((a, b) => rank(a) - rank(b)).slice(0, urlsMax);
}

const hostOf = (origin: string): string => new URL(origin).hostname;

const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || host.startsWith('127.');
