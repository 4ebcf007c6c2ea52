// Under which names an appliance answers; and, as origins of the web, under which names and addresses it serves tills and pages:
// for each one for the plain port and one for HTTPS. Other appliances tell them to tills, and take tokens from pages of them.

import { hostname, networkInterfaces } from 'node:os';
import type { Settings } from '../config.ts';
import { servedOriginsMax } from '../core/limits.ts';
import { namesOfMachine } from '../edges/http/hosts.ts';

/** Besides localhost and every address. */
export const namesOf = ({ hosts, host }: Settings): string[] => [
  ...namesOfMachine(hostname()),
  ...hosts,
  ...(host ? [host] : []),
];

type Ports = { readonly port: number; readonly meshPort: number };

/** As they are now: addresses come and go. The likeliest to be reached from elsewhere first. */
export function servedOrigins(settings: Settings, { port, meshPort }: Ports): string[] {
  const { host, httpsOnly } = settings;
  const isAll = host === null || host === '0.0.0.0' || host === '::';
  const names = namesOf(settings).filter((name) => name !== host);
  const hosts = isAll ? [...addressesOfMachine(), ...names, ...loopback] : [host, ...names];
  const origins = [...new Set(hosts.map(toUrlHost))].flatMap((name) => [
    ...(httpsOnly ? [] : originOf(`http://${name}:${port}`)),
    ...originOf(`https://${name}:${meshPort}`),
  ]);
  return [...new Set(origins)].slice(0, servedOriginsMax);
}

const loopback = ['127.0.0.1', 'localhost'];

/** Of IPv4 first; without those that count on one cable only (fe80::). */
function addressesOfMachine(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((at = []) => at.filter(({ internal }) => !internal));
  const usable = all.filter(({ address }) => !/^(fe80:|169\.254\.)/i.test(address));
  return [...usable].sort((a, b) => a.family.localeCompare(b.family)).map(({ address }) => address);
}

const toUrlHost = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** None for a name that the web does not have. */
const originOf = (url: string): string[] => (URL.canParse(url) ? [new URL(url).origin] : []);
