// What an appliance's answer says about the ticket that was sent: that it is stored, that it is refused, or nothing about it
// at all. Only the first two may end the ticket's time in the outbox.

import type { Answer } from './asking.ts';
import { asObject, asText } from './messages.ts';

/** Why a ticket is still to be sent. */
export type Obstacle =
  /** Refused connections, cut ones, time-outs. */
  | 'silent'
  /** 502, 503, 504: nothing to do with this ticket. */
  | 'unavailable'
  /** 500 and the like, or refused by something that is no appliance: it may be this ticket. */
  | 'fault'
  | 'credential'
  | 'busy'
  /** Whoever answers there is no appliance, or one that has no such address. */
  | 'strange';

export type Verdict =
  | { readonly kind: 'stored'; readonly stored: unknown }
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }
  | Unknown;

export type Unknown = {
  readonly kind: 'unknown';
  readonly obstacle: Obstacle;
  /** Whether another ticket may be answered otherwise: all that an appliance does not say of itself, by a problem's name. */
  readonly mayBeTicket: boolean;
  readonly retryAfterMs: number | undefined;
};

const verdictStatuses = [400, 409, 413, 415, 422];
/** With the name of a problem these are about the token, or the appliance, and never about one ticket. */
const statusesOfWhole = [401, 403, 429, 503];

export function verdictOf(answer: Answer, id: string): Verdict {
  if (!answer.ok) return unknown('silent');
  const { status, body, retryAfterMs } = answer;
  // An appliance names the problem. A proxy that finds the ticket too large, or a filter that likes it not, does not.
  const isOurs = asText(asObject(body)?.code) !== undefined;
  if (status === 200 || status === 201) {
    // Somebody else at this address, such as the log-in page of a network, says 200 to everything.
    return asObject(body)?.id === id ? { kind: 'stored', stored: body } : unknown('strange');
  }
  if (verdictStatuses.includes(status)) {
    return isOurs ? { kind: 'refused', ...problemOf(status, body) } : unknown('fault');
  }
  return unknown(obstacleOf(status, isOurs), retryAfterMs, !(isOurs && statusesOfWhole.includes(status)));
}

function obstacleOf(status: number, isOurs: boolean): Obstacle {
  if (isOurs && (status === 401 || status === 403)) return 'credential';
  if (status === 429) return 'busy';
  if (isUnavailable(status)) return 'unavailable';
  return status >= 500 ? 'fault' : 'strange';
}

export const isUnavailable = (status: number): boolean => status === 502 || status === 503 || status === 504;

const unknown = (obstacle: Obstacle, retryAfterMs?: number, mayBeTicket = true): Verdict => ({
  kind: 'unknown',
  obstacle,
  mayBeTicket,
  retryAfterMs,
});

/** Code and sentence of a problem document (RFC 9457), with what is wrong in detail. */
export function problemOf(status: number, body: unknown): { code: string; detail: string } {
  const { code, title, detail, errors } = asObject(body) ?? {};
  const particulars = (Array.isArray(errors) ? errors : []).flatMap((error) => {
    const { pointer, detail: what } = asObject(error) ?? {};
    const sentence = asText(what);
    // Most details say the first of them already.
    return sentence === undefined || asText(detail)?.includes(sentence)
      ? []
      : [asText(pointer) ? `${asText(pointer)}: ${sentence}` : sentence];
  });
  const told = [asText(detail) ?? asText(title), ...particulars].filter(Boolean).join(' ');
  return {
    code: asText(code) ?? `http_${status}`,
    detail: told || `The appliance answered with HTTP status ${status}.`,
  };
}
