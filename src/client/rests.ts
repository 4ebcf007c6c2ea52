// How long each appliance wants to be left alone, by its own word (`Retry-After`). Another one has said nothing.

import type { Environment } from './environment.ts';

export type Rests = {
  add(address: string, restMs: number): void;
  /** Milliseconds that are left; 0 when it said nothing, or that is over. */
  restMs(address: string): number;
};

export function createRests(environment: Pick<Environment, 'monotonic'>): Rests {
  const ends = new Map<string, number>();
  return {
    add: (address, restMs) => void ends.set(address, environment.monotonic() + restMs),
    restMs(address) {
      const leftMs = (ends.get(address) ?? 0) - environment.monotonic();
      if (leftMs > 0) return leftMs;
      ends.delete(address);
      return 0;
    },
  };
}
