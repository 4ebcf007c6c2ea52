// Appliances that were seen and are not of the shop: what an admin chooses from. Bounded; whoever knocks or is announced in
// numbers drives nobody out who asked to be let in.

import { strangersShownMax } from '../../core/limits.ts';
import type { Clock } from '../../ports.ts';

export type Candidate = {
  readonly id: string;
  name: string | null;
  address: string | null;
  /** Shop that it says it is of. */
  shop: string | null;
  /** Unix milliseconds. */
  seenAt: number;
  /** It asked to be let in. */
  asks: boolean;
};

export type Candidates = {
  get(id: string): Candidate | undefined;
  all(): Candidate[];
  note(id: string, facts: Partial<Omit<Candidate, 'id' | 'seenAt'>>): void;
  remove(id: string): void;
};

export function createCandidates(clock: Clock): Candidates {
  const candidates = new Map<string, Candidate>();

  function makeRoom(asks: boolean): boolean {
    if (candidates.size < strangersShownMax) return true;
    const others = [...candidates.values()].filter((one) => asks && !one.asks);
    const oldest = others.reduce<Candidate | undefined>(
      (old, one) => (old && old.seenAt <= one.seenAt ? old : one),
      undefined,
    );
    return oldest !== undefined && candidates.delete(oldest.id);
  }

  return {
    get: (id) => candidates.get(id),
    all: () => [...candidates.values()],
    note(id, facts) {
      const known = candidates.get(id);
      if (known) return void Object.assign(known, facts, { seenAt: clock.now() });
      if (!makeRoom(facts.asks === true)) return;
      candidates.set(id, { id, name: null, address: null, shop: null, asks: false, ...facts, seenAt: clock.now() });
    },
    remove(id) {
      candidates.delete(id);
    },
  };
}
