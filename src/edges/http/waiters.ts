// Who waits for the next change of the feed. All who wait stand at its end, so one read after a commit serves all who
// asked for the same: the cost is with the commits, not with the tills that wait.

import { type Failure, failure } from '../../core/command.ts';
import { feedWaitersMax } from '../../core/limits.ts';
import type { Feed, FeedPage, FeedRequest } from '../../feed/feed.ts';
import type { Log, Timers } from '../../ports.ts';

export type Waiters = {
  /** The first page with something in it; an empty one when time is up or the client is gone or we stop. */
  next(request: FeedRequest & { after: string }, waitMs: number, asker: Asker): Promise<FeedPage | Failure>;
  /** Sends away who would no longer be let in. */
  recheck(): void;
};

/** `refusalNow` is asked after each change of a record: it may have revoked who waits. */
export type Asker = { readonly gone: AbortSignal; readonly refusalNow: () => Failure | undefined };

type Waiter = {
  request: FeedRequest & { after: string };
  readonly asker: Asker;
  finish(page: FeedPage | Failure): void;
};

export function createWaiters(
  feed: Feed,
  recordRevision: () => number,
  timers: Timers,
  log: Log,
  stopping: AbortSignal,
): Waiters {
  const waiters = new Set<Waiter>();
  let unsubscribe: (() => void) | undefined;
  let revision = recordRevision();

  function recheck(): void {
    for (const waiter of [...waiters]) {
      const refused = waiter.asker.refusalNow();
      if (refused) waiter.finish(refused);
    }
  }

  /** Runs inside a commit's aftermath, so it must not throw. */
  function wake(): void {
    if (recordRevision() !== revision) {
      revision = recordRevision();
      recheck();
    }
    const pages = new Map<string, FeedPage | Failure>();
    for (const waiter of [...waiters]) {
      const { after, limit, entities } = waiter.request;
      const key = `${after} ${limit} ${entities?.join() ?? ''}`;
      const page = pages.get(key) ?? readQuietly(waiter.request);
      pages.set(key, page);
      if (!page.ok || page.changes.length > 0) waiter.finish(page);
      else waiter.request = { ...waiter.request, after: page.next };
    }
  }

  function readQuietly(request: FeedRequest): FeedPage | Failure {
    try {
      return feed.read(request);
    } catch (error) {
      log.warn('the feed could not be read', { error: String(error) });
      return failure('not_ready', 'The feed cannot be read now.');
    }
  }

  function next(request: FeedRequest & { after: string }, waitMs: number, asker: Asker) {
    const { gone } = asker;
    if (waiters.size >= feedWaitersMax) {
      return Promise.resolve(failure('too_many_waiting', 'Ask again in some seconds, or without wait.'));
    }
    return new Promise<FeedPage | Failure>((resolve) => {
      const giveUp = (): void => waiter.finish({ ok: true, changes: [], next: waiter.request.after, atEnd: true });
      const timer = timers.after(waitMs, giveUp);
      const waiter: Waiter = {
        request,
        asker,
        finish(page) {
          waiters.delete(waiter);
          if (waiters.size === 0) {
            unsubscribe?.();
            unsubscribe = undefined;
          }
          timer.cancel();
          gone.removeEventListener('abort', giveUp);
          stopping.removeEventListener('abort', giveUp);
          resolve(page);
        },
      };
      waiters.add(waiter);
      unsubscribe ??= feed.subscribe(wake);
      gone.addEventListener('abort', giveUp);
      stopping.addEventListener('abort', giveUp);
      if (gone.aborted || stopping.aborted) giveUp();
    });
  }

  return { next, recheck };
}
