// Which appliance is spoken to: the till's own for as long as it answers; when it does not, the next one that is ready; and
// the own again when it has been ready twice. When none answers all are asked again, for ever.

import { addressesInOrder, isSameAppliance, type ToldAppliance } from './addresses.ts';
import type { Asking } from './asking.ts';
import { retryDelayMs, spread } from './backoff.ts';
import type { Cancel, Environment } from './environment.ts';

/** Silent: whether it is ready is asked again. Broken: it says that it is, and does not do its work. */
export type Doubt = 'silent' | 'broken';

export type WhereaboutsEvents = {
  moved(address: string): void;
  /** It is not clear that it answers any more, or it is again. */
  changed(): void;
  /** After none had answered, the one that is spoken to does. */
  returned(): void;
};

export type Whereabouts = {
  current(): string;
  isAway(): boolean;
  isOffline(): boolean;
  known(): readonly string[];
  /** Another one than is spoken to, to try one thing with. */
  other(): string | undefined;
  /** Something that was asked of `address` failed. Resolves when it is clear where to go on. */
  doubt(address: string, doubt: Doubt): Promise<void>;
  /** It answered, whatever it said. */
  heard(address: string): void;
  /** The device has a network again: who was not there may be. */
  hurry(): void;
  learn(told: readonly ToldAppliance[]): void;
  stop(): void;
};

/** Between the first questions to two appliances: the earlier one is taken if it answers as fast as a LAN lets it. */
const staggerMs = 250;
/** Between the two good answers that bring the till back. */
const secondLookMs = 2_000;
/** The own one failed this soon after a return: it is waited for longer the next time. */
const steadyMs = 5 * 60_000;
const failuresForLeaving = 2;

type Found = 'ready' | 'answers' | 'silent';

export function createWhereabouts(
  environment: Environment,
  asking: Asking,
  given: readonly [string, ...string[]],
  /** A session counts at one appliance alone. */
  mayMove: boolean,
  /** Settles when what was remembered of other appliances is known. */
  remembered: Promise<unknown>,
  events: WhereaboutsEvents,
): Whereabouts {
  const [own] = given;
  let told: readonly ToldAppliance[] = [];
  let current = own;
  let isOffline = false;
  let isStopped = false;
  let looking: Promise<void> | null = null;
  let offlineFailures = 0;
  let cancelOffline: Cancel = () => undefined;
  /** Of the own one, while we are elsewhere. */
  let homeFailures = 0;
  let cancelHome: Cancel = () => undefined;
  let returnedAt = Number.NEGATIVE_INFINITY;

  const known = (): string[] => addressesInOrder(given, told, environment.isSecurePage);

  /** Where it could be spoken to, apart from what shows on the list. */
  const reachable = (): string[] => (mayMove ? known() : [own]);

  async function look(address: string): Promise<Found> {
    const answer = await asking.ask(`${address}/readyz`);
    if (!answer.ok || answer.status >= 500) return 'silent';
    return answer.status === 200 ? 'ready' : 'answers';
  }

  async function examine(address: string, doubt: Doubt): Promise<void> {
    // What answers with 4xx is there: moving would mend nothing.
    if (doubt === 'silent' && (await look(address)) !== 'silent') return heard(address);
    await remembered;
    const others = reachable().filter((other) => other !== address);
    const found = await firstReady(others);
    if (isStopped) return;
    if (found !== undefined) moveTo(found);
    else if (doubt === 'silent') goOffline();
  }

  /** Asked one shortly after the other, the next at once when one is not ready. */
  function firstReady(addresses: readonly string[]): Promise<string | undefined> {
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
        if (address === undefined || isStopped) {
          if (underWay === 0) done(undefined);
          return;
        }
        next += 1;
        underWay += 1;
        cancel = environment.after(staggerMs, askNext);
        void look(address).then((found) => {
          underWay -= 1;
          if (found === 'ready') done(address);
          else askNext();
        });
      };
      askNext();
    });
  }

  function moveTo(address: string): void {
    if (address === current) return cameBack();
    if (current === own) {
      if (environment.monotonic() - returnedAt > steadyMs) homeFailures = 0;
      homeFailures += failuresForLeaving;
    }
    current = address;
    leaveOffline();
    cancelHome();
    if (address === own) returnedAt = environment.monotonic();
    else awaitHome();
    events.moved(address);
  }

  function awaitHome(): void {
    cancelHome = environment.after(retryDelayMs(homeFailures - 1, environment.fraction()), () => void lookHome(1));
  }

  async function lookHome(times: number): Promise<void> {
    const found = await look(own);
    if (isStopped || current === own) return;
    if (found !== 'ready') {
      homeFailures += 1;
      return awaitHome();
    }
    if (times >= 2) return moveTo(own);
    const delayMs = spread(secondLookMs, environment.fraction());
    cancelHome = environment.after(delayMs, () => void lookHome(times + 1));
  }

  function goOffline(): void {
    offlineFailures += 1;
    isOffline = true;
    cancelOffline();
    const delayMs = retryDelayMs(offlineFailures, environment.fraction());
    cancelOffline = environment.after(delayMs, lookAgain);
    events.changed();
  }

  function lookAgain(): void {
    cancelOffline();
    looking ??= lookEverywhere().finally(() => {
      looking = null;
    });
  }

  async function lookEverywhere(): Promise<void> {
    const found = await firstReady(reachable());
    if (isStopped || !isOffline) return;
    if (found === undefined) goOffline();
    else moveTo(found);
  }

  function leaveOffline(): void {
    cancelOffline();
    isOffline = false;
    offlineFailures = 0;
  }

  function cameBack(): void {
    if (!isOffline) return;
    leaveOffline();
    events.changed();
    events.returned();
  }

  function heard(address: string): void {
    if (address === current) cameBack();
  }

  return {
    current: () => current,
    isAway: () => !isSameAppliance(own, current, told),
    isOffline: () => isOffline,
    known,
    other: () => reachable().find((address) => !isSameAppliance(address, current, told)),
    doubt(address, doubt) {
      if (isStopped || address !== current || isOffline) return Promise.resolve();
      looking ??= examine(address, doubt).finally(() => {
        looking = null;
      });
      return looking;
    },
    heard,
    hurry() {
      if (isOffline) lookAgain();
    },
    learn(next) {
      told = next;
    },
    stop() {
      isStopped = true;
      cancelOffline();
      cancelHome();
    },
  };
}
