// Ops: nothing from outside throws, the chain does not care what was erased or pruned, the order of ops is total.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gtinOf } from '../../src/core/gtin.ts';
import type { Heads } from '../../src/core/heads.ts';
import { canonicalJson, isSameJson, type Json } from '../../src/core/json.ts';
import { headerBytesMax, payloadBytesMax } from '../../src/core/limits.ts';
import {
  compareOps,
  genesisHead,
  hashesOf,
  hasSeenOp,
  nextHead,
  type Op,
  parseHeader,
  parsePayload,
  sealMessage,
} from '../../src/core/op.ts';

const sha256 = (input: Uint8Array | string): Uint8Array => createHash('sha256').update(input).digest();
const origins = ['aaaaaaaaaaaaaaaaaaaaaaaaaa.1', 'aaaaaaaaaaaaaaaaaaaaaaaaaa.2', 'bbbbbbbbbbbbbbbbbbbbbbbbbb.1'];

const headAfter = (head: Uint8Array, given: Op) => nextHead(sha256, head, hashesOf(sha256, given));

describe('headers and payloads from outside', () => {
  test('B7 no text makes reading throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.constantFrom('null', '[]', '1e999', '"\\ud800"')),
        (text) => {
          expect(typeof parseHeader(text) === 'string' || typeof parseHeader(text) === 'object').toBe(true);
          parsePayload(text);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('B7 a header with any members is read or refused, and what is read is what a header may be', () => {
    const member = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('0123456789abcdef', '0000000000000001', 'product', 'p1', {}),
    );
    const header = fc.record(
      { stamp: member, entity: member, id: member, seen: member, later: member },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(header, (given) => {
        const parsed = parseHeader(JSON.stringify(given));
        if (typeof parsed === 'string') return;
        expect(parsed.stamp).toMatch(/^[0-9a-f]{16}$/);
        expect(parsed.entity).toMatch(/^[a-z_]+$/);
        expect(parsed.id.length).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });

  test('too large is said before it is parsed', () => {
    expect(parseHeader(' '.repeat(headerBytesMax + 1))).toBe('op_too_large');
    expect(parsePayload(' '.repeat(payloadBytesMax + 1))).toBe('op_too_large');
  });
});

describe('chain', () => {
  const op = fc.record({ kind: fc.constant('whole' as const), header: fc.string(), payload: fc.string() });
  const erased = (given: Op & { kind: 'whole' }): Op => ({
    kind: 'erased',
    header: given.header,
    payloadHash: sha256(given.payload),
  });
  const pruned = (given: Op & { kind: 'whole' }): Op => ({
    kind: 'pruned',
    headerHash: sha256(given.header),
    payloadHash: sha256(given.payload),
  });

  test('an op erased or pruned gives the same head as the whole one', () => {
    fc.assert(
      fc.property(op, (given) => {
        const genesis = genesisHead(sha256, 'shop', origins[0] ?? '');
        const head = headAfter(genesis, given);
        expect(headAfter(genesis, erased(given))).toEqual(head);
        expect(headAfter(genesis, pruned(given))).toEqual(head);
      }),
    );
  });

  test('another header, payload, order, shop or origin gives another head', () => {
    fc.assert(
      fc.property(op, op, (a, b) => {
        fc.pre(a.header !== b.header || a.payload !== b.payload);
        const genesis = genesisHead(sha256, 'shop', origins[0] ?? '');
        const chained = (first: Op, second: Op) => headAfter(headAfter(genesis, first), second);
        expect(chained(a, b)).not.toEqual(chained(b, a));
        expect(headAfter(genesis, a)).not.toEqual(headAfter(genesis, b));
      }),
    );
    const heads = ['shop', 'other'].flatMap((shop) =>
      origins.map((origin) => Buffer.from(genesisHead(sha256, shop, origin)).toString('hex')),
    );
    expect(new Set(heads).size).toBe(heads.length);
  });

  test('every fact of a seal is in what is signed', () => {
    const seal = { origin: origins[0] ?? '', first: 1, last: 2, facts: 1, before: sha256('a'), after: sha256('b') };
    const message = (change: object): string => Buffer.from(sealMessage('shop', { ...seal, ...change })).toString();
    const texts = [
      {},
      { origin: origins[1] },
      { first: 2 },
      { last: 3 },
      { facts: 2 },
      { before: sha256('c') },
      { after: sha256('c') },
    ].map(message);
    expect(new Set(texts).size).toBe(texts.length);
    expect(Buffer.from(sealMessage('other', seal)).toString()).not.toBe(texts[0]);
  });
});

describe('order', () => {
  const dot = fc.record({
    origin: fc.constantFrom(...origins),
    number: fc.integer({ min: 1, max: 3 }),
    stamp: fc.constantFrom('0000000000000000', '0000000000000001', '00000000000000ff'),
  });

  test('B3 is total: antisymmetric, transitive, equal only for the same op', () => {
    fc.assert(
      fc.property(dot, dot, dot, (a, b, c) => {
        expect(Math.sign(compareOps(a, b))).toBe(-Math.sign(compareOps(b, a)) + 0);
        if (compareOps(a, b) <= 0 && compareOps(b, c) <= 0) expect(compareOps(a, c)).toBeLessThanOrEqual(0);
        expect(compareOps(a, b) === 0).toBe(a.stamp === b.stamp && a.origin === b.origin && a.number === b.number);
      }),
      { numRuns: 2000 },
    );
  });

  test('B5 an origin has seen its own earlier ops, never itself, never a later one', () => {
    const seen: Heads = { [origins[0] ?? '']: 9, [origins[2] ?? '']: 4 };
    const at = (origin: number, number: number) => ({ origin: origins[origin] ?? '', number });
    expect(hasSeenOp({ ...at(0, 5), seen }, at(0, 4))).toBe(true);
    expect(hasSeenOp({ ...at(0, 5), seen }, at(0, 5))).toBe(false);
    expect(hasSeenOp({ ...at(0, 5), seen }, at(0, 6))).toBe(false);
    expect(hasSeenOp({ ...at(0, 5), seen }, at(2, 4))).toBe(true);
    expect(hasSeenOp({ ...at(0, 5), seen }, at(2, 5))).toBe(false);
    expect(hasSeenOp({ ...at(0, 5), seen }, at(1, 1))).toBe(false);
  });
});

describe('canonical JSON', () => {
  const value = fc.jsonValue() as fc.Arbitrary<Json>;
  const reversed = (given: Json): Json => {
    if (Array.isArray(given)) return given.map(reversed);
    if (typeof given !== 'object' || given === null) return given;
    return Object.fromEntries(
      Object.entries(given)
        .reverse()
        .map(([name, member]) => [name, reversed(member)]),
    );
  };

  test('B3 is the same for every order of members, parses back, and is its own canonical text', () => {
    fc.assert(
      fc.property(value, (given) => {
        const text = canonicalJson(given);
        expect(canonicalJson(reversed(given))).toBe(text);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(isSameJson(JSON.parse(JSON.stringify(given)), given)).toBe(true);
      }),
    );
  });

  test('tells different values apart', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const same = canonicalJson(a) === canonicalJson(b);
        expect(same).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
      }),
    );
  });

  test('numbers, escapes and key order are as RFC 8785 has them', () => {
    const given = JSON.parse(
      '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7,"n":[333333333.33333329,1E30,4.50,2e-3,1e-27,-0],"s":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"}',
    );
    expect(canonicalJson(given)).toBe(
      '{"\\r":2,"1":4,"n":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],"s":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/","\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
    );
  });

  test('a lone surrogate is escaped, so that the text has one encoding', () => {
    expect(canonicalJson('\ud800')).toBe('"\\ud800"');
  });

  const sorted = (given: Json): Json => {
    if (Array.isArray(given)) return ['array', ...given.map(sorted)];
    if (typeof given !== 'object' || given === null) return given;
    const members = Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1));
    return ['object', ...members.flatMap(([name, member]) => [name, sorted(member)])];
  };
});

describe('barcodes', () => {
  test('UPC-A, EAN-13 with leading zeros and GTIN-14 are one number', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{1,14}$/), (code) => {
        expect(gtinOf(code)).toHaveLength(14);
        expect(gtinOf(code)).toBe(gtinOf(` ${code.padStart(13, '0')}`));
        expect(gtinOf(gtinOf(code))).toBe(gtinOf(code));
      }),
    );
    expect(gtinOf('036000291452')).toBe(gtinOf('0036000291452'));
  });

  test('any other code stays what it is', () => {
    expect(gtinOf('SHOP-12')).toBe('SHOP-12');
    expect(gtinOf('123456789012345')).toBe('123456789012345');
    expect(gtinOf('')).toBe('');
  });
});
