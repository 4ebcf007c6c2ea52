// Addresses and when to dial them: the static list, and what was remembered of trusted peers. It never gives up on any of
// them, and dials at once when told that there is life.

import { redialDelayMs } from '../core/dial.ts';
import { peersMax } from '../core/limits.ts';
import type { Connection, Ports, TimerHandle } from '../ports.ts';

export type AddressSource = 'static' | 'remembered';

export type AddressState = {
  readonly address: string;
  source: AddressSource;
  /** Who answered there; 'self' when it was we. */
  peerId: string | null;
  failures: number;
  isDialing: boolean;
  /** There was a sign of life while an attempt was under way: should that fail, another follows at once. */
  isHurried: boolean;
  wasConnected: boolean;
  lastError: string | null;
  timer: TimerHandle | null;
};

export type DialerEvents = {
  /** Whether an address should be dialed now: the mesh is on, and nobody who answers there is linked or revoked. */
  isWanted(address: AddressState): boolean;
  dialing(address: AddressState): void;
  connected(connection: Connection, address: AddressState): void;
};

export type Dialer = {
  addresses(): AddressState[];
  /** False when there is no room for another address. */
  add(address: string, source: AddressSource): boolean;
  remove(address: string): void;
  /** An attempt, or the link it became, has failed: dial again later. */
  failed(address: AddressState, reason: string): void;
  /** Dial every wanted address now, whatever its delay. */
  dialNow(): void;
  stop(): void;
};

/** An address of which nothing is known yet. */
export const newAddress = (address: string, source: AddressSource): AddressState => ({
  address,
  source,
  peerId: null,
  failures: 0,
  isDialing: false,
  isHurried: false,
  wasConnected: false,
  lastError: null,
  timer: null,
});

export function createDialer(ports: Ports, events: DialerEvents): Dialer {
  const states = new Map<string, AddressState>();
  let stopped = false;

  function dial(state: AddressState): void {
    state.timer?.cancel();
    state.timer = null;
    if (stopped || state.isDialing || !events.isWanted(state)) return;
    state.isDialing = true;
    state.isHurried = false;
    events.dialing(state);
    ports.transport.dial(state.address, (outcome) => {
      state.isDialing = false;
      if (stopped || states.get(state.address) !== state) {
        if (outcome.ok) outcome.connection.close('no longer wanted');
        return;
      }
      if (outcome.ok) events.connected(outcome.connection, state);
      else {
        failed(state, outcome.reason);
        if (state.isHurried) dial(state);
      }
    });
  }

  function failed(state: AddressState, reason: string): void {
    state.lastError = reason;
    state.failures += 1;
    state.timer?.cancel();
    state.timer = ports.timers.after(redialDelayMs(state.failures, ports.random.fraction()), () => dial(state));
  }

  return {
    addresses: () => [...states.values()],
    add(address, source) {
      const known = states.get(address);
      if (known) {
        if (source === 'static') known.source = source;
        return true;
      }
      if (states.size >= peersMax * 2) return false;
      const state = newAddress(address, source);
      states.set(address, state);
      ports.timers.soon(() => dial(state));
      return true;
    },
    remove(address) {
      states.get(address)?.timer?.cancel();
      states.delete(address);
    },
    failed,
    dialNow() {
      for (const state of states.values()) {
        state.isHurried = state.isDialing;
        dial(state);
      }
    },
    stop() {
      stopped = true;
      for (const state of states.values()) state.timer?.cancel();
    },
  };
}
