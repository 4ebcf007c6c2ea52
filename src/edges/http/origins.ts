// Where a request comes from: how it came, and which page a browser says is behind it. Our own is the one of exactly this
// scheme, host and port; others count only where they are configured, and never together with a cookie.

import type { OpenTalk } from '../../realtime/talk.ts';

/** How a request came: told by the socket, never by what the request says of itself. */
export type Visit = {
  readonly address?: string | undefined;
  readonly isTls?: boolean | undefined;
  /** From this machine itself. */
  readonly isFromHere?: boolean | undefined;
  /** There where it asks to become a WebSocket: whoever calls this has it so, and answers nothing else. */
  readonly upgrade?: ((open: OpenTalk) => void) | undefined;
};

/** Addresses as the socket has them, without ::ffff:. From its own address nobody but a machine itself is heard. */
export const isFromHere = (remote: string | undefined, local: string | undefined): boolean =>
  remote !== undefined && (remote.startsWith('127.') || remote === '::1' || remote === local);

/** What a request says of the page behind it. */
export type Sender = {
  readonly origin: string | null;
  readonly host: string | null;
  readonly isTls: boolean;
};

export const isOwnOrigin = ({ origin, host, isTls }: Sender): boolean =>
  origin !== null && host !== null && origin === `${isTls ? 'https' : 'http'}://${host.toLowerCase()}`;

/** Whether pages of an origin that is not ours may use tokens here. */
export type OriginRule = (origin: string | null) => boolean;

/**
 * Those that are configured, and the pages of the shop's other appliances: a till that was loaded from one that is off goes on
 * here. "null" is what browsers say for pages without an origin (a file, a sandbox): nobody can be trusted under that name.
 */
export const createOriginRule =
  (listed: readonly string[], ofShop: () => readonly string[]): OriginRule =>
  (origin) =>
    origin !== null && origin !== 'null' && (listed.includes(origin) || ofShop().includes(origin));

/** Whether a page other than ours is behind it. Tools send no Origin; then nobody's cookie rides along. */
export const isForeign = (sender: Sender): boolean => sender.origin !== null && !isOwnOrigin(sender);

/** Sec-Fetch-Site: what is not from our page or from a person's own hand. "same-site" is another port of this machine. */
export const isFromElsewhere = (fetchSite: string | null): boolean =>
  fetchSite !== null && fetchSite !== 'same-origin' && fetchSite !== 'none';
