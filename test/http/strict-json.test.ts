// The strict reader against JSON.parse: the same values, but for what JSON.parse lets through in silence.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, type Json } from '../../src/core/json.ts';
import { isExactNumber } from '../../src/edges/http/exact-number.ts';
import { findFault } from '../../src/edges/http/json-fault.ts';
import { readStrictJson } from '../../src/edges/http/strict-json.ts';

const runs = { numRuns: 2000 };

const isSafe = (value: unknown): boolean => {
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value);
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(
    ([name, member]) => isSafe(name) && !['__proto__', 'constructor', 'prototype'].includes(name) && isSafe(member),
  );
};

const text = fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.stringify(value));
/** JSON with parts of it torn out, doubled or replaced. */
const torn = fc
  .tuple(
    text,
    fc.nat(),
    fc.nat(20),
    fc.constantFrom('', '"', '{', '}', '[', ',', ':', '\\', '-0', '1e999', '"a":1,', 'é'),
  )
  .map(([whole, at, length, put]) => {
    const start = at % (whole.length + 1);
    return whole.slice(0, start) + put + whole.slice(start + length);
  });

const parses = (json: string): boolean => {
  try {
    JSON.parse(json);
    return true;
  } catch {
    return false;
  }
};

describe('against JSON.parse', () => {
  test('what is JSON and safe is read as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(0, 2, '\t'), (value, indent) => {
        const json = JSON.stringify(value, null, indent);
        const reading = readStrictJson(json);
        expect(reading.ok).toBe(isSafe(value));
        if (reading.ok) expect(reading.value).toEqual(JSON.parse(json));
      }),
      runs,
    );
  });

  test('escapes change nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const escaped = `"${[...Array(value.length).keys()].map((i) => `\\u${value.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`;
        const reading = readStrictJson(escaped);
        expect(reading.ok).toBe(isSafe(value));
        if (reading.ok) expect(reading.value).toBe(value);
      }),
      runs,
    );
  });

  test('what is not JSON is refused as such, and both readers agree what is', () => {
    fc.assert(
      fc.property(torn, (json) => {
        const reading = readStrictJson(json);
        const fault = findFault(json);
        expect(reading.ok).toBe(fault === undefined);
        if (!parses(json)) expect(reading.ok).toBe(false);
        else if (!reading.ok) expect(reading.code).not.toBe('not_json');
      }),
      { numRuns: 5000 },
    );
  });

  test('a member twice is found wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 }),
        fc.nat(),
        fc.nat(5),
        (object, pick, depth) => {
          const names = Object.keys(object);
          const name = names[pick % names.length] ?? '';
          fc.pre(isSafe(object));
          const doubled = `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(name)}:0}`;
          const nested = `${'[0,'.repeat(depth)}${doubled}${']'.repeat(depth)}`;
          expect(readStrictJson(nested)).toMatchObject({ ok: false, code: 'member_repeated' });
        },
      ),
      runs,
    );
  });
});

describe('numbers', () => {
  test('every finite double as JavaScript writes it is exact, but for integers beyond 2^53 and -0', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        fc.pre(!Object.is(value, -0));
        expect(isExactNumber(String(value))).toBe(!Number.isInteger(value) || Number.isSafeInteger(value));
        expect(isExactNumber(value.toPrecision(17))).toBe(!Number.isInteger(value) || Number.isSafeInteger(value));
      }),
      runs,
    );
  });

  test('decimals of up to 15 digits are exact', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 15n - 1n), fc.nat(15), (digits, places) => {
        const padded = digits.toString().padStart(places + 1, '0');
        const decimal = places === 0 ? padded : `${padded.slice(0, -places)}.${padded.slice(-places)}`;
        expect(isExactNumber(decimal)).toBe(true);
      }),
      runs,
    );
  });

  test.each([
    ['0', true],
    ['0.0', true],
    ['-0', false],
    ['-0.0', false],
    ['-0e5', false],
    ['0.1', true],
    ['0.10000000000000001', true],
    ['1.0000000000000001', false],
    ['9007199254740991', true],
    ['-9007199254740991', true],
    ['9007199254740992', false],
    ['9007199254740993', false],
    ['1e308', false],
    ['1e309', false],
    ['-1e309', false],
    ['1e-7', true],
    ['5e-324', true],
    ['1e-400', false],
    ['0e999999999', true],
    // One double, half-way between two forms of 16 digits: the shortest is its own.
    ['-729995712344549.2', true],
    ['-729995712344549.3', false],
    ['-729995712344549.25', true],
    ['123456789.123456789123456789', false],
    ['2.50', true],
    ['250e-2', true],
    [`1${'0'.repeat(400)}`, false],
    [`0.${'0'.repeat(400)}1`, false],
  ])('%s: %s', (token, expected) => {
    expect(isExactNumber(token)).toBe(expected);
    expect(readStrictJson(`[${token}]`).ok).toBe(expected);
  });
});

test('E9 a megabyte that is hard to read is read in no time', () => {
  const hard = [
    `[0.1${'0'.repeat(1e6)}1]`,
    `[${'9'.repeat(1e6)}]`,
    `["${'\\\\'.repeat(5e5)}"]`,
    `["${'\\u0041'.repeat(1.6e5)}"]`,
    `{${Array.from({ length: 1e5 }, (_, i) => `"${i}":-0.5`).join()}}`,
    '['.repeat(1e6),
    `${'{"a":'.repeat(2e5)}1`,
    ' '.repeat(1e6),
  ];
  for (const json of hard) {
    const started = performance.now();
    readStrictJson(json);
    expect(performance.now() - started, json.slice(0, 20)).toBeLessThan(500);
  }
});

test('faults are found at their place', () => {
  const at = (json: string) => {
    const reading = readStrictJson(json);
    return reading.ok ? undefined : [reading.code, reading.pointer];
  };
  expect(at('{"a~b":{"c/d":[1,2,1e400]}}')).toEqual(['number_not_exact', '/a~0b/c~1d/2']);
  expect(at('{"a":1,\n "b":}')).toEqual(['not_json', '/b']);
  expect(at('["\\x"]')).toEqual(['not_json', '/0']);
  expect(at('["\n"]')).toEqual(['not_json', '/0']);
  expect(at('[01]')).toEqual(['not_json', '/0']);
  expect(at('[.5]')).toEqual(['not_json', '/0']);
  expect(at('[1,]')).toEqual(['not_json', '/1']);
  expect(at('{"a":1,}')).toEqual(['not_json', '']);
  expect(at('"\\ud83d\\ude00"')).toBeUndefined();
  const reading = readStrictJson('{"a":1,\n "b":}');
  expect(reading.ok ? '' : reading.detail).toContain('line 2, column 6');
});

test('reading twice gives one canonical text', () => {
  fc.assert(
    fc.property(text, (json) => {
      const reading = readStrictJson(json);
      if (!reading.ok) return;
      const canonical = canonicalJson(reading.value as Json);
      const again = readStrictJson(canonical);
      expect(again.ok && canonicalJson(again.value)).toBe(canonical);
    }),
    runs,
  );
});
