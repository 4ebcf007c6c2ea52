// How much one caller may ask: requests counted in windows of time, by credential where there is a valid one, else by
// address. Sales are counted apart, so that nothing else can cost one. In memory, and for a bounded number of callers.

import type { RateLimiterRes } from 'rate-limiter-flexible';
import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js';
import { type Failure, failure } from '../../core/command.ts';
import { hostOf } from '../../core/dial.ts';
import {
  callerRequestsMax,
  callerWindowSeconds,
  limitedKeysMax,
  loginFailuresMax,
  loginsWaitingMax,
  loginWindowSeconds,
  saleRequestsMax,
  strangerRequestsMax,
  strangerWindowSeconds,
} from '../../core/limits.ts';
import { createTurns } from './turns.ts';

export type Limiter = {
  /** `caller`: who a valid credential says; else the address counts. Undefined when the request may go on. */
  take(caller: string | undefined, address: string, isSale: boolean): Promise<Failure | undefined>;
  /**
   * Looks at a password or a code, if the address may guess still. One of an address at a time: so many at once do not slip
   * through, and right ones take no room from each other. Holds also where limits are off.
   */
  guess(address: string, look: () => Promise<Looked>): Promise<Looked>;
};

export type Looked = { readonly ok: true; readonly isRight: boolean } | Failure;

const tooManyWrong = 'Too many wrong passwords or codes came from here.';
const busy = failure('busy', 'Too many log in from here at once. Try again in a moment.', { facts: { retryAfter: 1 } });

/** What counts as a sale: writing tickets. */
export const isSale = (method: string, path: string): boolean =>
  (method === 'POST' || method === 'PUT') && (path === '/api/v1/tickets' || path.startsWith('/api/v1/tickets/'));

export function createLimiter(isOn: boolean): Limiter {
  const strangers = createWindow(strangerRequestsMax, strangerWindowSeconds);
  const callers = createWindow(callerRequestsMax, callerWindowSeconds);
  const sales = createWindow(saleRequestsMax, callerWindowSeconds);
  const wrong = createWindow(loginFailuresMax, loginWindowSeconds);
  const turns = createTurns(loginsWaitingMax);

  async function guessAlone(host: string, look: () => Promise<Looked>): Promise<Looked> {
    const refused = refusal(await wrong.untilRoom(host), tooManyWrong);
    if (refused) return refused;
    const looked = await look();
    if (looked.ok && !looked.isRight) await wrong.take(host);
    return looked;
  }

  return {
    async take(caller, address, isOfSale) {
      if (!isOn) return undefined;
      if (caller === undefined) return refusal(await strangers.take(address));
      return refusal(await (isOfSale ? sales : callers).take(caller));
    },
    async guess(address, look) {
      const host = hostOf(address);
      return (await turns.take(host, () => guessAlone(host, look))) ?? busy;
    },
  };
}

type Window = {
  /** Ms until there is room again; undefined when there was some. */
  take(key: string): Promise<number | undefined>;
  /** The same, without taking any. */
  untilRoom(key: string): Promise<number | undefined>;
};

function createWindow(points: number, duration: number): Window {
  const limiter = new RateLimiterMemory({ points, duration });
  // The library counts for as many as come; here the one counted longest makes room.
  const keys = new Set<string>();
  async function take(key: string): Promise<number | undefined> {
    if (!keys.has(key)) {
      const [oldest] = keys.size >= limitedKeysMax ? keys : [];
      if (oldest !== undefined) {
        keys.delete(oldest);
        await limiter.delete(oldest);
      }
      keys.add(key);
    }
    try {
      await limiter.consume(key);
      return undefined;
    } catch (refused) {
      if (refused instanceof Error) throw refused;
      return (refused as RateLimiterRes).msBeforeNext;
    }
  }
  return {
    take,
    async untilRoom(key) {
      const counted = await limiter.get(key);
      return counted && counted.consumedPoints >= points ? counted.msBeforeNext : undefined;
    },
  };
}

function refusal(waitMs: number | undefined, why = 'Too many requests came in a short time.'): Failure | undefined {
  if (waitMs === undefined) return undefined;
  const retryAfter = Math.max(1, Math.ceil(waitMs / 1000));
  return failure('rate_limited', `${why} Try again in ${retryAfter} s.`, { facts: { retryAfter } });
}
