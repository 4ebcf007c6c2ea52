// When to dial again, which of two links stays, and where nobody is dialed.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressFault, redialDelayMs, survivingLink } from '../../src/core/dial.ts';
import { redialMaxMs } from '../../src/core/limits.ts';

describe('the delay before the next attempt', () => {
  test('is about 1, 5, 10, 20, 40 s and then 60 s for ever', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 50, 1e6].map((failures) => redialDelayMs(failures, 0.5) / 1000);
    expect(delays).toEqual([1, 5, 10, 20, 40, 60, 60, 60, 60]);
  });

  test('B8 is spread, never more than the largest, never none, and never shorter for more failures', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (failures, fraction) => {
        const delay = redialDelayMs(failures, fraction);
        expect(delay).toBeGreaterThan(500);
        expect(delay).toBeLessThanOrEqual(redialMaxMs);
        expect(redialDelayMs(failures + 1, fraction)).toBeGreaterThanOrEqual(delay);
      }),
    );
    expect(redialDelayMs(3, 0)).toBeLessThan(redialDelayMs(3, 0.99));
  });
});

test('of two links both ends keep the same one, whichever each of them saw first', () => {
  const [small, large] = [{ dialerId: 'a' }, { dialerId: 'b' }];
  expect(survivingLink(small, large)).toBe(small);
  expect(survivingLink(large, small)).toBe(small);
  const again = { dialerId: 'a' };
  expect(survivingLink(small, again)).toBe(again);
});

describe('F6 an address', () => {
  test.each(['192.168.1.20:3031', 'till.lan:3031', 'bar:1', '[fd00::7]:65535', '127.0.0.1:3031', 'my_pi.local:3031'])(
    '%s is dialed',
    (address) => expect(addressFault(address)).toBeUndefined(),
  );

  test.each([
    '169.254.169.254:80',
    '[fe80::1]:3031',
    '[FEBF::1]:3031',
    '[::ffff:169.254.1.1]:3031',
    '[::ffff:a9fe:a9fe]:80',
    '0.0.0.0:3031',
    '[::]:3031',
    '224.0.0.251:5353',
    '[ff02::fb]:5353',
    '255.255.255.255:3031',
  ])('%s is refused', (address) => expect(addressFault(address)).toBe('refused'));

  test.each([
    '',
    'bar',
    'bar:',
    'bar:0',
    'bar:65536',
    'http://bar:80',
    'bar:80/x',
    'a b:80',
    '[fe80::1%eth0]:1',
    'bar:1\r\nX',
  ])('%j is none', (address) => expect(addressFault(address)).toBe('malformed'));
});
