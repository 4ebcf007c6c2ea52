// Which appliances the shop has, as the one that is spoken to tells it; written on this device, so that a page that is loaded
// while its own appliance is dead still knows the others.

import { readAppliances, readRemembered, type ToldAppliance } from './addresses.ts';
import type { Asking } from './asking.ts';
import type { Outbox } from './outbox.ts';
import type { Whereabouts } from './whereabouts.ts';

const appliancesPath = '/api/v1/appliances';

export type Discovery = {
  /** Asks who there is; once more when it is asked while an answer is under way. */
  look(): void;
  /** Takes what was written the last time, unless an appliance has told more already. */
  recall(remembered: unknown): void;
};

export function createDiscovery(asking: Asking, whereabouts: Whereabouts, outbox: Outbox): Discovery {
  let latest = '';
  let isLooking = false;
  let isAskedAgain = false;

  function learn(told: readonly ToldAppliance[]): boolean {
    const text = JSON.stringify(told);
    if (told.length === 0 || text === latest) return false;
    latest = text;
    whereabouts.learn(told);
    return true;
  }

  async function ask(): Promise<void> {
    const address = whereabouts.current();
    const answer = await asking.ask(address + appliancesPath);
    const told = answer.ok && answer.status === 200 ? readAppliances(answer.body, address) : undefined;
    if (told && learn(told)) await outbox.remember(told);
  }

  function look(): void {
    isAskedAgain = isLooking;
    if (isLooking) return;
    isLooking = true;
    void ask().finally(() => {
      isLooking = false;
      if (isAskedAgain) look();
    });
  }

  return {
    look,
    recall(remembered) {
      if (latest === '') learn(readRemembered(remembered));
    },
  };
}
