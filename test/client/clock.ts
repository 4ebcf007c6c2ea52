// Time that passes when a test says so, and timers on it.

import type { Cancel } from '../../src/client/environment.ts';

type Timer = { readonly at: number; readonly order: number; readonly run: () => void };

export type ManualClock = {
  ms(): number;
  after(delayMs: number, run: () => void): Cancel;
  /** Time passes, timer by timer, with all that follows from each. */
  pass(ms: number): Promise<void>;
  timerCount(): number;
};

/** Whatever is already on its way arrives: promises, and what waits for them. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export function createClock(): ManualClock {
  const timers = new Set<Timer>();
  let now = 0;
  let order = 0;

  const next = (): Timer | undefined => [...timers].sort((a, b) => a.at - b.at || a.order - b.order)[0];

  return {
    ms: () => now,
    after(delayMs, run) {
      order += 1;
      const timer = { at: now + delayMs, order, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async pass(ms) {
      const end = now + ms;
      await settle();
      for (let timer = next(); timer && timer.at <= end; timer = next()) {
        timers.delete(timer);
        now = timer.at;
        timer.run();
        await settle();
      }
      now = end;
    },
    timerCount: () => timers.size,
  };
}
