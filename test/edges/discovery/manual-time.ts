// Clock and timers that stand still until told to move, and a chance that always makes rounds as long as they may be.

import { systemRandom } from '../../../src/edges/system.ts';
import type { Clock, Random, TimerHandle, Timers } from '../../../src/ports.ts';

export type ManualTime = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  advance(ms: number): void;
  pendingCount(): number;
};

export function createManualTime(): ManualTime {
  let now = 0;
  let order = 0;
  const pending: { at: number; order: number; run: () => void }[] = [];
  const after = (delayMs: number, run: () => void): TimerHandle => {
    const timer = { at: now + delayMs, order: order++, run };
    pending.push(timer);
    return {
      cancel() {
        const index = pending.indexOf(timer);
        if (index >= 0) pending.splice(index, 1);
      },
    };
  };
  return {
    clock: { now: () => now, monotonic: () => now },
    random: { bytes: systemRandom.bytes, fraction: () => 0.999 },
    timers: { after, soon: (run) => void after(0, run) },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const [next] = pending.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at || a.order - b.order);
        if (!next) break;
        pending.splice(pending.indexOf(next), 1);
        now = next.at;
        next.run();
      }
      now = end;
    },
    pendingCount: () => pending.length,
  };
}
