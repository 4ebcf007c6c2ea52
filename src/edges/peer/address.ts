// Addresses of mesh ports as text: host:port, IPv6 in brackets.

import { isIPv6 } from 'node:net';

export type Address = { readonly host: string; readonly port: number };

export function parseAddress(text: string): Address | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:/[\]]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host !== undefined && port >= 1 && port <= 65535 ? { host, port } : undefined;
}

/** An IPv4 address that came over an IPv6 socket is shown as what it is. */
export function formatAddress(host: string | undefined, port: number | undefined): string {
  const known = host?.replace(/^::ffff:(?=[0-9.]+$)/, '') ?? 'unknown';
  return `${isIPv6(known) ? `[${known}]` : known}:${port ?? 0}`;
}
