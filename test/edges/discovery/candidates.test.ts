// The table of who is said to be where, and the small rules beside it: rooms that are full, and networks that are not ours.

import { describe, expect, test } from 'vitest';
import {
  addressesPerReplicaMax,
  candidatesMax,
  candidatesPerSourceMax,
  discoveryRoundMs,
  mdnsCloseMs,
  mdnsGoodbyeMs,
  missedRoundsMax,
  sightingsPerSecondMax,
} from '../../../src/core/limits.ts';
import { createBudget } from '../../../src/edges/discovery/budget.ts';
import { type Claim, createCandidates } from '../../../src/edges/discovery/candidates.ts';
import { isOnNetwork } from '../../../src/edges/discovery/interfaces.ts';
import { bytesAtMost, ownNames, readTxt, txtOf } from '../../../src/edges/discovery/service.ts';
import { writeDetailsQuestion } from '../../../src/edges/discovery/write-packet.ts';
import { idOf, shopId } from './packets.ts';

const idNumber = (number: number): string => number.toString(32).padStart(26, 'a');

const claim = (id: string, source: string, host = source): Claim => ({
  sighting: { replicaId: id, address: `${host}:3031`, name: 'till', shop: shopId },
  start: '0',
  fullname: `${id}._tillmesh._tcp.local`,
  source,
});

describe('E10 the table', () => {
  test('takes a quarter from one address and 64 in all; who is in stays in', () => {
    const candidates = createCandidates();
    candidates.hear(claim(idOf('h'), '10.0.0.9'));
    for (let number = 0; number < 400; number++) candidates.hear(claim(idNumber(number), '10.0.0.1'));
    expect(candidates.count()).toBe(1 + candidatesPerSourceMax);
    for (let number = 400; number < 800; number++) {
      candidates.second();
      candidates.hear(claim(idNumber(number), `10.0.1.${number % 100}`));
    }
    expect(candidates.count()).toBe(candidatesMax);
    expect(candidates.named(claim(idOf('h'), '').fullname, '10.0.0.9').isKnown).toBe(true);
  });

  test('takes some addresses of one id, and tells that it is gone when the last one is', () => {
    const candidates = createCandidates();
    for (let host = 1; host < 20; host++) candidates.hear(claim(idOf('b'), `10.0.0.${host}`));
    expect(candidates.count()).toBe(1);
    const { fullname } = claim(idOf('b'), '');
    for (let host = 1; host < addressesPerReplicaMax; host++) {
      expect(candidates.goodbye(fullname, `10.0.0.${host}`)).toEqual([]);
    }
    expect(candidates.goodbye(fullname, `10.0.0.${addressesPerReplicaMax}`)).toEqual([idOf('b')]);
    expect(candidates.goodbye(fullname, '10.0.0.19')).toEqual([]);
  });

  test('tells so many in a second and no more; the rest are news in the next', () => {
    const candidates = createCandidates();
    const flood = (): number =>
      Array.from({ length: 500 }, (_, number) => {
        const one = claim(idNumber(number), `10.0.${number % 40}.1`);
        const sighting = candidates.hear(one);
        candidates.goodbye(one.fullname, one.source);
        return sighting;
      }).filter((sighting) => sighting !== null).length;
    expect([flood(), flood()]).toEqual([sightingsPerSecondMax, 0]);
    candidates.second();
    expect(flood()).toBe(sightingsPerSecondMax);
  });

  test('the silent go after three rounds and not before; a name alone is a sign of life', () => {
    const candidates = createCandidates();
    const one = claim(idOf('b'), '10.0.0.1');
    candidates.hear(one);
    const rounds = (count: number): string[] => Array.from({ length: count }, () => candidates.round()).flat();
    expect(rounds(missedRoundsMax)).toEqual([]);
    expect(candidates.named(one.fullname, one.source)).toEqual({ isKnown: true, news: [] });
    candidates.second();
    expect(rounds(missedRoundsMax)).toEqual([]);
    expect(candidates.named(one.fullname, one.source).news).toEqual([one.sighting]);
    expect(rounds(missedRoundsMax)).toEqual([]);
    expect(rounds(1)).toEqual([idOf('b')]);
  });
});

test('the times keep what is promised: a killed peer gone within 10 s, an end within half a second', () => {
  expect((missedRoundsMax + 1) * discoveryRoundMs).toBeLessThan(10_000);
  expect(mdnsGoodbyeMs + mdnsCloseMs).toBeLessThan(500);
});

test('E10 the budget of one who shouts does not take that of the rest', () => {
  const budget = createBudget(4, 2);
  expect(['a', 'a', 'a', 'b', 'c', 'd'].map(budget.take)).toEqual([true, true, false, true, true, false]);
  budget.renew();
  expect(budget.take('a')).toBe(true);
});

test('only addresses of an interface’s own network are on it', () => {
  const here = { name: 'eth0', address: '192.168.1.10', netmask: '255.255.255.0', mac: '' };
  const on = (address: string): boolean => isOnNetwork(here, address);
  expect(['192.168.1.10', '192.168.1.254', '192.168.1.1'].map(on)).toEqual([true, true, true]);
  expect(['192.168.2.1', '8.8.8.8', '192.168.1.255', '192.168.1.0'].some(on)).toBe(false);
  expect(['', '192.168.1', '192.168.1.256', '192.168.1.1:80', '::1', '0x7f.1.1.1'].some(on)).toBe(false);
});

test('a name of any kind makes labels and TXT that fit, and comes back as people see it', () => {
  for (const name of ['Bar', 'v1.2', '', '日本語'.repeat(21), '👩‍💻'.repeat(12), 'a\u0000b', '.'.repeat(64)]) {
    const self = { replicaId: idOf('a'), shop: shopId, name, meshPort: 1 };
    const { instance, host } = ownNames(self);
    expect(Buffer.byteLength(instance)).toBeLessThanOrEqual(63);
    expect(instance).toContain(idOf('a'));
    expect(`${instance}${host}`).not.toContain('.');
    const strings = Object.entries(txtOf(self, '00000000')).map(([key, text]) => `${key}=${text}`);
    for (const text of strings) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(255);
    expect(strings.reduce((sum, text) => sum + 1 + Buffer.byteLength(text), 0)).toBeLessThan(300);
    expect(readTxt(strings)).toMatchObject({ replicaId: idOf('a'), shop: shopId, start: '00000000' });
  }
  expect(bytesAtMost('aéé', 4)).toBe('aé');
});

test('a name that cannot be written is not asked for', () => {
  expect(writeDetailsQuestion('Bar._tillmesh._tcp.local')).not.toBeNull();
  for (const name of [`${'\ufffd'.repeat(40)}._tillmesh._tcp.local`, 'a..b', '', `${'x.'.repeat(130)}local`]) {
    expect(writeDetailsQuestion(name)).toBeNull();
  }
});
