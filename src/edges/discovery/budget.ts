// How many packets are read in a second: of all, and of one address, so that one that shouts does not silence the rest.
// Pure; who counts the seconds calls `renew`.

export type Budget = {
  /** False when this packet is too many. */
  take(source: string): boolean;
  renew(): void;
};

/** The table of addresses is no longer than `perSecondMax`. */
export function createBudget(perSecondMax: number, perSourceMax: number): Budget {
  const takenBySource = new Map<string, number>();
  let taken = 0;
  return {
    take(source) {
      const ofSource = takenBySource.get(source) ?? 0;
      if (taken >= perSecondMax || ofSource >= perSourceMax) return false;
      takenBySource.set(source, ofSource + 1);
      taken++;
      return true;
    },
    renew() {
      takenBySource.clear();
      taken = 0;
    },
  };
}
