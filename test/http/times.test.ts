// Times as tills write them.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isCanonicalTime, parseTime, timeText } from '../../src/edges/http/times.ts';

test('every moment of the years 0 to 9999 is read as it is told', () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }), (ms) => {
      expect(parseTime(timeText(ms) ?? '')).toBe(ms);
    }),
  );
});

test('what is written as it is told already is known as such, and nothing else is', () => {
  const moment = fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }).map((ms) => timeText(ms) ?? '');
  const nearly = fc.tuple(moment, fc.nat(23), fc.constantFrom(...'0123456789-:.TZtz +'));
  fc.assert(fc.property(moment, isCanonicalTime));
  fc.assert(
    fc.property(nearly, ([text, at, char]) => {
      const other = text.slice(0, at) + char + text.slice(at + 1);
      expect(isCanonicalTime(other)).toBe(timeText(parseTime(other) ?? null) === other);
    }),
  );
});

test.each([
  ['2026-11-20T09:30:00Z', '2026-11-20T09:30:00.000Z'],
  ['2026-11-20t09:30:00z', '2026-11-20T09:30:00.000Z'],
  ['2026-11-20 09:30:00+00:00', '2026-11-20T09:30:00.000Z'],
  ['2026-11-20T09:30:00.123456789+01:00', '2026-11-20T08:30:00.123Z'],
  ['2026-01-01T00:30:00.5+01:00', '2025-12-31T23:30:00.500Z'],
  ['2024-02-29T23:59:60Z', '2024-02-29T23:59:59.999Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['2026-11-20T09:30:00-11:45', '2026-11-20T21:15:00.000Z'],
])('%s is %s', (sent, told) => {
  expect(timeText(parseTime(sent) ?? Number.NaN)).toBe(told);
});

test.each([
  '',
  '2026-11-20',
  '2026-11-20T09:30Z',
  '2026-11-20T09:30:00',
  '2026-11-20T24:00:00Z',
  '2026-11-20T09:60:00Z',
  '2026-11-20T09:30:61Z',
  '2026-02-29T09:30:00Z',
  '2026-00-10T09:30:00Z',
  '2026-11-20T09:30:00+24:00',
  '2026-11-20T09:30:00.Z',
  '0000-01-01T00:00:00+01:00',
  '9999-12-31T23:59:59-01:00',
  '١٢٣٤-11-20T09:30:00Z',
])('"%s" is no time', (sent) => {
  expect(parseTime(sent)).toBeUndefined();
});

test('what no calendar has is told as null', () => {
  for (const ms of [null, Number.NaN, Number.POSITIVE_INFINITY, 8.64e15, -1e15]) expect(timeText(ms)).toBeNull();
});
