// Waiting in tests: bounded, and it says what was waited for.

import { until as untilAsync } from '../src/demo/appliance-process.ts';

/** Looks again until `isSo`; rejects after `msMax`. What it throws until then counts as "not yet". */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, msMax = 10_000): Promise<void> {
  let lastError: unknown;
  const attempt = async (): Promise<boolean> => {
    try {
      lastError = undefined;
      return await isSo();
    } catch (error) {
      lastError = error;
      return false;
    }
  };
  await untilAsync(what, msMax, attempt).catch((error: Error) => {
    throw lastError ? new Error(`${error.message}: ${String(lastError)}`) : error;
  });
}
