// Jobs of one key, one after another: each begins when it is known how the one before ended. A bounded number waits.

export type Turns = {
  /** Undefined, and nothing is done, where too many wait already. */
  take<Result>(key: string, job: () => Promise<Result>): Promise<Result | undefined>;
};

/** `waitingMax`: of one key. */
export function createTurns(waitingMax: number): Turns {
  /** Who waits, by key; empty while one is at it and nobody waits. */
  const lines = new Map<string, (() => void)[]>();
  return {
    async take(key, job) {
      const line = lines.get(key);
      if (line && line.length >= waitingMax) return undefined;
      if (line) await new Promise<void>((resolve) => line.push(resolve));
      else lines.set(key, []);
      try {
        return await job();
      } finally {
        const next = lines.get(key)?.shift();
        if (next) next();
        else lines.delete(key);
      }
    },
  };
}
