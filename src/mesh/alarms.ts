// What needs an eye now: one line for each cause, until it is gone. Bounded; the oldest of what is most goes first.

import type { Clock } from '../ports.ts';

export type Alarm = { readonly code: string; readonly detail: string; readonly at: number };

export type Alarms = {
  /** `key` names the cause; raising it again changes the words, not the time. */
  raise(key: string, code: string, detail: string): void;
  has(key: string): boolean;
  clear(key: string): void;
  all(): Alarm[];
};

const alarmsMax = 50;
/** What was not seen again for a day is over. */
const keepMs = 86_400_000;

/** `raised`: told of what is news. */
export function createAlarms(clock: Clock, raised: (code: string, detail: string) => void = () => {}): Alarms {
  const alarms = new Map<string, Alarm & { raisedAt: number }>();
  /** Of the kind of which there are most: strangers that knock in numbers drive out no news of another kind. */
  function oldestOfMost(): string {
    const kinds = Map.groupBy(alarms, ([, { code }]) => code);
    const [most] = [...kinds.values()].sort((a, b) => b.length - a.length);
    return most?.[0]?.[0] ?? '';
  }

  return {
    raise(key, code, detail) {
      const isNews = !alarms.has(key);
      alarms.set(key, { code, detail, at: alarms.get(key)?.at ?? clock.now(), raisedAt: clock.monotonic() });
      if (alarms.size > alarmsMax) alarms.delete(oldestOfMost());
      if (isNews) raised(code, detail);
    },
    has: (key) => alarms.has(key),
    clear(key) {
      alarms.delete(key);
    },
    all() {
      for (const [key, { raisedAt }] of alarms) if (clock.monotonic() - raisedAt > keepMs) alarms.delete(key);
      return [...alarms.values()].map(({ code, detail, at }) => ({ code, detail, at }));
    },
  };
}
