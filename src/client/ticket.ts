// A ticket as it is kept: a copy, so that nobody changes it afterwards, with an id and the time of the sale. What can never be
// sent throws a TypeError.

import type { RejectedTicket } from './contract.ts';
import type { Environment } from './environment.ts';
import { asObject, type JsonObject } from './messages.ts';
import type { Entry, KeptTicket, Rejection } from './outbox-medium.ts';
import { uuidV7 } from './uuid.ts';

/** As appliances take them. */
const idPattern = /^[A-Za-z0-9_.:-]{1,64}$/;

export type KeptSale = {
  readonly ticket: KeptTicket;
  /** Members that the caller left out, and that were filled in. */
  readonly filledIn: readonly string[];
};

/** `terminalId`: of this till, as far as it is known; whoever sends the ticket later, the sale is this till's. */
export function keepTicket(
  sold: unknown,
  environment: Pick<Environment, 'now' | 'randomBytes'>,
  terminalId: string | undefined,
): KeptSale {
  if (asObject(sold) === undefined) throw new TypeError('A ticket is an object.');
  const copy = asObject(JSON.parse(JSON.stringify(sold)));
  if (copy === undefined) throw new TypeError('A ticket is an object.');
  const now = environment.now();
  const id = copy.id ?? uuidV7(now, environment.randomBytes(16));
  if (typeof id !== 'string' || !idPattern.test(id)) {
    throw new TypeError('The id of a ticket is 1 to 64 of the characters A-Z a-z 0-9 _ . : -');
  }
  const fillings: JsonObject = {
    soldAt: new Date(now).toISOString(),
    ...(terminalId === undefined ? {} : { terminalId }),
  };
  const filled = Object.entries(fillings).filter(([name]) => copy[name] === undefined || copy[name] === null);
  return { ticket: { ...copy, id, ...Object.fromEntries(filled) }, filledIn: filled.map(([name]) => name) };
}

/** The id may be left out of a correction: it is that ticket. */
export const withId = (corrected: unknown, id: string): unknown => {
  const ticket = asObject(corrected);
  return ticket && ticket.id === undefined ? { ...ticket, id } : corrected;
};

/** Of the till that a token was made for: till_<base64url of its id>.<secret>. Undefined for all other tokens. */
export function terminalIdOf(token: string | undefined): string | undefined {
  const encoded = /^till_([\w-]+)\./.exec(token ?? '')?.[1];
  if (encoded === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(encoded.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** As people are shown it. */
export function rejectedTicket({ ticket, rejection }: Entry): RejectedTicket {
  const { code, detail, rejectedAt, isFinal } = rejection ?? unknownRejection;
  return { ticket, code, detail, rejectedAt, isFinal };
}

const unknownRejection: Rejection = { code: 'unknown', detail: '', rejectedAt: 0, isFinal: true };

/** Whether both are one sale that was handed in twice. What was only filled in says nothing. */
export function isSameSale(earlier: KeptTicket, { ticket, filledIn }: KeptSale): boolean {
  const nothing = Object.fromEntries(filledIn.map((name) => [name, null]));
  return canonical({ ...earlier, ...nothing }) === canonical({ ...ticket, ...nothing });
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_name, inner: unknown) => {
    const object: JsonObject | undefined = asObject(inner);
    return object ? Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))) : inner;
  });
