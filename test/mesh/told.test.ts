// What becomes of an address that a peer tells, with attempts that end when the test says so.

import { expect, test } from 'vitest';
import { createDialer } from '../../src/mesh/dialer.ts';
import type { Link } from '../../src/mesh/link.ts';
import type { MeshParts } from '../../src/mesh/parts.ts';
import { createTold } from '../../src/mesh/told.ts';
import type { DialOutcome, Ports } from '../../src/ports.ts';

test('a member that a peer has reached is dialed at once, though its turn is far off; but not as often as is told', () => {
  const now = { ms: 10_000 };
  const attempts: ((outcome: DialOutcome) => void)[] = [];
  const ports = {
    // Nobody's turn ever comes here.
    timers: { soon: (run: () => void) => run(), after: () => ({ cancel() {} }) },
    clock: { monotonic: () => now.ms },
    random: { fraction: () => 0.5 },
    transport: { dial: (_address: string, done: (outcome: DialOutcome) => void) => void attempts.push(done) },
  } as unknown as Ports;
  const dialer = createDialer(ports, { isWanted: () => true, dialing() {}, connected() {} });
  const members = { trustOf: () => 'trusted' };
  const told = createTold({ ports, config: {}, members, dialer, links: new Map() } as unknown as MeshParts);
  const teller = { connection: { address: '10.0.0.5:40000' } } as unknown as Link;
  const hear = () => told.heard(teller, [{ id: 'attic', address: 'attic:3031' }]);
  const fail = () => attempts.at(-1)?.({ ok: false, reason: 'did not answer' });
  hear();
  fail();
  expect(attempts).toHaveLength(1);
  hear();
  expect(attempts).toHaveLength(1);
  now.ms += 2_000;
  hear();
  expect(attempts).toHaveLength(2);
  fail();
  for (let count = 0; count < 10; count++) hear();
  expect(attempts).toHaveLength(2);
});
