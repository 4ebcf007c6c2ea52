// Under which names this appliance answers. A page of any other name that was made to point at us (DNS rebinding) says so
// in its Host header, and is sent away before anything else is looked at.

import { isIP } from 'node:net';

/** `host`: the header as it came; undefined where there is none (HTTP/1.0, which no browser speaks). */
export type HostRule = (host: string | undefined) => boolean;

/** Host values seen to be good, so that the one of every till is not taken apart each time. */
const rememberedMax = 64;

/** `names`: of this machine, besides localhost and every address; without regard to case and a last dot. */
export function createHostRule(names: readonly string[]): HostRule {
  const known = new Set(['localhost', ...names.map(plainName)]);
  const good = new Set<string>();
  return (host) => {
    if (host === undefined || good.has(host)) return true;
    const [, address, name] = hostPattern.exec(host) ?? [];
    const isGood = address !== undefined ? isIP(address) === 6 : name !== undefined && isKnown(name, known);
    if (isGood && good.size < rememberedMax) good.add(host);
    return isGood;
  };
}

/** The names of a machine whose host name is this: as it is, and as mDNS tells it. */
export function namesOfMachine(hostname: string): string[] {
  const [first = ''] = hostname.split('.');
  return [hostname, first, `${first}.local`].filter((name) => name !== '' && name !== '.local');
}

/** Without what no certificate can name. */
export const namesForCertificate = (names: readonly string[]): string[] =>
  [...new Set(['localhost', ...names.map(plainName).map(plainAddress)])].filter(
    (name) => isIP(name) > 0 || /^[a-z0-9.-]+$/.test(name),
  );

/** Without the zone of an address, or the form in which IPv6 has one of IPv4. */
const plainAddress = (name: string): string => name.replace(/%.*$/, '').replace(/^::ffff:(?=[0-9.]+$)/, '');

const hostPattern = /^(?:\[([0-9a-f:.]+)(?:%[\w.~-]+)?\]|([^\s:/\\@?#[\]]+))(?::[0-9]{1,5})?$/i;

const isKnown = (name: string, known: ReadonlySet<string>): boolean => isIP(name) === 4 || known.has(plainName(name));

const plainName = (name: string): string => name.toLowerCase().replace(/\.$/, '');
