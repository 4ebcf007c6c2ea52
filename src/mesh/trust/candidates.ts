// Appliances that were seen and are not of the shop: what an admin chooses from. Bounded: when there are too many, the one
// that has waited longest at the place with the most of them makes room, so a crowd at one address drives out itself.

import { strangersShownMax } from '../../core/limits.ts';
import type { Clock } from '../../ports.ts';

export type Candidate = {
  readonly id: string;
  name: string | null;
  address: string | null;
  /** Host from which it came, or where it is said to be. */
  from: string;
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

  function makeRoom(): void {
    if (candidates.size < strangersShownMax) return;
    const byPlace = Map.groupBy(candidates.values(), ({ from }) => from);
    const [crowd] = [...byPlace.values()].sort((a, b) => b.length - a.length);
    const [oldest] = (crowd ?? []).sort((a, b) => a.seenAt - b.seenAt);
    if (oldest) candidates.delete(oldest.id);
  }

  return {
    get: (id) => candidates.get(id),
    all: () => [...candidates.values()],
    note(id, facts) {
      const known = candidates.get(id);
      if (known) return void Object.assign(known, facts, { seenAt: clock.now() });
      makeRoom();
      const from = facts.address?.replace(/:[0-9]+$/, '') ?? '';
      candidates.set(id, {
        id,
        name: null,
        address: null,
        from,
        shop: null,
        asks: false,
        ...facts,
        seenAt: clock.now(),
      });
    },
    remove(id) {
      candidates.delete(id);
    },
  };
}
