// What the mesh makes of what discovery says of the network, looked at every second of a clock of its own.

import { expect, test } from 'vitest';
import { mdnsSilentMs } from '../../src/core/limits.ts';
import { createAlarms } from '../../src/mesh/alarms.ts';
import type { MeshParts } from '../../src/mesh/parts.ts';
import { createSeen } from '../../src/mesh/seen.ts';
import type { Clock, DiscoveryStatus } from '../../src/ports.ts';

const [cable, containers] = [
  { name: 'eth0', address: '10.0.0.5' },
  { name: 'docker0', address: '172.17.0.1' },
];

/** A peer is linked, and nothing is heard by mDNS. */
function openSeen() {
  let [ms, hurriedCount] = [0, 0];
  let status = {
    enabled: true,
    interfaces: [cable, containers],
    lastHeardAt: null,
    seen: 0,
    lastError: null,
  } as Partial<DiscoveryStatus>;
  const clock: Clock = { now: () => ms, monotonic: () => ms };
  const alarms = createAlarms(clock);
  const dialer = { hurryAll: () => hurriedCount++ };
  const ports = { discovery: { status: () => status }, clock };
  const seen = createSeen({ ports, alarms, links: new Map([['bar', {}]]), dialer } as unknown as MeshParts);
  const look = (changes: Partial<DiscoveryStatus> = {}, seconds = 1): void => {
    status = { ...status, ...changes };
    for (let second = 0; second < seconds; second++, ms += 1_000) seen.review();
  };
  return { look, codes: () => alarms.all().map(({ code }) => code), hurriedCount: () => hurriedCount };
}

const untilSilent = mdnsSilentMs / 1_000 + 1;

test('B11 where mDNS cannot be used at all, it is not the network that is said to block it', () => {
  const { look, codes } = openSeen();
  look({ interfaces: [], lastError: 'UDP port 5353 cannot be listened on' }, untilSilent);
  expect(codes()).toEqual([]);
  look({ interfaces: [cable], lastError: 'docker0 cannot be used for mDNS' }, untilSilent);
  expect(codes()).toEqual(['mdns_silent']);
  look({ interfaces: [], lastError: 'UDP port 5353 cannot be listened on' });
  expect(codes()).toEqual([]);
});

test('all addresses are dialed when a network is new, also beside one that stayed: a cable, another address', () => {
  const { look, hurriedCount } = openSeen();
  look({}, 5);
  look({ interfaces: [containers] }, 5);
  expect(hurriedCount()).toBe(0);
  look({ interfaces: [cable, containers] }, 5);
  expect(hurriedCount()).toBe(1);
  look({ interfaces: [{ ...cable, address: '10.0.0.6' }, containers] }, 5);
  expect(hurriedCount()).toBe(2);
  look({ interfaces: [] }, 5);
  look({ interfaces: [containers] }, 5);
  expect(hurriedCount()).toBe(3);
});
