// Ids of what was delivered lately, bounded: what comes again by the other transport, or from another appliance, is known.

/** A message waits five minutes at an appliance, 1000 to a queue; a till hears a handful of queues. */
export const recentIdsMax = 10_000;

export type RecentIds = {
  /** Whether it was not there yet; it is from now on. */
  add(id: string): boolean;
  clear(): void;
};

export function createRecentIds(idsMax = recentIdsMax): RecentIds {
  const ids = new Set<string>();
  return {
    add(id) {
      if (ids.has(id)) return false;
      ids.add(id);
      if (ids.size > idsMax) for (const oldest of ids) return ids.delete(oldest);
      return true;
    },
    clear: () => ids.clear(),
  };
}
