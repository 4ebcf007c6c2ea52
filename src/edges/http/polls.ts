// Polls that wait for a message. Each holds a socket of the port, so there is room for some only: where there is none left,
// whoever waits most often makes room, and is answered with what there is: nothing.

import type { Failure } from '../../core/command.ts';
import { firstOfMost } from '../../core/crowd.ts';
import { livePollsMax } from '../../core/limits.ts';
import type { Timers } from '../../ports.ts';
import type { Interest } from '../../realtime/message.ts';
import type { Realtime } from '../../realtime/realtime.ts';
import type { Entry, Lost, Place } from '../../realtime/stream.ts';

export type Asker = {
  /** By whom places are counted. */
  readonly holder: string;
  readonly gone: AbortSignal;
  readonly refusalNow: () => Failure | undefined;
};

/** `place`: after all that was heard, or is for others. */
export type Heard = {
  readonly ok: true;
  readonly place: Place;
  readonly entries: readonly Entry[];
  readonly lost?: Lost;
};

export type Polls = {
  /** Until something comes, or time is up, or nobody wants it any more. */
  wait(place: Place, interest: Interest, waitMs: number, asker: Asker): Promise<Heard | Failure>;
};

export function createPolls(realtime: Realtime, timers: Timers, stopping: AbortSignal): Polls {
  const waiting = new Set<{ readonly holder: string; giveUp(): void }>();
  return {
    wait(place, interest, waitMs, { holder, gone, refusalNow }) {
      if (waiting.size >= livePollsMax) firstOfMost(waiting, (one) => one.holder)?.giveUp();
      return new Promise((resolve) => {
        const finish = (heard: Heard | Failure): void => {
          listener.end();
          timer.cancel();
          waiting.delete(one);
          for (const signal of [gone, stopping]) signal.removeEventListener('abort', one.giveUp);
          resolve(heard);
        };
        const one = { holder, giveUp: () => finish({ ok: true, place: listener.place(), entries: [] }) };
        const listener = realtime.listen({ place }, interest, {
          isReady: () => true,
          entries(entries) {
            finish({ ok: true, place: listener.place(), entries });
            return entries.length;
          },
          lost: (lost) => finish({ ok: true, place: listener.place(), entries: [], lost }),
          refusalNow,
          refused: finish,
        });
        const timer = timers.after(waitMs, one.giveUp);
        waiting.add(one);
        for (const signal of [gone, stopping]) signal.addEventListener('abort', one.giveUp);
        if (gone.aborted || stopping.aborted) one.giveUp();
      });
    },
  };
}
