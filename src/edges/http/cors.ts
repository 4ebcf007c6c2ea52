// Pages of other origins: those that are configured, and of the shop's other appliances, may read what a token is good for; no cookie ever counts for them.
// Everybody else's browser hears nothing that would let his page read an answer.

import type { OriginRule } from './origins.ts';

const requestHeaders = 'Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key';
const shownHeaders = 'ETag, Location, Retry-After';
/** Two hours are what browsers keep at most. */
const preflightSeconds = 7200;

export type Cors = {
  /** Headers for every answer to a request of this origin; undefined where there is nothing to say. */
  headersFor(origin: string | null): Readonly<Record<string, string>> | undefined;
  /** Headers that answer a preflight; undefined where it is none, or of an origin that is not configured. */
  preflight(request: Request, methods: () => readonly string[]): Readonly<Record<string, string>> | undefined;
};

export function createCors(isListed: OriginRule): Cors {
  const headersFor = (origin: string | null): Record<string, string> | undefined => {
    if (origin === null) return undefined;
    if (!isListed(origin)) return { Vary: 'Origin' };
    return { Vary: 'Origin', 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': shownHeaders };
  };
  return {
    headersFor,
    preflight({ method, headers }, methods) {
      if (method !== 'OPTIONS' || !headers.has('access-control-request-method')) return undefined;
      const origin = headers.get('origin');
      if (!isListed(origin)) return undefined;
      return {
        ...headersFor(origin),
        'Access-Control-Allow-Methods': methods().join(', '),
        'Access-Control-Allow-Headers': requestHeaders,
        'Access-Control-Max-Age': String(preflightSeconds),
      };
    },
  };
}
