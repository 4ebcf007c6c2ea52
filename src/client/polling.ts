// Messages by HTTP, for as long as there is no WebSocket: one long poll after the other from the cursor that both share. An
// answer that comes after it was stopped counts for nothing.

import type { Answer, Asking } from './asking.ts';
import { answerMsMax } from './asking.ts';
import { retryDelayMs } from './backoff.ts';
import type { Cancel, Environment } from './environment.ts';
import { type PollAnswer, readPollAnswer } from './messages.ts';
import { isUnavailable } from './verdict.ts';

export type PollEvents = {
  /** Where to go on. `isPatient`: whether to wait for a message; without a cursor the stream begins with the answer. */
  url(isPatient: boolean): string;
  hasCursor(): boolean;
  /** Whether it was of any news. */
  answered(answer: PollAnswer): boolean;
  /** The place is none: begin anew. */
  cursorRefused(): void;
  failed(failure: PollFailure): void;
};

export type PollFailure = 'silent' | 'credential' | 'other';

export type Polling = {
  start(): void;
  stop(): void;
  /** Asks anew at once: other topics, another network. Should that fail, the pace is as slow as before. */
  hurry(): void;
};

type Run = { readonly controller: AbortController; isOver: boolean; wake: () => void };

export function createPolling(
  environment: Environment,
  asking: Asking,
  intervalMs: number,
  events: PollEvents,
): Polling {
  let run: Run | null = null;
  let failures = 0;
  /** Answers in a row that were a resync and nothing else. */
  let resyncs = 0;

  async function loop(own: Run): Promise<void> {
    while (!own.isOver) {
      const delayMs = await once(own);
      if (!own.isOver && delayMs > 0) await pause(own, delayMs);
    }
  }

  /** One question; milliseconds until the next. */
  async function once(own: Run): Promise<number> {
    const isPatient = events.hasCursor();
    const askedAt = environment.monotonic();
    const timeoutMs = answerMsMax + (isPatient ? intervalMs : 0);
    const answer = await asking.ask(events.url(isPatient), { timeoutMs, signal: own.controller.signal });
    if (own.isOver) return 0;
    const poll = answer.ok && answer.status === 200 ? readPollAnswer(answer.body) : undefined;
    if (poll === undefined) return failed(answer);
    failures = 0;
    resyncs = poll.resync === null || poll.messages.length > 0 ? 0 : resyncs + 1;
    const isNews = events.answered(poll);
    // One that can tell nothing but this is not asked all the time.
    if (resyncs > 0) return retryDelayMs(resyncs, environment.fraction());
    // Neither is one that does not wait.
    return isNews || (!isPatient && events.hasCursor())
      ? 0
      : Math.max(0, intervalMs - (environment.monotonic() - askedAt));
  }

  function failed(answer: Answer): number {
    failures += 1;
    if (answer.ok && answer.status === 400) events.cursorRefused();
    if (!answer.ok || isUnavailable(answer.status)) events.failed('silent');
    else events.failed(answer.status === 401 || answer.status === 403 ? 'credential' : 'other');
    const toldMs = answer.ok ? (answer.retryAfterMs ?? 0) : 0;
    const delayMs = retryDelayMs(failures, environment.fraction());
    return Math.max(toldMs, intervalMs, delayMs);
  }

  const pause = (own: Run, delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel: Cancel = environment.after(delayMs, resolve);
      own.wake = () => {
        cancel();
        resolve();
      };
    });

  function stop(): void {
    [failures, resyncs] = [0, 0];
    end();
  }

  function end(): void {
    if (!run) return;
    run.isOver = true;
    run.controller.abort();
    run.wake();
    run = null;
  }

  function start(): void {
    if (run) return;
    run = { controller: new AbortController(), isOver: false, wake: () => undefined };
    loop(run).catch(environment.report);
  }

  return {
    start,
    stop,
    hurry() {
      if (!run) return;
      end();
      start();
    },
  };
}
