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
  readonly ticket: KeptTicket /** Said by the caller, not filled in. */;
  readonly hasOwnTime: boolean;
};

export function keepTicket(sold: unknown, environment: Pick<Environment, 'now' | 'randomBytes'>): KeptSale {
  if (asObject(sold) === undefined) throw new TypeError('A ticket is an object.');
  const copy = asObject(JSON.parse(JSON.stringify(sold)));
  if (copy === undefined) throw new TypeError('A ticket is an object.');
  const now = environment.now();
  const id = copy.id ?? uuidV7(now, environment.randomBytes(16));
  if (typeof id !== 'string' || !idPattern.test(id)) {
    throw new TypeError('The id of a ticket is 1 to 64 of the characters A-Z a-z 0-9 _ . : -');
  }
  const hasOwnTime = copy.soldAt !== undefined && copy.soldAt !== null;
  const soldAt = hasOwnTime ? copy.soldAt : new Date(now).toISOString();
  return { ticket: { ...copy, id, soldAt }, hasOwnTime };
}

/** The id may be left out of a correction: it is that ticket. */
export const withId = (corrected: unknown, id: string): unknown => {
  const ticket = asObject(corrected);
  return ticket && ticket.id === undefined ? { ...ticket, id } : corrected;
};

/** As people are shown it. */
export function rejectedTicket({ ticket, rejection }: Entry): RejectedTicket {
  const { code, detail, rejectedAt, isFinal } = rejection ?? unknownRejection;
  return { ticket, code, detail, rejectedAt, isFinal };
}

const unknownRejection: Rejection = { code: 'unknown', detail: '', rejectedAt: 0, isFinal: true };

/** Whether both are one sale that was handed in twice. A time that was only filled in says nothing. */
export function isSameSale(earlier: KeptTicket, later: KeptTicket, hasOwnTime: boolean): boolean {
  const time = hasOwnTime ? {} : { soldAt: null };
  return canonical({ ...earlier, ...time }) === canonical({ ...later, ...time });
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_name, inner: unknown) => {
    const object: JsonObject | undefined = asObject(inner);
    return object ? Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))) : inner;
  });
