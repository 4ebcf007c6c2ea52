// Listeners of one kind of event. One that throws, or whose promise rejects, is reported and harms nobody else.

import type { Unsubscribe } from './contract.ts';

export type Listeners<Value> = {
  add(listener: (value: Value) => void): Unsubscribe;
  tell(value: Value): void;
};

export function createListeners<Value>(report: (error: unknown) => void): Listeners<Value> {
  // A record for each, so that a function added twice is two listeners.
  const listeners = new Set<{ readonly listener: (value: Value) => unknown }>();
  return {
    add(listener) {
      const added = { listener };
      listeners.add(added);
      return () => void listeners.delete(added);
    },
    tell(value) {
      for (const { listener } of [...listeners]) callSafely(() => listener(value), report);
    },
  };
}

export function callSafely(run: () => unknown, report: (error: unknown) => void): void {
  try {
    const result = run();
    if (result instanceof Promise) result.catch(report);
  } catch (error) {
    report(error);
  }
}
