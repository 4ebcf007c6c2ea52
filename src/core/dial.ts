// When to dial whom: formulas only, the timers are the mesh's.

import { redialBaseMs, redialFirstMs, redialMaxMs } from './limits.ts';

/**
 * Delay before attempt `failures` + 1, in milliseconds: about 1 s once, then 5, 10, 20, 40 s and 60 s for ever, each
 * spread over ±20 % by `fraction` in [0, 1), so that a shop's appliances do not all knock at the same moment.
 */
export function redialDelayMs(failures: number, fraction: number): number {
  const base = failures <= 1 ? redialFirstMs : Math.min(redialBaseMs * 2 ** Math.min(failures - 2, 10), redialMaxMs);
  return Math.min(Math.round(base * (0.8 + 0.4 * fraction)), redialMaxMs);
}

/** Of a link that has greeted: who dialed it. */
export type LinkClaim = { readonly dialerId: string };

/**
 * Of two links between the same pair, the one that both ends keep: that dialed by the smaller id; of two dialed by the
 * same end the newer, because the older one is what a restarted or cut-off end has left behind.
 */
export function survivingLink<Claim extends LinkClaim>(standing: Claim, newcomer: Claim): Claim {
  if (standing.dialerId === newcomer.dialerId) return newcomer;
  return standing.dialerId < newcomer.dialerId ? standing : newcomer;
}
