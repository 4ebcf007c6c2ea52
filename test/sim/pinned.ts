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
];
