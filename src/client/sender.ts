// Sends the outbox, one ticket after another, in the order of the sales, for ever. An answer is acted on once: stored or refused
// ends a ticket's waiting, all else is tried again. What alone gets no verdict is set aside, and tried now and then.

import type { Asking } from './asking.ts';
import { retryDelayMs, retryDelayMsMax, spread } from './backoff.ts';
import type { Cancel, Environment } from './environment.ts';
import type { Outbox } from './outbox.ts';
import type { Entry } from './outbox-medium.ts';
import { createRests } from './rests.ts';
import { type Faults, faultCountOf, faultsMax, isSetAside, nextToSend, withFault } from './sending-order.ts';
import { type Obstacle, type Unknown, type Verdict, verdictOf } from './verdict.ts';
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
/** Silence, 502 to 504, a refused token, or answers of a stranger in a row, though it says that it is ready. */
const hinderedMax = 3;

/** `isOfTicket`: a ticket that did not fail yet does not wait for it. */
type Next = { readonly delayMs: number; readonly isOfTicket: boolean };
type Pause = { readonly cancel: Cancel; readonly isOfTicket: boolean };
const atOnce: Next = { delayMs: 0, isOfTicket: false };
const slowest: Next = { delayMs: retryDelayMsMax, isOfTicket: false };

export function createSender(
  environment: Environment,
  asking: Asking,
  outbox: Outbox,
  whereabouts: Whereabouts,
  changed: () => void,
): Sender {
  const faults = new Map<Entry['key'], Faults>();
  const rests = createRests(environment);
  let isStopped = false;
  let isBusy = false;
  let pause: Pause | null = null;
  /** In a row: answers that were no verdict, and those of them that another appliance might not give. */
  let failures = 0;
  let hindered = { address: '', count: 0 };
  let obstacle: Obstacle | null = null;
  /** Of those set aside, the ones still to be tried in this round. */
  let round: Entry['key'][] = [];
  let cancelRound: Cancel | null = null;

  function turn(): void {
    if (isStopped || isBusy || pause) return;
    const restMs = rests.restMs(whereabouts.current());
    if (restMs > 0) return rest({ delayMs: restMs, isOfTicket: false });
    const entry = nextToSend(outbox.waiting(), faults) ?? nextSetAside();
    if (entry === undefined) return awaitRound();
    isBusy = true;
    const sending = send(entry).catch((error: unknown) => {
      environment.report(error);
      return slowest;
    });
    void sending.then((next) => {
      isBusy = false;
      if (isStopped) return;
      changed();
      if (next.delayMs > 0) rest(next);
      else turn();
    });
  }

  function rest({ delayMs, isOfTicket }: Next): void {
    const cancel = environment.after(delayMs, () => {
      pause = null;
      turn();
    });
    pause = { cancel, isOfTicket };
  }

  /** When the next may go. */
  async function send(entry: Entry): Promise<Next> {
    const here = whereabouts.current();
    const address = placeFor(entry);
    const answer = await asking.ask(address + ticketsPath, { method: 'POST', json: entry.ticket });
    if (isStopped || (!answer.ok && answer.reason === 'aborted')) return atOnce;
    const verdict = verdictOf(answer, entry.ticket.id);
    if (verdict.kind !== 'unknown') return settle(entry, address, verdict);
    if (verdict.retryAfterMs !== undefined) rests.add(address, verdict.retryAfterMs);
    if (entry.rejection) return atOnce;
    failures += 1;
    obstacle = verdict.obstacle;
    changed();
    if (address !== here) return blame(entry);
    const isReady = await whereabouts.doubt(address, hinder(address, verdict));
    if (isStopped || whereabouts.current() !== address) return atOnce;
    return isReady && verdict.mayBeTicket ? blame(entry) : { delayMs: delayOf(failures), isOfTicket: false };
  }

  /** The last try before others go first is made elsewhere, if there is another place. */
  function placeFor(entry: Entry): string {
    const other = faultCountOf(entry, faults) === faultsMax - 1 ? whereabouts.other() : undefined;
    return other !== undefined && rests.restMs(other) === 0 ? other : whereabouts.current();
  }

  async function settle(entry: Entry, address: string, verdict: Exclude<Verdict, Unknown>): Promise<Next> {
    whereabouts.heard(address);
    failures = 0;
    if (hindered.address === address) hindered = { address, count: 0 };
    obstacle = null;
    faults.delete(entry.key);
    for (const [key, found] of faults) faults.set(key, { ...found, othersPassed: true });
    if (verdict.kind === 'stored') await outbox.confirm(entry, verdict.stored);
    else await outbox.reject(entry, { ...verdict, rejectedAt: environment.now(), isFinal: true });
    return atOnce;
  }

  function hinder(address: string, { obstacle: found }: Unknown): Doubt {
    if (hindered.address !== address) hindered = { address, count: 0 };
    if (found !== 'busy' && found !== 'fault') hindered.count += 1;
    return hindered.count >= hinderedMax ? 'broken' : 'silent';
  }

  /** It may be the ticket. Whether it is, the next one tells: soon, if that has not failed itself. */
  async function blame(entry: Entry): Promise<Next> {
    const found = withFault(faults.get(entry.key));
    faults.set(entry.key, found);
    if (isSetAside(found)) {
      faults.delete(entry.key);
      await outbox.reject(entry, { ...setAsideRejection, rejectedAt: environment.now(), isFinal: false });
      return atOnce;
    }
    const waiting = outbox.waiting();
    forget(waiting);
    return { delayMs: delayOf(countOfNext(waiting)), isOfTicket: true };
  }

  const delayOf = (times: number): number => retryDelayMs(times, environment.fraction());

  function countOfNext(waiting: readonly Entry[]): number {
    const next = nextToSend(waiting, faults);
    return next === undefined ? 0 : faultCountOf(next, faults);
  }

  /** What does not wait any more, settled by another page perhaps. */
  function forget(waiting: readonly Entry[]): void {
    const keys = new Set(waiting.map(({ key }) => key));
    for (const key of faults.keys()) if (!keys.has(key)) faults.delete(key);
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
      const waiting = outbox.waiting();
      const isFresh = waiting.length > 0 && countOfNext(waiting) === 0;
      if (isSignOfLife || (pause?.isOfTicket && isFresh)) {
        pause?.cancel();
        pause = null;
      }
      turn();
    },
    obstacle: () => (outbox.waiting().length > 0 ? obstacle : null),
    stop() {
      isStopped = true;
      pause?.cancel();
      cancelRound?.();
    },
  };
}

const setAsideRejection = {
  code: 'no_verdict',
  detail:
    'No appliance takes this ticket, and none says what is wrong with it. It is sent again from time to time; tell whoever looks after the appliances.',
};
