// A promise that is not waited for for ever.

import type { Environment } from './environment.ts';

/** Rejects when it has not settled after `ms`; what becomes of it then is of no interest. */
export function withinTime<Result>(
  environment: Pick<Environment, 'after'>,
  ms: number,
  promise: Promise<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const cancel = environment.after(ms, () => reject(new Error(`nothing came in ${ms / 1000} s.`)));
    promise.then(resolve, reject).finally(cancel);
  });
}
