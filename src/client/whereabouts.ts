// Which appliance is spoken to: the till's own for as long as it answers; when it does not, the next one that is ready; and
// the own again when it has been ready twice. When none answers all are asked again, for ever.

import { addressesInOrder, isSameAppliance, type ToldAppliance } from './addresses.ts';
import type { Asking } from './asking.ts';
import { retryDelayMs, spread } from './backoff.ts';
import type { Cancel, Environment } from './environment.ts';
import { firstReady } from './first-ready.ts';
import { asObject } from './messages.ts';

/** Silent: whether it is ready is asked again. Broken: though it is, another one that is ready is to do its work. */
export type Doubt = 'silent' | 'broken';

export type WhereaboutsEvents = {
  moved(address: string): void;
  /** Messages come from the one that is spoken to: then it is there, whatever it says of itself. */
  isHearing(): boolean;
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
  /** Something that was asked of `address` failed. Resolves when it is clear where to go on: whether there, for it is ready. */
  doubt(address: string, doubt: Doubt): Promise<boolean>;
  /** It answered, whatever it said. */
  heard(address: string): void;
  /** The device has a network again: who was not there may be. */
  hurry(): void;
  learn(told: readonly ToldAppliance[]): void;
  stop(): void;
};

/** Between the two good answers that bring the till back. */
const secondLookMs = 2_000;
/** The own one failed this soon after a return: it is waited for longer the next time. */
const steadyMs = 5 * 60_000;
const failuresForLeaving = 2;
/** For how long nobody goes, or comes home, to one that was found broken while another one is ready. */
const avoidedMs = 5 * 60_000;

/** Printers and the log-in pages of networks answer, too. */
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
  let examining: Promise<boolean> | null = null;
  let isLookingAround = false;
  /** Since the last move. */
  let heardAt = Number.NEGATIVE_INFINITY;
  const avoidedUntil = new Map<string, number>();
  let offlineFailures = 0;
  let cancelOffline: Cancel = () => undefined;
  /** Of the own one, while we are elsewhere. */
  let homeFailures = 0;
  let cancelHome: Cancel = () => undefined;
  /** A look that was begun before the last move counts for nothing. */
  let homeRun = 0;
  let returnedAt = Number.NEGATIVE_INFINITY;

  const known = (): string[] => addressesInOrder(given, told, environment.isSecurePage);

  /** Where it could be spoken to, apart from what shows on the list. */
  const reachable = (): string[] => (mayMove ? known() : [own]);

  async function look(address: string): Promise<Found> {
    const answer = await asking.ask(`${address}/readyz`, { isAnonymous: true });
    if (!answer.ok || answer.status >= 500) return 'silent';
    return answer.status === 200 && asObject(answer.body)?.status === 'ready' ? 'ready' : 'answers';
  }

  async function examine(address: string, doubt: Doubt): Promise<boolean> {
    const askedAt = environment.monotonic();
    const found = await look(address);
    // What answers with 4xx is there, and so is whose messages come though it does not say that it is ready.
    const isThere = found !== 'silent' || heardAt > askedAt;
    if (isThere && doubt === 'silent') {
      heard(address);
      return found === 'ready';
    }
    if (found !== 'silent') avoidedUntil.set(address, environment.monotonic() + avoidedMs);
    await remembered;
    const others = reachable().filter((other) => other !== address);
    const sound = others.filter((other) => !isAvoided(other));
    const next = await readyOf(isThere ? sound : [...sound, ...others.filter(isAvoided)]);
    if (isStopped) return false;
    if (next !== undefined) moveTo(next);
    else if (!isThere && !events.isHearing()) goOffline();
    return next === undefined && found === 'ready';
  }

  const readyOf = (addresses: readonly string[]): Promise<string | undefined> =>
    firstReady(
      environment,
      addresses,
      async (address) => (await look(address)) === 'ready',
      () => isStopped,
    );

  const isAvoided = (address: string): boolean => (avoidedUntil.get(address) ?? 0) > environment.monotonic();

  function moveTo(address: string): void {
    if (address === current) return cameBack();
    if (current === own) {
      if (environment.monotonic() - returnedAt > steadyMs) homeFailures = 0;
      homeFailures += failuresForLeaving;
    }
    current = address;
    heardAt = Number.NEGATIVE_INFINITY;
    leaveOffline();
    cancelHome();
    homeRun += 1;
    if (address === own) returnedAt = environment.monotonic();
    else awaitHome();
    events.moved(address);
  }

  function awaitHome(): void {
    const run = homeRun;
    const delayMs = retryDelayMs(homeFailures - 1, environment.fraction());
    cancelHome = environment.after(delayMs, () => void lookHome(1, run));
  }

  async function lookHome(times: number, run: number): Promise<void> {
    const found = isAvoided(own) ? 'answers' : await look(own);
    if (isStopped || run !== homeRun) return;
    if (found !== 'ready') {
      homeFailures += 1;
      return awaitHome();
    }
    if (times >= 2) return moveTo(own);
    const delayMs = spread(secondLookMs, environment.fraction());
    cancelHome = environment.after(delayMs, () => void lookHome(times + 1, run));
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
    if (isLookingAround) return;
    isLookingAround = true;
    void lookEverywhere().finally(() => {
      isLookingAround = false;
    });
  }

  async function lookEverywhere(): Promise<void> {
    const found = await readyOf(reachable());
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
    if (address !== current) return;
    heardAt = environment.monotonic();
    cameBack();
  }

  return {
    current: () => current,
    isAway: () => !isSameAppliance(own, current, told),
    isOffline: () => isOffline,
    known,
    other: () => reachable().find((address) => !isSameAppliance(address, current, told)),
    doubt(address, doubt) {
      if (isStopped || address !== current || isOffline) return Promise.resolve(false);
      examining ??= examine(address, doubt).finally(() => {
        examining = null;
      });
      return examining;
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
