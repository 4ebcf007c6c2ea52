// Seeds that once broke a rule, with what was found. A seed means the same only while the simulation throws its dice in
// the same order, so what was found has a small scenario of its own beside it (scenarios.test.ts).

export type PinnedSeed = { seed: string; found: string };

export const pinnedSeeds: readonly PinnedSeed[] = [
  { seed: '5', found: 'an appliance was sent its own ops back after a restart (B9)' },
  { seed: '13', found: 'a conflict settled once was not told again (B6)' },
  { seed: '49', found: 'an edit was merged before what its author had seen (B5)' },
  { seed: '53', found: 'the search for the common past of a fork began where the pasts had parted (B3)' },
  { seed: '69', found: 'an op that waits counts as held, not as seen (B6)' },
  { seed: '72', found: 'an edit superseded in a void branch is not lost (B1)' },
  { seed: '175', found: 'what a peer had told of a void branch was asked for at every ping (B9)' },
  {
    seed: '2163',
    found: 'an edit made while the own past was in doubt waited unseen, and the next one buried it (B1)',
  },
  { seed: '2185', found: 'the same, on an appliance whose disk was copied (B1)' },
  { seed: '2456', found: 'what an edit had seen of a void branch stayed in one vector, and not in the other (B3)' },
  { seed: '517', found: 'a fork of which its author was linked to one side only was never mended (B3)' },
  { seed: '432', found: 'a search for the common past did not know its answer, and never ended (B3)' },
  { seed: '284', found: 'who had seen a void op counted as having seen the one that stood under its number (B6)' },
  { seed: '686', found: 'of two branches void at once the second was never let go of (B3)' },
  { seed: '885', found: 'a disk that failed as it was opened was told as open (B7)' },
];
