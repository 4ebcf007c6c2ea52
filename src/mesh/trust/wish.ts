// Our own wish to be of another shop: by a join code, which is shown to whoever may know it, or with the consent of an
// admin there to the very appliance that an admin here has named. It ends with a welcome, or when it is taken back.

import { failure, type Outcome } from '../../core/command.ts';
import { joinMs } from '../../core/limits.ts';
import type { Ports, TimerHandle } from '../../ports.ts';

export type Welcome = {
  readonly shop: string;
  /** Who let us in: replica id, name, host:port of its mesh port where it is known. */
  readonly host: string;
  readonly hostName: string;
  readonly address: string | null;
};

/** What whoever wished has agreed to: that books go along, and that so many other appliances of the shop are left behind. */
export type Terms = { readonly bringBooks: boolean; readonly others: number };
/** To be let in by this appliance. */
export type Asked = Terms & { readonly replica: string };

export type Wish = {
  /**
   * With the code's key; `done` is told how it ended, within `joinMs`, or when the one at `only` does not know it. Whatever
   * was wished before is over.
   */
  byCode(key: Uint8Array, only: string | null, terms: Terms, done: (outcome: Outcome<Welcome>) => void): void;
  /** However long it takes; null takes it back. */
  byApproval(asked: Asked | null): void;
  codeKey(): Uint8Array | null;
  approval(): string | null;
  terms(): Terms | null;
  isAny(): boolean;
  /** Its terms no longer hold. */
  overtaken(): void;
  /** A member of the shop that we are of answers there: if it is the one to be asked, no code is needed. */
  needlessAt(address: string): void;
  /** Somebody whom we showed the code does not know it. Nobody is shown it twice: each time counts against it. */
  refused(address: string): void;
  hasRefused(address: string): boolean;
  granted(welcome: Welcome): void;
  /** Another shop has let us in: from then on no other one may, and nobody is let in here. */
  isGranted(): boolean;
  stop(): void;
};

export type WishEvents = {
  /** To be there again after a start; one that was granted is asked for again should the move fail. */
  asked(asked: Asked | null): void;
  granted(welcome: Welcome): void;
  /** A wish by code is over, granted or not. */
  ended(): void;
};

export function createWish(
  { timers, log }: Pick<Ports, 'timers' | 'log'>,
  askedBefore: Asked | null,
  events: WishEvents,
): Wish {
  let code: {
    key: Uint8Array;
    only: string | null;
    terms: Terms;
    done: (outcome: Outcome<Welcome>) => void;
  } | null = null;
  let refusedBy = new Set<string>();
  let asked = askedBefore;
  let isGranted = false;
  let timer: TimerHandle | null = null;

  function end(outcome: Outcome<Welcome>): void {
    timer?.cancel();
    const ended = code;
    code = null;
    if (!ended) return;
    ended.done(outcome);
    events.ended();
  }

  function ask(wanted: Asked | null): void {
    if (asked === wanted) return;
    asked = wanted;
    events.asked(wanted);
  }

  return {
    byCode(key, only, terms, done) {
      end(failure('join_replaced', 'Another join was begun meanwhile.'));
      ask(null);
      refusedBy = new Set();
      code = { key, only, terms, done };
      timer = timers.after(joinMs, () => end(notGranted(refusedBy)));
    },
    byApproval(wanted) {
      end(failure('join_replaced', 'Another join was begun meanwhile.'));
      ask(wanted);
    },
    codeKey: () => code?.key ?? null,
    approval: () => asked?.replica ?? null,
    terms: () => code?.terms ?? asked,
    isAny: () => code !== null || asked !== null,
    overtaken() {
      const detail =
        'Meanwhile this appliance was used, or another one came into its shop: if it is still to join, ask again.';
      log.warn('the wish to join another shop is over', { detail });
      ask(null);
      end(failure('join_overtaken', detail));
    },
    needlessAt(address) {
      if (address === code?.only)
        end(failure('of_that_shop', 'This appliance is of that shop already: no code is needed.'));
    },
    refused(address) {
      if (!code) return;
      refusedBy.add(address);
      if (address === code.only) end(notGranted(refusedBy));
    },
    hasRefused: (address) => code !== null && refusedBy.has(address),
    granted(welcome) {
      isGranted = true;
      asked = null;
      end({ ok: true, result: welcome });
      events.granted(welcome);
    },
    isGranted: () => isGranted,
    stop() {
      end(failure('not_ready', 'The appliance stops.'));
    },
  };
}

const addressesToldMax = 5;

function notGranted(refusedBy: ReadonlySet<string>) {
  if (refusedBy.size === 0)
    return failure(
      'nobody_found',
      'No other appliance was found: is it on, and on this network? Name its address with --peer HOST:PORT (its mesh port).',
    );
  const asked = [...refusedBy].slice(0, addressesToldMax).join(', ');
  return failure(
    'code_not_known',
    `This code is not known at ${asked}: it is mistyped, older than 15 minutes, or used, or another appliance made it. Make another if in doubt.`,
  );
}
