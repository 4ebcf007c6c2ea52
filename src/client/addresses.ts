// Addresses of appliances, as pure functions: what a person gives, what appliances tell, and the order in which they are
// tried. The till's own is first, always.

import { asObject, asText } from './messages.ts';

/** What an appliance told of one of the shop's. */
export type ToldAppliance = { readonly id: string; readonly isConnected: boolean; readonly urls: readonly string[] };

/** A shop has some appliances, each with an address for each network and protocol. */
export const addressesMax = 64;

/** Base address without a slash at its end, such as "http://192.168.1.20:3030"; undefined for what is none. */
export function readAddress(text: unknown): string | undefined {
  if (typeof text !== 'string' || !URL.canParse(text)) return undefined;
  const { protocol, origin, pathname } = new URL(text);
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  return origin + pathname.replace(/\/+$/, '');
}

/** The answer of GET /api/v1/appliances that came from `address`, which is one of its own; undefined when it is no such. */
export function readAppliances(body: unknown, address: string): ToldAppliance[] | undefined {
  const list = asObject(body)?.data;
  if (!Array.isArray(list)) return undefined;
  return list.flatMap((item) => {
    const { id, self, connected, urls } = asObject(item) ?? {};
    if (typeof id !== 'string' || !Array.isArray(urls)) return [];
    const read = urls.flatMap((url) => readAddress(url) ?? []);
    return [{ id, isConnected: connected === true || self === true, urls: self === true ? [address, ...read] : read }];
  });
}

/** What was written on this device the last time; nothing when it cannot be read. */
export function readRemembered(value: unknown): ToldAppliance[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item) => {
    const { id, isConnected, urls } = asObject(item) ?? {};
    const known = asText(id);
    if (known === undefined || !Array.isArray(urls)) return [];
    return [{ id: known, isConnected: isConnected === true, urls: urls.flatMap((url) => readAddress(url) ?? []) }];
  });
}

/**
 * All of them, each once, in the order to try: those that were given, then those that are told to be linked, then the rest.
 * A page that came by HTTPS may speak HTTPS only; and whose own appliance is spoken to by HTTPS sends the token nowhere in the
 * clear because an appliance says so.
 */
export function addressesInOrder(
  given: readonly string[],
  told: readonly ToldAppliance[],
  isSecurePage: boolean,
): string[] {
  const [linked, others] = [told.filter(({ isConnected }) => isConnected), told.filter((one) => !one.isConnected)];
  const isSecret = isSecurePage || given[0]?.startsWith('https:') === true;
  const urls = [...linked, ...others].flatMap((one) => one.urls);
  const all = [...given, ...urls.filter((url) => !isSecret || isOfUseToSecurePage(url))];
  return [...new Set(all)]
    .filter((address, index) => index === 0 || !isSecurePage || isOfUseToSecurePage(address))
    .slice(0, addressesMax);
}

/** Browsers let a secure page speak to its own machine in the clear. */
const isOfUseToSecurePage = (address: string): boolean =>
  /^(https:|http:\/\/(localhost|127\.[0-9.]+|\[::1\])([:/]|$))/.test(address);

/** Whether two addresses are known to be of one appliance. */
export const isSameAppliance = (a: string, b: string, told: readonly ToldAppliance[]): boolean =>
  a === b || told.some(({ urls }) => urls.includes(a) && urls.includes(b));
