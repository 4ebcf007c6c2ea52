// Heads are a join semilattice, and nothing from outside becomes heads that is not.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  covers,
  epochOf,
  type Heads,
  hasSeen,
  headsText,
  isSameHeads,
  joinHeads,
  missingCount,
  originOf,
  parseHeads,
  replicaOf,
} from '../../src/core/heads.ts';
import { opNumberMax, originsMax } from '../../src/core/limits.ts';

const origin = fc
  .tuple(fc.constantFrom('a', 'b', 'c', '7'), fc.constantFrom(1, 2, 999_999))
  .map(([letter, epoch]) => originOf(letter.repeat(26), epoch));
const heads: fc.Arbitrary<Heads> = fc.dictionary(
  origin,
  fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(opNumberMax)),
);

describe('B3 heads', () => {
  test('join commutes, associates, is idempotent and has nothing as its zero', () => {
    fc.assert(
      fc.property(heads, heads, heads, (a, b, c) => {
        expect(headsText(joinHeads(a, b))).toBe(headsText(joinHeads(b, a)));
        expect(headsText(joinHeads(joinHeads(a, b), c))).toBe(headsText(joinHeads(a, joinHeads(b, c))));
        expect(joinHeads(a, a)).toEqual(a);
        expect(joinHeads(a, {})).toEqual(a);
      }),
    );
  });

  test('join is the least that covers both, and changes neither', () => {
    fc.assert(
      fc.property(heads, heads, heads, (a, b, c) => {
        const [copyA, copyB] = [{ ...a }, { ...b }];
        const joined = joinHeads(a, b);
        expect([a, b]).toEqual([copyA, copyB]);
        expect(covers(joined, a) && covers(joined, b)).toBe(true);
        expect(covers(c, joined)).toBe(covers(c, a) && covers(c, b));
        expect(covers(a, b)).toBe(isSameHeads(joined, a));
        expect(missingCount(a, b) === 0).toBe(covers(a, b));
      }),
    );
  });

  test('equal heads are those with one text', () => {
    fc.assert(fc.property(heads, heads, (a, b) => void expect(headsText(a) === headsText(b)).toBe(isSameHeads(a, b))));
  });

  test('an origin says its replica and epoch', () => {
    fc.assert(fc.property(origin, (given) => void expect(originOf(replicaOf(given), epochOf(given))).toBe(given)));
    expect(hasSeen({}, originOf('a'.repeat(26), 1), 0)).toBe(true);
    expect(hasSeen({}, originOf('a'.repeat(26), 1), 1)).toBe(false);
  });
});

describe('C11 heads from outside', () => {
  test('come through as they are, and through JSON', () => {
    fc.assert(fc.property(heads, (given) => void expect(parseHeads(JSON.parse(JSON.stringify(given)))).toEqual(given)));
  });

  test('garbage is refused without throwing, and nothing gets through but origins and exact numbers', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.dictionary(origin, fc.anything())), (given) => {
        const parsed = parseHeads(given);
        for (const [name, number] of Object.entries(parsed ?? {})) {
          expect(name).toMatch(/^[a-z2-7]{26}\.[0-9]+$/);
          expect(Number.isSafeInteger(number) && number >= 1 && number <= opNumberMax).toBe(true);
        }
      }),
    );
  });

  test('2^53+1, negative, zero, fractions, a million origins and odd names are refused', () => {
    const a = originOf('a'.repeat(26), 1);
    for (const number of [2 ** 53 + 2, -1, 0, 1.5, opNumberMax + 1, '1', null])
      expect(parseHeads({ [a]: number })).toBeUndefined();
    for (const name of [
      '',
      'a',
      `${'a'.repeat(26)}.0`,
      `${'a'.repeat(26)}.01`,
      `${'A'.repeat(26)}.1`,
      `${a}\n`,
      `${'a'.repeat(26)}.1000000`,
    ])
      expect(parseHeads({ [name]: 1 })).toBeUndefined();
    expect(parseHeads(JSON.parse('{"__proto__": {"x": 1}}'))).toBeUndefined();
    const many = Object.fromEntries(Array.from({ length: originsMax + 1 }, (_, index) => [`o${index}`, 1]));
    expect(parseHeads(many)).toBeUndefined();
  });
});
