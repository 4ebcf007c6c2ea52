// Addresses and when to dial them: the static list, where peers were linked last, what peers tell and what is seen on the
// network. It never gives up on the first two, lets go of the others when nobody answers (they come again), and dials at
// once when told that there is life.

import { redialDelayMs } from '../core/dial.ts';
import { addressesPerReplicaMax, peersMax } from '../core/limits.ts';
import type { Connection, Ports, TimerHandle } from '../ports.ts';

/** Given by a person; where a peer was linked last; told by a peer, or where one was before; seen on the network. */
export type AddressSource = 'static' | 'remembered' | 'told' | 'seen';

export type AddressState = {
  readonly address: string;
  source: AddressSource;
  /** Who answered there; 'self' when it was we. */
  peerId: string | null;
  /** Process of the peer that answered there while it is linked; null when it is to be seen who does. */
  shownTo: string | null;
  failures: number;
  /** The attempt under way, and since when (monotonic milliseconds). */
  isDialing: boolean;
  dialedAt: number;
  /** There was a sign of life while an attempt was under way: should that fail, another follows at once. */
  isHurried: boolean;
  wasConnected: boolean;
  lastError: string | null;
  timer: TimerHandle | null;
};

export type DialerEvents = {
  /** Whether an address should be dialed now: the mesh is on, and whoever answers there is wanted and not linked yet. */
  isWanted(address: AddressState): boolean;
  dialing(address: AddressState): void;
  connected(connection: Connection, address: AddressState): void;
};

export type Dialer = {
  addresses(): AddressState[];
  /** False when there is no room for another address. `peerId`: who should answer there, where that is said. */
  add(address: string, source: AddressSource, peerId?: string): boolean;
  /** Somebody is there now: dial at once, also beside an attempt that still waits for an answer. */
  hurry(address: string): void;
  remove(address: string): void;
  /** It was linked there last, from now on: that place is not given up, whoever named it; one where it was before may be. */
  isAt(peerId: string, address: string): void;
  /** An attempt, or the link it became, has failed: dial again later. */
  failed(address: AddressState, reason: string): void;
  /** Dial every wanted address now, whatever its delay. */
  dialNow(): void;
  /** A person says so: this address, or all of them, as if nothing had failed there before. */
  dialAfresh(address?: string): void;
  /** The network itself is back: whatever is under way was sent into a broken one. */
  hurryAll(): void;
  stop(): void;
};

/** An answer on a LAN takes a hundredth of this. */
const hurryMs = 500;
/** Attempts after which an address that was only told or seen is let go of. */
const attemptsMax = 6;
export const isHint = (source: AddressSource): boolean => source === 'told' || source === 'seen';
const hasHopeFor = ({ source, failures }: AddressState): boolean =>
  source === 'static' || source === 'remembered' || failures < attemptsMax;

/** An address of which nothing is known yet. */
export const newAddress = (address: string, source: AddressSource): AddressState => ({
  address,
  source,
  peerId: null,
  shownTo: null,
  failures: 0,
  isDialing: false,
  dialedAt: 0,
  isHurried: false,
  wasConnected: false,
  lastError: null,
  timer: null,
});

export function createDialer(ports: Ports, events: DialerEvents): Dialer {
  const states = new Map<string, AddressState>();
  let stopped = false;

  /** Each state's last attempt: what becomes of an earlier one is of no interest. */
  const attempts = new WeakMap<AddressState, number>();

  function dial(state: AddressState): void {
    state.timer?.cancel();
    state.timer = null;
    if (stopped || state.isDialing || !events.isWanted(state)) return;
    const attempt = (attempts.get(state) ?? 0) + 1;
    attempts.set(state, attempt);
    state.isDialing = true;
    state.dialedAt = ports.clock.monotonic();
    state.isHurried = false;
    events.dialing(state);
    ports.transport.dial(state.address, (outcome) => {
      const isLast = attempts.get(state) === attempt;
      if (isLast) state.isDialing = false;
      if (stopped || states.get(state.address) !== state || !isLast) {
        if (outcome.ok) outcome.connection.close('no longer wanted');
        return;
      }
      if (outcome.ok) events.connected(outcome.connection, state);
      else {
        // We are there no more, it seems.
        if (state.peerId === 'self') state.peerId = null;
        failed(state, outcome.reason);
        if (state.isHurried) dial(state);
      }
    });
  }

  function failed(state: AddressState, reason: string): void {
    state.lastError = reason;
    state.failures += 1;
    state.timer?.cancel();
    state.timer = null;
    if (hasHopeFor(state)) wait(state);
    else states.delete(state.address);
  }

  function wait(state: AddressState): void {
    // Where we are ourselves nobody else is to be expected soon.
    const failures = state.peerId === 'self' ? Number.POSITIVE_INFINITY : state.failures;
    state.timer = ports.timers.after(redialDelayMs(failures, ports.random.fraction()), () => dial(state));
  }

  const countOf = (peerId: string | undefined): number =>
    [...states.values()].filter((state) => peerId !== undefined && state.peerId === peerId).length;

  /** What was only told or seen, of this peer or of any, makes room for what is news: the least hopeful of it. */
  function dropHint(peerId?: string): boolean {
    const hints = [...states.values()].filter(
      (state) => isHint(state.source) && (peerId === undefined || state.peerId === peerId),
    );
    const [hint] = hints.sort((a, b) => b.failures - a.failures);
    hint?.timer?.cancel();
    return hint !== undefined && states.delete(hint.address);
  }

  function hurry(state: AddressState): void {
    // What was sent into a broken network is sent again later and later: a new attempt is quicker.
    if (state.isDialing && ports.clock.monotonic() - state.dialedAt > hurryMs) state.isDialing = false;
    state.isHurried = state.isDialing;
    dial(state);
  }

  return {
    addresses: () => [...states.values()],
    add(address, source, peerId) {
      const known = states.get(address);
      if (known) {
        if (source === 'static') known.source = source;
        // Who is where a person said that a peer is, only dialing tells.
        if (peerId !== undefined && known.failures > 0 && known.source !== 'static') known.peerId = peerId;
        return true;
      }
      if (isHint(source) && countOf(peerId) >= addressesPerReplicaMax && !dropHint(peerId)) return false;
      if (states.size >= peersMax * 2 && (isHint(source) || !dropHint())) return false;
      const state = { ...newAddress(address, source), peerId: peerId ?? null };
      states.set(address, state);
      ports.timers.soon(() => dial(state));
      return true;
    },
    remove(address) {
      states.get(address)?.timer?.cancel();
      states.delete(address);
    },
    failed,
    isAt(peerId, address) {
      for (const state of states.values()) {
        const wasThere = state.peerId === peerId && state.source === 'remembered';
        if (state.address === address) {
          state.peerId = peerId;
          if (state.source !== 'static') state.source = 'remembered';
        } else if (wasThere) state.source = 'told';
      }
    },
    hurry(address) {
      const state = states.get(address);
      if (state) hurry(state);
    },
    hurryAll() {
      for (const state of [...states.values()]) hurry(state);
    },
    dialNow() {
      for (const state of states.values()) {
        state.isHurried = state.isDialing;
        dial(state);
      }
    },
    dialAfresh(address) {
      for (const state of [...states.values()]) {
        if (address !== undefined && address !== state.address) continue;
        state.failures = 0;
        hurry(state);
      }
    },
    stop() {
      stopped = true;
      for (const state of states.values()) state.timer?.cancel();
    },
  };
}
