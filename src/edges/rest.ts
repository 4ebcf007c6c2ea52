// Memory, busy and at rest. While it is busy, most of what an appliance makes lives no longer than a request: with room for
// it there is less to collect. After a busy hour the runtime keeps the room that it took until it needs it, and at rest it
// never does: a quarter of all memory on Node. One collection then, of some 30 ms, gives it back.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { restAfterCpuMs, restCpuShareMax, restLookMs } from '../core/limits.ts';
import type { TimerHandle, Timers } from '../ports.ts';

export type RestOptions = {
  readonly timers: Timers;
  /** CPU time of this process so far. */
  readonly cpuMs?: () => number;
  readonly release?: () => void;
};

/** Looks now and then, and releases once after each busy time. */
export function releaseAtRest({ timers, cpuMs = ownCpuMs, release = releaseMemory }: RestOptions): { stop(): void } {
  let released = 0;
  let before = cpuMs();
  let timer: TimerHandle;
  const look = (): void => {
    const now = cpuMs();
    const isAtRest = now - before < restLookMs * restCpuShareMax;
    if (isAtRest && now - released > restAfterCpuMs) {
      release();
      released = cpuMs();
    }
    before = cpuMs();
    timer = timers.after(restLookMs, look);
  };
  timer = timers.after(restLookMs, look);
  return { stop: () => timer.cancel() };
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Up to a tenth more sales a second for 4 MiB; V8 may change its mind about a flag while it runs. */
export function makeRoomForShortLived(): void {
  if (!('Bun' in globalThis)) setFlagsFromString(`--max-semi-space-size=${shortLivedMiB}`);
}

const shortLivedMiB = 64;

type Collect = (options?: { type: 'major'; flavor: 'last-resort' }) => void;

/** Node hides its collector behind a flag, which a new context sees; where that is gone, nothing is released. */
function releaseMemory(): void {
  const { Bun } = globalThis as { Bun?: { gc(isSynchronous: boolean): void } };
  if (Bun) return Bun.gc(true);
  setFlagsFromString('--expose-gc');
  const collect: Collect | undefined = runInNewContext('globalThis.gc');
  collect?.({ type: 'major', flavor: 'last-resort' });
}
