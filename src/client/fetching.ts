// What the page itself asks of appliances. A question that may be repeated without harm is repeated, once, where we are after
// it was not answered; all others are the page's to repeat.

import { type Asking, answerMsMax } from './asking.ts';
import { asObject, asText } from './messages.ts';
import { isUnavailable, problemOf } from './verdict.ts';
import type { Whereabouts } from './whereabouts.ts';

const idempotentMethods = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'];
const nobodyAnswers = 'No appliance answers. Try again when one does.';

export async function fetchAnywhere(
  asking: Asking,
  whereabouts: Whereabouts,
  path: string,
  init: RequestInit,
): Promise<Response> {
  // Else it could name another host, and the token would go there.
  if (typeof path !== 'string' || !path.startsWith('/')) throw new TypeError('A path begins with "/".');
  const address = whereabouts.current();
  try {
    const response = await asking.request(address, path, init);
    if (isUnavailable(response.status)) void whereabouts.doubt(address, 'silent');
    else if (response.status < 500) whereabouts.heard(address);
    return response;
  } catch (error) {
    if (init.signal?.aborted) throw error;
    const isReady = await whereabouts.doubt(address, 'silent');
    const isAnswerLikely = isReady || whereabouts.current() !== address;
    if (!isAnswerLikely || !mayRepeat(init)) throw error;
    return asking.request(whereabouts.current(), path, init);
  }
}

function mayRepeat({ method = 'GET', headers, body }: RequestInit): boolean {
  // What was read out of a stream is gone.
  if (body !== null && typeof body === 'object' && 'getReader' in body) return false;
  return idempotentMethods.includes(method.toUpperCase()) || new Headers(headers).has('idempotency-key');
}

/** `key` makes one message of two sendings, where the appliance knows it. */
export async function sendMessage(
  asking: Asking,
  whereabouts: Whereabouts,
  message: object,
  key: string,
): Promise<{ readonly messageId: string; readonly timestamp: number }> {
  const ask = (address: string) =>
    asking.ask(`${address}/api/sync/send`, {
      method: 'POST',
      json: message,
      headers: { 'idempotency-key': key },
      timeoutMs: answerMsMax,
    });
  const address = whereabouts.current();
  let answer = await ask(address);
  if (!answer.ok || isUnavailable(answer.status)) {
    await whereabouts.doubt(address, 'silent');
    if (whereabouts.current() !== address) answer = await ask(whereabouts.current());
  }
  if (!answer.ok) throw new Error(nobodyAnswers);
  const { messageId, timestamp } = asObject(answer.body) ?? {};
  const id = asText(messageId);
  if (answer.status < 200 || answer.status > 299 || id === undefined) {
    throw new Error(problemOf(answer.status, answer.body).detail);
  }
  return { messageId: id, timestamp: typeof timestamp === 'number' ? timestamp : 0 };
}
