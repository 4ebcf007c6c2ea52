// When to dial whom, and where not at all: formulas only, the timers are the mesh's.

import { redialBaseMs, redialFirstMs, redialMaxMs } from './limits.ts';

/**
 * Delay before attempt `failures` + 1, in milliseconds: about 1 s once, then 5, 10, 20, 40 s and 60 s for ever, each
 * spread over ±20 % by `fraction` in [0, 1), so that a shop's appliances do not all knock at the same moment.
 */
export function redialDelayMs(failures: number, fraction: number): number {
  const base = failures <= 1 ? redialFirstMs : Math.min(redialBaseMs * 2 ** Math.min(failures - 2, 10), redialMaxMs);
  return Math.min(Math.round(base * (0.8 + 0.4 * fraction)), redialMaxMs);
}

const addressPattern = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})$/;

/**
 * What is wrong with host:port as a place to dial. Link-local addresses are those of the machine's own surroundings (the
 * keys of a cloud among them), and no appliance is at "everywhere" or at many at once.
 */
export function addressFault(address: string): 'malformed' | 'refused' | undefined {
  const [, inBrackets, plain, port] = addressPattern.exec(address) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65535) return 'malformed';
  const host = (inBrackets ?? plain ?? '').toLowerCase().replace(/^::ffff:(?=[0-9.]+$)/, '');
  return /^(169\.254\.|0\.|22[4-9]\.|23[0-9]\.|255\.|fe[89ab][0-9a-f]:|ff[0-9a-f]{2}:|::$|::ffff:)/.test(host)
    ? 'refused'
    : undefined;
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

/** What an address counts as: of IPv6 its /64, for within that a host has as many as it likes. */
export function hostOf(address: string): string {
  if (!address.includes(':')) return address;
  const [start = '', end] = address.replace(/%.*/, '').split('::');
  const [first, last] = [groupsOf(start), groupsOf(end ?? '')];
  const between = end === undefined ? 0 : 8 - first.length - last.length;
  const groups = [...first, ...Array<string>(Math.max(0, between)).fill('0'), ...last];
  return `${groups.slice(0, 4).join(':')}::/64`;
}

const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'));

/** Whether a text is where something may be served: scheme, host and port exactly as browsers say them. */
export const isServedOrigin = (text: string): boolean =>
  /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
