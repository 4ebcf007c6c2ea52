// Long work in small slices, with room for sales between them: steps of a generator until a slice is over, then the rest of
// the world, then on.

import { snapshotSliceMs } from '../core/limits.ts';
import type { Ports, TimerHandle } from '../ports.ts';

export type Running = { stop(): void };

/**
 * Calls `done` once, unless it is stopped, with what the steps return, or with what `broken` makes of what they throw.
 * 'brisk' goes on as soon as waiting input was read; 'gentle' pauses for as long as it works.
 */
export function inSlices<Result>(
  { clock, timers }: Pick<Ports, 'clock' | 'timers'>,
  pace: 'brisk' | 'gentle',
  steps: Generator<undefined, Result>,
  broken: (error: unknown) => Result,
  done: (result: Result) => void,
): Running {
  let timer: TimerHandle | null = null;
  let isStopped = false;

  function slice(): { result: Result } | 'more' {
    try {
      for (const until = clock.monotonic() + snapshotSliceMs; clock.monotonic() < until; ) {
        const step = steps.next();
        if (step.done) return { result: step.value };
      }
      return 'more';
    } catch (error) {
      return { result: broken(error) };
    }
  }

  function run(): void {
    if (isStopped) return;
    const made = slice();
    if (made !== 'more') return done(made.result);
    if (pace === 'brisk') timers.soon(run);
    else timer = timers.after(snapshotSliceMs, run);
  }

  timers.soon(run);
  return {
    stop() {
      isStopped = true;
      timer?.cancel();
      steps.return(undefined as never);
    },
  };
}
