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

export type Wish = {
  /**
   * With the code's key; `done` is told how it ended, within `joinMs`, or when the one at `only` does not know it. Whatever
   * was wished before is over.
   */
  byCode(key: Uint8Array, only: string | null, done: (outcome: Outcome<Welcome>) => void): void;
  /** To be let in by this appliance, however long it takes; null takes it back. */
  byApproval(replica: string | null): void;
  codeKey(): Uint8Array | null;
  approval(): string | null;
  isAny(): boolean;
  /** A member of the shop that we are of answers there: if it is the one to be asked, no code is needed. */
  needlessAt(address: string): void;
  /** Somebody whom we showed the code does not know it. Nobody is shown it twice: each time counts against it. */
  refused(address: string): void;
  hasRefused(address: string): boolean;
  granted(welcome: Welcome): void;
  stop(): void;
};

/** `ended`: a wish by code is over, granted or not. */
export function createWish(
  ports: Pick<Ports, 'timers'>,
  events: { granted(welcome: Welcome): void; ended(): void },
): Wish {
  let code: { key: Uint8Array; only: string | null; done: (outcome: Outcome<Welcome>) => void } | null = null;
  let refusedBy = new Set<string>();
  let replica: string | null = null;
  let timer: TimerHandle | null = null;

  function end(outcome: Outcome<Welcome>): void {
    timer?.cancel();
    const ended = code;
    code = null;
    if (!ended) return;
    ended.done(outcome);
    events.ended();
  }

  return {
    byCode(key, only, done) {
      end(failure('join_replaced', 'Another join was begun meanwhile.'));
      replica = null;
      refusedBy = new Set();
      code = { key, only, done };
      timer = ports.timers.after(joinMs, () => end(notGranted(refusedBy)));
    },
    byApproval(wanted) {
      end(failure('join_replaced', 'Another join was begun meanwhile.'));
      replica = wanted;
    },
    codeKey: () => code?.key ?? null,
    approval: () => replica,
    isAny: () => code !== null || replica !== null,
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
      replica = null;
      end({ ok: true, result: welcome });
      events.granted(welcome);
    },
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
