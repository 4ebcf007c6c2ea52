// The medium as it is in a real device: one that does not open yet, that is slow, or full. Another one stands in for a durable
// one until that opens; reading ends after a time; writing ends when it ends, and after a time it is told that it does not.

import { withinTime } from './deadline.ts';
import type { Environment } from './environment.ts';
import type { Entry, OutboxMedium } from './outbox-medium.ts';

export type Keeping = {
  medium(): OutboxMedium;
  /** Everything that is kept. Throws when that cannot be read, and nothing may stand in for it. */
  read(): Promise<readonly Entry[]>;
  /** Throws what `trouble` says. */
  written<Result>(writing: Promise<Result>): Promise<Result>;
  /** What may be lost: nobody waits longer for it than for reading. */
  attempted(writing: Promise<unknown>): Promise<void>;
  recall(): Promise<unknown>;
  /** Whether the durable one for which another stands in opens by now. */
  isDurableBack(): Promise<boolean>;
  /** From the one that stood in into the durable one. */
  carryOver(): Promise<void>;
  /** What keeps this device from reading or writing, as a sentence; null when nothing does. */
  trouble(): string | null;
  close(): void;
};

/** A database that does not answer in this time may never do so, as in some browsers' private windows. */
const answerMsMax = 10_000;
const cannotRead = 'The tickets kept on this device cannot be read';
const cannotWrite = 'This device cannot keep tickets';

export function createKeeping(environment: Environment, name: string | undefined, changed: () => void): Keeping {
  const durable = environment.createMedium(name);
  let medium = durable;
  let isOpened = false;
  let isTrying = false;
  let trouble: string | null = null;
  const inTime = <Result>(promise: Promise<Result>): Promise<Result> => withinTime(environment, answerMsMax, promise);

  function tell(next: string | null): void {
    trouble = next;
    changed();
  }

  async function read(): Promise<readonly Entry[]> {
    try {
      const entries = await inTime(medium.load());
      trouble = null;
      isOpened = true;
      return entries;
    } catch (error) {
      trouble = `${cannotRead}: ${reasonOf(error)}`;
      const spare = isOpened ? null : environment.createSpareMedium();
      if (spare === null) throw new Error(trouble);
      [medium, isOpened, trouble] = [spare, true, null];
      return medium.load();
    } finally {
      changed();
    }
  }

  async function written<Result>(writing: Promise<Result>): Promise<Result> {
    const late = `${cannotWrite}: nothing was written in ${answerMsMax / 1000} s.`;
    const cancel = environment.after(answerMsMax, () => tell(late));
    try {
      const result = await writing;
      trouble = null;
      return result;
    } catch (error) {
      trouble = `${cannotWrite}: ${reasonOf(error)}`;
      throw new Error(trouble);
    } finally {
      cancel();
      changed();
    }
  }

  return {
    medium: () => medium,
    read,
    written,
    attempted: (writing) =>
      written(inTime(writing)).then(
        () => undefined,
        () => undefined,
      ),
    recall: () => inTime(medium.recall()),
    async isDurableBack() {
      if (medium === durable || isTrying) return false;
      isTrying = true;
      try {
        await inTime(durable.load());
        return true;
      } catch {
        return false;
      } finally {
        isTrying = false;
      }
    },
    async carryOver() {
      await inTime(durable.adopt(await medium.load()));
      medium = durable;
    },
    trouble: () => trouble,
    close() {
      medium.close();
      durable.close();
    },
  };
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
