// Where appliances are said to be: at most 64 places, each an id and an address, since one appliance may be at several and
// a liar may name another's id. Pure: rounds and seconds are counted by who asks.
//
// Who is in stays in as long as it is heard; nobody gives way to a newcomer. A flood of forged ids therefore drives out
// nobody. It fills what room is left: a quarter of the table from one address, and only as long as each forged id goes on
// being said, for what is silent for three rounds goes. Nor can another address say goodbye for an appliance, or change
// what it said of itself.

import {
  addressesPerReplicaMax,
  candidatesMax,
  candidatesPerSourceMax,
  missedRoundsMax,
  sightingsPerSecondMax,
} from '../../core/limits.ts';
import type { Sighting } from '../../ports.ts';

export type Claim = {
  readonly sighting: Sighting;
  /** Differs with each start of the appliance. */
  readonly start: string;
  /** Name of the instance, in lower case. */
  readonly fullname: string;
  /** Address that the packet came from. */
  readonly source: string;
};

type Candidate = { claim: Claim; missedRounds: number; toldThisSecond: boolean };

export type Candidates = {
  /** The sighting to tell, when it is news. */
  hear(claim: Claim): Sighting | null;
  /** An instance was named, without details: whether it is known, and what to tell of it, when it is news. */
  named(fullname: string, source: string): { isKnown: boolean; news: Sighting[] };
  /** Ids that are nowhere any more. */
  goodbye(fullname: string, source: string): string[];
  /** The network is asked again now. Ids that are nowhere any more. */
  round(): string[];
  /** Once a second: what may be told in one second may be told again. */
  second(): void;
  /** Appliances, not places. */
  count(): number;
};

export function createCandidates(): Candidates {
  const places = new Map<string, Candidate>();
  let told = 0;

  const all = (): Candidate[] => [...places.values()];
  const countWhere = (holds: (claim: Claim) => boolean): number => all().filter(({ claim }) => holds(claim)).length;

  const hasRoom = ({ sighting, source }: Claim): boolean =>
    places.size < candidatesMax &&
    countWhere((other) => other.source === source) < candidatesPerSourceMax &&
    countWhere((other) => other.sighting.replicaId === sighting.replicaId) < addressesPerReplicaMax;

  /** Takes out whoever meets the condition: the ids that are nowhere then. */
  function drop(isOut: (candidate: Candidate) => boolean): string[] {
    const out = [...places].filter(([, candidate]) => isOut(candidate));
    for (const [place] of out) places.delete(place);
    const left = new Set(all().map(({ claim }) => claim.sighting.replicaId));
    const ids = new Set(out.map(([, { claim }]) => claim.sighting.replicaId));
    return [...ids].filter((id) => !left.has(id));
  }

  /** One telling a second for each place, and some for all. */
  function tell(candidate: Candidate): Sighting | null {
    if (candidate.toldThisSecond || told >= sightingsPerSecondMax) return null;
    candidate.toldThisSecond = true;
    told++;
    return candidate.claim.sighting;
  }

  function heard(candidate: Candidate): Sighting | null {
    // One question is always under way; two mean that it left one unanswered.
    const wasSilent = candidate.missedRounds > 1;
    candidate.missedRounds = 0;
    return wasSilent ? tell(candidate) : null;
  }

  return {
    hear(claim) {
      const place = `${claim.sighting.replicaId}@${claim.sighting.address}`;
      const known = places.get(place);
      if (!known) {
        // What cannot be told now is not taken in either: it is news when it is heard next.
        if (told >= sightingsPerSecondMax || !hasRoom(claim)) return null;
        const candidate = { claim, missedRounds: 0, toldThisSecond: false };
        places.set(place, candidate);
        return tell(candidate);
      }
      const isChange = !isSame(known.claim, claim) && (isOfItself(claim) || !isOfItself(known.claim));
      if (!isChange) return heard(known);
      known.missedRounds = 0;
      if (known.toldThisSecond || told >= sightingsPerSecondMax) return null;
      known.claim = claim;
      return tell(known);
    },
    named(fullname, source) {
      const known = all().filter(({ claim }) => claim.fullname === fullname && claim.source === source);
      return { isKnown: known.length > 0, news: known.map(heard).filter((sighting) => sighting !== null) };
    },
    goodbye: (fullname, source) => drop(({ claim }) => claim.fullname === fullname && claim.source === source),
    round() {
      const gone = drop(({ missedRounds }) => missedRounds >= missedRoundsMax);
      for (const candidate of places.values()) candidate.missedRounds++;
      return gone;
    },
    second() {
      told = 0;
      for (const candidate of places.values()) candidate.toldThisSecond = false;
    },
    count: () => new Set(all().map(({ claim }) => claim.sighting.replicaId)).size,
  };
}

/** It came from the address that it names. */
const isOfItself = ({ sighting, source }: Claim): boolean => sighting.address.startsWith(`${source}:`);

const isSame = (a: Claim, b: Claim): boolean =>
  a.start === b.start &&
  a.fullname === b.fullname &&
  a.source === b.source &&
  a.sighting.name === b.sighting.name &&
  a.sighting.shop === b.sighting.shop;
