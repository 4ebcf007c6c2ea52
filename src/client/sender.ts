// Sends the outbox, one ticket after another, in the order of the sales, for ever. An answer is acted on once: stored or refused
// ends a ticket's waiting, all else is tried again. What the appliance makes mistakes about is set aside, and tried now and then.

import type { Asking } from './asking.ts';
import { retryDelayMs, retryDelayMsMax, spread } from './backoff.ts';
import type { Cancel, Environment } from './environment.ts';
import type { Outbox } from './outbox.ts';
import type { Entry } from './outbox-medium.ts';
import { type Faults, faultsMax, isSetAside, nextToSend, withFault } from './sending-order.ts';
import { type Obstacle, type Verdict, verdictOf } from './verdict.ts';
import type { Doubt, Whereabouts } from './whereabouts.ts';

export type Sender = {
  /** There may be something to send. `isSignOfLife`: a connection came back, so whatever failed is tried at once. */
  wake(isSignOfLife: boolean): void;
  /** What kept the last ticket from being answered for; null when nothing did. */
  obstacle(): Obstacle | null;
  stop(): void;
};

const ticketsPath = '/api/v1/tickets';
const setAsideIntervalMs = 60_000;
/** 502 to 504 in a row, though it says that it is ready. */
const unavailableMax = 3;

export function createSender(
  environment: Environment,
  asking: Asking,
  outbox: Outbox,
  whereabouts: Whereabouts,
  changed: () => void,
): Sender {
  const faults = new Map<Entry['key'], Faults>();
  let isStopped = false;
  let isBusy = false;
  let cancelPause: Cancel | null = null;
  /** It said itself when to come again. */
  let isPauseTold = false;
  let failures = 0;
  let unavailableCount = 0;
  let obstacle: Obstacle | null = null;
  /** Of those set aside, the ones still to be tried in this round. */
  let round: Entry['key'][] = [];
  let cancelRound: Cancel | null = null;

  function turn(): void {
    if (isStopped || isBusy || cancelPause) return;
    const entry = nextToSend(outbox.waiting(), faults) ?? nextSetAside();
    if (entry === undefined) return awaitRound();
    isBusy = true;
    const sending = send(entry).catch((error: unknown) => {
      environment.report(error);
      return retryDelayMsMax;
    });
    void sending.then((delayMs) => {
      isBusy = false;
      if (isStopped) return;
      changed();
      if (delayMs > 0) pause(delayMs);
      else turn();
    });
  }

  function pause(delayMs: number): void {
    cancelPause = environment.after(delayMs, () => {
      cancelPause = null;
      isPauseTold = false;
      turn();
    });
  }

  /** Milliseconds until the next may go. */
  async function send(entry: Entry): Promise<number> {
    const address = placeFor(entry);
    const isElsewhere = address !== whereabouts.current();
    const answer = await asking.ask(address + ticketsPath, { method: 'POST', json: entry.ticket });
    if (isStopped || (!answer.ok && answer.reason === 'aborted')) return 0;
    if (answer.ok && answer.status < 500) whereabouts.heard(address);
    const verdict = verdictOf(answer, entry.ticket.id);
    if (verdict.kind !== 'unknown') return settle(entry, verdict);
    if (entry.rejection) return 0;
    return verdict.obstacle === 'fault' || isElsewhere ? fault(entry) : hinder(address, verdict);
  }

  /** The last try before a ticket is set aside is made elsewhere, if there is another place. */
  function placeFor({ key }: Entry): string {
    const isLast = faults.get(key)?.count === faultsMax - 1;
    return (isLast ? whereabouts.other() : undefined) ?? whereabouts.current();
  }

  async function settle(entry: Entry, verdict: Exclude<Verdict, { kind: 'unknown' }>): Promise<number> {
    failures = 0;
    unavailableCount = 0;
    obstacle = null;
    faults.delete(entry.key);
    for (const [key, found] of faults) faults.set(key, { ...found, othersPassed: true });
    if (verdict.kind === 'stored') await outbox.confirm(entry, verdict.stored);
    else await outbox.reject(entry, { ...verdict, rejectedAt: environment.now(), isFinal: true });
    return 0;
  }

  function hinder(address: string, { obstacle: found, retryAfterMs }: Unknown): number {
    failures += 1;
    obstacle = found;
    unavailableCount = found === 'unavailable' ? unavailableCount + 1 : 0;
    if (found === 'silent' || found === 'unavailable') {
      doubt(address, unavailableCount >= unavailableMax ? 'broken' : 'silent');
    }
    isPauseTold = retryAfterMs !== undefined;
    return Math.max(retryDelayMs(failures, environment.fraction()), retryAfterMs ?? 0);
  }

  async function fault(entry: Entry): Promise<number> {
    obstacle = 'fault';
    const found = withFault(faults.get(entry.key));
    faults.set(entry.key, found);
    if (isSetAside(found)) {
      faults.delete(entry.key);
      const rejection = { ...mistake, rejectedAt: environment.now(), isFinal: false };
      await outbox.reject(entry, rejection);
      return 0;
    }
    const waiting = outbox.waiting();
    forget(waiting);
    // Quick while it is open whether the ticket is to blame, slow when it is plainly the appliance.
    if (nextToSend(waiting, faults) !== entry && found.count <= faultsMax)
      return retryDelayMs(1, environment.fraction());
    failures += 1;
    return retryDelayMs(failures, environment.fraction());
  }

  /** What does not wait any more, settled by another page perhaps. */
  function forget(waiting: readonly Entry[]): void {
    const keys = new Set(waiting.map(({ key }) => key));
    for (const key of faults.keys()) if (!keys.has(key)) faults.delete(key);
  }

  function doubt(address: string, how: Doubt): void {
    unavailableCount = how === 'broken' ? 0 : unavailableCount;
    void whereabouts.doubt(address, how);
  }

  // Those set aside

  const setAside = (): Entry[] => outbox.rejected().filter(({ rejection }) => rejection?.isFinal === false);

  function nextSetAside(): Entry | undefined {
    const entries = setAside();
    while (round.length > 0) {
      const key = round.shift();
      const entry = entries.find((one) => one.key === key);
      if (entry) return entry;
    }
    return undefined;
  }

  function awaitRound(): void {
    if (cancelRound || setAside().length === 0) return;
    cancelRound = environment.after(spread(setAsideIntervalMs, environment.fraction()), () => {
      cancelRound = null;
      round = setAside().map(({ key }) => key);
      turn();
    });
  }

  return {
    wake(isSignOfLife) {
      // Of what was before; the next answer tells.
      if (isSignOfLife) obstacle = null;
      if (isSignOfLife && cancelPause && !isPauseTold) {
        cancelPause();
        cancelPause = null;
      }
      turn();
    },
    obstacle: () => (outbox.waiting().length > 0 ? obstacle : null),
    stop() {
      isStopped = true;
      cancelPause?.();
      cancelRound?.();
    },
  };
}

type Unknown = Extract<Verdict, { kind: 'unknown' }>;

const mistake = {
  code: 'internal',
  detail:
    'The appliance makes a mistake with this ticket. It is sent again from time to time; tell whoever looks after it.',
};
