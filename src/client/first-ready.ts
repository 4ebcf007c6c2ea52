// The first of some appliances that is ready, in their order: a dead one holds up nobody, and none is asked that need not be.

import type { Cancel, Environment } from './environment.ts';

/** Between the first questions to two appliances: the earlier one is taken if it answers as fast as a LAN lets it. */
const staggerMs = 250;

/** Asked one shortly after the other, the next at once when one is not ready. Undefined when none is. */
export function firstReady(
  environment: Pick<Environment, 'after'>,
  addresses: readonly string[],
  isReady: (address: string) => Promise<boolean>,
  isStopped: () => boolean,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let next = 0;
    let underWay = 0;
    let cancel: Cancel = () => undefined;
    const done = (found: string | undefined) => {
      cancel();
      next = addresses.length;
      resolve(found);
    };
    const askNext = () => {
      cancel();
      const address = addresses[next];
      if (address === undefined || isStopped()) {
        if (underWay === 0) done(undefined);
        return;
      }
      next += 1;
      underWay += 1;
      cancel = environment.after(staggerMs, askNext);
      void isReady(address).then((is) => {
        underWay -= 1;
        if (is) done(address);
        else askNext();
      });
    };
    askNext();
  });
}
