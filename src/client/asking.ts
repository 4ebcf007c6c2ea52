// Questions to an appliance by HTTP: with the token or the page's session, within a time, never following to another address.
// `ask` is for the client's own questions and never rejects; `request` is fetch.

import { retryAfterMs } from './backoff.ts';
import type { Environment } from './environment.ts';
import { asObject, asText, parseJson } from './messages.ts';

export type Answer =
  | {
      readonly ok: true;
      readonly status: number;
      /** Parsed; undefined when it is no JSON. */
      readonly body: unknown;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly ok: false; readonly reason: 'silent' | 'aborted' };

export type Question = {
  readonly method?: string;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Of somebody who may be a stranger: neither token nor cookies go there. */
  readonly isAnonymous?: boolean;
  readonly signal?: AbortSignal;
};

export type Asking = {
  ask(url: string, question?: Question): Promise<Answer>;
  /** Rejects as fetch does; without a signal of its own, when no answer has begun after `answerMsMax`. */
  request(address: string, path: string, init: RequestInit): Promise<Response>;
  /** Of the last question that was answered, milliseconds; null before. */
  rttMs(): number | null;
  /** When anything was last answered, Unix milliseconds. */
  answeredAt(): number | null;
  /** Ends what is under way. */
  close(): void;
};

/** An appliance on a LAN answers in a hundredth of this. */
export const answerMsMax = 5_000;
/** More than a page reads at a time. */
const begunMax = 100;
const safeMethods = ['GET', 'HEAD', 'OPTIONS'];
const csrfHeader = 'x-csrf-token';

export function createAsking(environment: Environment, token: string | undefined): Asking {
  let rttMs: number | null = null;
  let answeredAt: number | null = null;
  /** What a page's session wants to see beside its cookie when something is changed. */
  let csrfToken: string | undefined;
  const underWay = new Set<AbortController>();
  /** Of answers whose body may not have come to its end; nothing tells. */
  const begun: AbortController[] = [];
  let isClosed = false;

  async function request(address: string, path: string, init: RequestInit): Promise<Response> {
    const { signal } = init;
    if (signal) return send(address + path, init, signal);
    const controller = new AbortController();
    underWay.add(controller);
    const cancel = environment.after(answerMsMax, () => controller.abort(timeoutError()));
    try {
      return await send(address + path, init, controller.signal);
    } finally {
      cancel();
      underWay.delete(controller);
      begun.push(controller);
      if (begun.length > begunMax) begun.shift();
    }
  }

  async function send(url: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== undefined && !headers.has('authorization')) headers.set('authorization', `Bearer ${token}`);
    const credentials = token === undefined ? 'same-origin' : 'omit';
    const isChange = !safeMethods.includes((init.method ?? 'GET').toUpperCase());
    const isOfSession = token === undefined && environment.isPage && isChange && !headers.has(csrfHeader);
    if (isOfSession) headers.set(csrfHeader, await csrfTokenFor(url, signal));
    const response = await timed(url, { credentials, ...init, headers }, signal);
    // Perhaps another session by now: its token is asked for the next time.
    if (isOfSession && response.status === 403) csrfToken = undefined;
    return response;
  }

  async function timed(url: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    const startedAt = environment.monotonic();
    const response = await environment.fetch(url, { credentials: 'omit', ...init, signal });
    answeredAt = environment.now();
    if (!isPatient(url)) rttMs = environment.monotonic() - startedAt;
    return response;
  }

  async function csrfTokenFor(url: string, signal: AbortSignal): Promise<string> {
    if (csrfToken !== undefined) return csrfToken;
    const { origin } = new URL(url);
    const session = await environment.fetch(`${origin}/api/v1/session`, { credentials: 'same-origin', signal });
    const told = asText(asObject(parseJson(await session.text()))?.csrfToken);
    if (session.ok) csrfToken = told;
    return told ?? '';
  }

  async function ask(url: string, question: Question = {}): Promise<Answer> {
    const { method = 'GET', json, headers = {}, timeoutMs = answerMsMax, isAnonymous = false, signal } = question;
    if (signal?.aborted) return { ok: false, reason: 'aborted' };
    const controller = new AbortController();
    underWay.add(controller);
    const abort = () => controller.abort();
    const cancel = environment.after(timeoutMs, abort);
    signal?.addEventListener('abort', abort);
    const content = json === undefined ? {} : { 'content-type': 'application/json' };
    try {
      const body = json === undefined ? undefined : JSON.stringify(json);
      const init: RequestInit = { method, body, headers: { ...content, ...headers }, redirect: 'error' };
      const fresh = { ...init, cache: 'no-store' } as RequestInit;
      const response = await (isAnonymous ? timed : send)(url, fresh, controller.signal);
      const text = await response.text();
      return {
        ok: true,
        status: response.status,
        body: parseJson(text),
        retryAfterMs: retryAfterMs(response.headers.get('retry-after'), environment.now()),
      };
    } catch {
      return { ok: false, reason: signal?.aborted || isClosed ? 'aborted' : 'silent' };
    } finally {
      cancel();
      underWay.delete(controller);
      signal?.removeEventListener('abort', abort);
    }
  }

  function close(): void {
    isClosed = true;
    for (const controller of [...underWay, ...begun])
      controller.abort(new DOMException('The connection was closed.', 'AbortError'));
  }

  return { ask, request, rttMs: () => rttMs, answeredAt: () => answeredAt, close };
}

/** Its answer waits for a message: how long it took says nothing. */
const isPatient = (url: string): boolean => /[?&]wait=[1-9]/.test(url);

/** As AbortSignal.timeout has it. */
const timeoutError = (): Error => new DOMException('The appliance did not answer in time.', 'TimeoutError');
