// When an address is dialed, with attempts that end when the test says so.

import { expect, test } from 'vitest';
import { createDialer } from '../../src/mesh/dialer.ts';
import type { DialOutcome, Ports } from '../../src/ports.ts';

function openDialer() {
  const now = { ms: 0 };
  const attempts: ((outcome: DialOutcome) => void)[] = [];
  const delays: number[] = [];
  const ports = {
    // Nothing is dialed after a delay here: what is dialed again is dialed at once.
    timers: {
      soon: (run: () => void) => run(),
      after: (delayMs: number) => {
        delays.push(delayMs);
        return { cancel() {} };
      },
    },
    clock: { monotonic: () => now.ms },
    random: { fraction: () => 0.5 },
    transport: { dial: (_address: string, done: (outcome: DialOutcome) => void) => void attempts.push(done) },
  } as unknown as Ports;
  const dialer = createDialer(ports, { isWanted: () => true, dialing() {}, connected() {} });
  dialer.add('bar:3031', 'static');
  const fail = () => attempts.at(-1)?.({ ok: false, reason: 'closed the connection' });
  return { dialer, attempts, delays, fail, now };
}

test('a sign of life while an attempt is under way brings another at once, should that one fail; one alone', () => {
  const { dialer, attempts, fail } = openDialer();
  dialer.dialNow();
  expect(attempts).toHaveLength(1);
  fail();
  expect(attempts).toHaveLength(2);
  fail();
  expect(attempts).toHaveLength(2);
  dialer.dialNow();
  expect(attempts).toHaveLength(3);
});

test('an attempt that fails with no sign of life waits for its turn', () => {
  const { dialer, attempts, fail } = openDialer();
  fail();
  expect(attempts).toHaveLength(1);
  expect(dialer.addresses()[0]).toMatchObject({ failures: 1, lastError: 'closed the connection' });
});

test('an address where we are ourselves is dialed again after the longest delay, until nobody answers there', () => {
  const { dialer, delays, fail } = openDialer();
  const [state] = dialer.addresses();
  if (!state) throw new Error('no address');
  state.peerId = 'self';
  dialer.failed(state, 'this is our own address');
  expect(delays.at(-1)).toBe(60_000);
  fail();
  expect(state.peerId).toBe(null);
  expect(delays.at(-1)).toBe(5_000);
});

test('an address that a person names is dialed at once, and then as often as a new one', () => {
  const { dialer, attempts, delays, fail } = openDialer();
  fail();
  for (let count = 0; count < 9; count++) {
    dialer.dialNow();
    fail();
  }
  expect(delays.at(-1)).toBe(60_000);
  dialer.dialAfresh('attic:3031');
  expect(attempts).toHaveLength(10);
  dialer.dialAfresh('bar:3031');
  expect(attempts).toHaveLength(11);
  fail();
  expect(delays.at(-1)).toBe(1_000);
});

test('an appliance that shows itself while an attempt hangs is dialed beside it, and what comes of the first is dropped', () => {
  const { dialer, attempts, now } = openDialer();
  dialer.hurry('bar:3031');
  expect(attempts).toHaveLength(1);
  now.ms += 2_000;
  dialer.hurry('bar:3031');
  expect(attempts).toHaveLength(2);
  attempts[0]?.({ ok: false, reason: 'did not answer' });
  expect(dialer.addresses()[0]).toMatchObject({ failures: 0, isDialing: true });
  attempts[1]?.({ ok: false, reason: 'did not answer' });
  expect(dialer.addresses()[0]).toMatchObject({ failures: 1, isDialing: false });
});

test('B8 an address that was only told is let go of when nobody ever answers there; one that a person gave is not', () => {
  const { dialer, attempts } = openDialer();
  dialer.add('attic:3031', 'told', 'somebody');
  for (let count = 0; count < 20; count++) {
    dialer.dialNow();
    for (const end of attempts.splice(0)) end({ ok: false, reason: 'nothing listens there' });
  }
  expect(dialer.addresses().map(({ address }) => address)).toEqual(['bar:3031']);
});

test('B7 an address where a peer was linked is not let go of, whoever named it; where it was before that, it may be', () => {
  const { dialer, attempts } = openDialer();
  const failAll = () => {
    for (let count = 0; count < 20; count++) {
      dialer.dialNow();
      for (const end of attempts.splice(0)) end({ ok: false, reason: 'nothing listens there' });
    }
  };
  dialer.add('attic:3031', 'seen', 'somebody');
  dialer.isAt('somebody', 'attic:3031');
  failAll();
  expect(dialer.addresses().map(({ address }) => address)).toEqual(['bar:3031', 'attic:3031']);
  dialer.add('roof:3031', 'seen', 'somebody');
  dialer.isAt('somebody', 'roof:3031');
  failAll();
  expect(dialer.addresses().map(({ address, source }) => [address, source])).toEqual([
    ['bar:3031', 'static'],
    ['roof:3031', 'remembered'],
  ]);
});

test('when the network is back all are dialed anew, also beside attempts that were sent into a broken one', () => {
  const { dialer, attempts, now } = openDialer();
  dialer.add('attic:3031', 'told', 'somebody');
  now.ms += 2_000;
  expect(attempts).toHaveLength(2);
  dialer.hurryAll();
  expect(attempts).toHaveLength(4);
});
