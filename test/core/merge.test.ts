// The laws of the merge, over generated truthful histories: what comes out depends on the set of ops alone.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSameJson, type Json, type JsonObject } from '../../src/core/json.ts';
import { changedFields, documentToFields, fieldsToDocument, mergeRecord, type RecordOp } from '../../src/core/merge.ts';
import { dotText, fieldNames, frontierByKnowledge, type History, histories, mergedText } from './histories.ts';

const shuffled = (history: fc.Arbitrary<History>) =>
  history.chain((given) =>
    fc.record({
      history: fc.constant(given),
      order: fc.shuffledSubarray(
        given.map(({ op }) => op),
        { minLength: given.length },
      ),
      cuts: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 30 }),
    }),
  );

/** Merges batch by batch, keeping only what is live and the vector in between, as storage does. */
function mergeInBatches(ops: readonly RecordOp[], sizes: readonly number[]) {
  let merged: ReturnType<typeof mergeRecord> | undefined;
  for (let start = 0, turn = 0; start < ops.length; turn++) {
    const size = 1 + (sizes[turn % sizes.length] ?? 0);
    merged = mergeRecord([...(merged?.live ?? []), ...ops.slice(start, start + size)], merged?.seen);
    start += size;
  }
  if (!merged) throw new Error('no ops');
  return merged;
}

describe.each(['clock', 'any'] as const)('with stamps: %s', (stamps) => {
  const runs = { numRuns: 1500 };

  test('B3 any order of arrival gives the same record, live ops, vector and conflicts', () => {
    fc.assert(
      fc.property(shuffled(histories(stamps)), ({ history, order }) => {
        const straight = mergeRecord(history.map(({ op }) => op));
        expect(mergedText(mergeRecord(order))).toBe(mergedText(straight));
      }),
      runs,
    );
  });

  test('B3 any batching, with superseded ops pruned in between, gives the same', () => {
    fc.assert(
      fc.property(shuffled(histories(stamps)), ({ history, order, cuts }) => {
        const straight = mergeRecord(history.map(({ op }) => op));
        expect(mergedText(mergeInBatches(order, cuts))).toBe(mergedText(straight));
      }),
      runs,
    );
  });

  test('B3 merging is idempotent: ops that come again, even pruned ones, change nothing', () => {
    fc.assert(
      fc.property(shuffled(histories(stamps)), ({ history, order, cuts }) => {
        const once = mergeRecord(history.map(({ op }) => op));
        expect(mergedText(mergeInBatches([...order, ...order], cuts))).toBe(mergedText(once));
        expect(mergedText(mergeRecord(once.live))).toBe(mergedText(once));
      }),
      runs,
    );
  });

  test('B5 an edit made by someone who had seen another wins over it, whatever the stamps', () => {
    fc.assert(
      fc.property(histories(stamps), (history) => {
        const merged = mergeRecord(history.map(({ op }) => op));
        for (const field of fieldNames) {
          if (field === 'deleted') continue;
          const winner = frontierByKnowledge(history, field).at(-1);
          expect(merged.fields[field] ?? null).toEqual(winner?.set[field] ?? null);
        }
        const deletion = frontierByKnowledge(history, 'deleted').at(-1);
        expect(merged.deleted).toBe(deletion?.set.deleted === true);
      }),
      runs,
    );
  });

  test('B6 every edit that lost without having been seen is kept and told, and no other', () => {
    fc.assert(
      fc.property(histories(stamps), (history) => {
        const merged = mergeRecord(history.map(({ op }) => op));
        const live = new Set(merged.live.map(dotText));
        for (const field of fieldNames) {
          const frontier = frontierByKnowledge(history, field);
          const value = frontier.at(-1)?.set[field] ?? null;
          const lost = frontier.filter((op) => !isSameJson(op.set[field] ?? null, value)).map(dotText);
          const told = merged.conflicts.find((conflict) => conflict.field === field)?.losers.map(dotText) ?? [];
          expect(told).toEqual(lost);
          for (const op of frontier) expect(live.has(dotText(op))).toBe(true);
        }
        const inSomeFrontier = fieldNames.flatMap((field) => frontierByKnowledge(history, field)).map(dotText);
        expect([...live].sort()).toEqual([...new Set(inSomeFrontier)].sort());
      }),
      runs,
    );
  });

  test('B3 the vector of a record is exactly what it holds', () => {
    fc.assert(
      fc.property(histories(stamps), (history) => {
        const expected: Record<string, number> = {};
        for (const { op } of history) expected[op.origin] = Math.max(expected[op.origin] ?? 0, op.number);
        expect(mergeRecord(history.map(({ op }) => op)).seen).toEqual(expected);
      }),
      runs,
    );
  });
});

test('B5 with stamps as appliances make them, the causally later edit also has the later stamp', () => {
  fc.assert(
    fc.property(histories('clock'), (history) => {
      for (const { op, knows } of history) for (const known of knows) expect(op.stamp > known.stamp).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

// Documents and fields

const key = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc.constantFrom('', '/', '~', '~1', '~01', 'a/b', '__proto__', 'constructor', 'deleted', 'createdAt', 'attributes'),
);
const objectOf = (entries: [string, Json][]): JsonObject => {
  const object: JsonObject = {};
  for (const [name, value] of entries)
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  return object;
};
const json = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>;
const document = fc
  .tuple(fc.array(fc.tuple(key, json), { maxLength: 6 }), fc.array(fc.tuple(key, json), { maxLength: 6 }))
  .map(([members, attributes]) =>
    objectOf([...members.filter(([name]) => name !== 'attributes'), ['attributes', objectOf(attributes)]]),
  );

test('a document comes back from its fields whole, whatever its members are called', () => {
  fc.assert(
    fc.property(document, (given) => {
      expect(isSameJson(fieldsToDocument(documentToFields(given)), given)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('setting the changed fields makes one document out of the other', () => {
  fc.assert(
    fc.property(document, document, (current, wanted) => {
      const [from, to] = [documentToFields(current), documentToFields(wanted)];
      const after: JsonObject = { ...from };
      for (const [field, value] of Object.entries(changedFields(from, to, true))) {
        if (value === null) delete after[field];
        else after[field] = value;
      }
      for (const [field, value] of Object.entries(to)) if (value === null) delete to[field];
      for (const [field, value] of Object.entries(after)) if (value === null) delete after[field];
      expect(isSameJson(after, to)).toBe(true);
      expect(changedFields(to, to, true)).toEqual({});
    }),
    { numRuns: 2000 },
  );
});

// What only an attacker writes

test('B7 vectors that claim to have seen each other in a circle lose nothing and throw nothing', () => {
  const origins = ['a', 'b', 'c'].map((letter) => `${letter.repeat(26)}.1`);
  const circle = origins.map(
    (origin, index): RecordOp => ({
      origin,
      number: 1,
      stamp: `000000000000000${index}`,
      seen: { [origins[(index + 1) % 3] ?? '']: 1 },
      set: { '/name': index },
    }),
  );
  const merged = mergeRecord(circle);
  expect(merged.fields).toEqual({ '/name': 2 });
  expect(merged.live).toHaveLength(3);
});

test('B7 any ops with any vectors merge without throwing, in any order to the same fields', () => {
  const anyOp = fc.record({
    origin: fc.constantFrom(
      'aaaaaaaaaaaaaaaaaaaaaaaaaa.1',
      'bbbbbbbbbbbbbbbbbbbbbbbbbb.1',
      'cccccccccccccccccccccccccc.1',
    ),
    number: fc.integer({ min: 1, max: 4 }),
    stamp: fc.constantFrom('0000000000000000', '0000000000000001', 'ffffffffffffffff'),
    seen: fc.dictionary(
      fc.constantFrom('aaaaaaaaaaaaaaaaaaaaaaaaaa.1', 'bbbbbbbbbbbbbbbbbbbbbbbbbb.1'),
      fc.integer({ min: 1, max: 9 }),
    ),
    set: fc.dictionary(fc.constantFrom('/name', 'deleted', 'createdAt', '__proto__', 'constructor'), json, {
      minKeys: 1,
    }),
  });
  // What has no number in it is no time.
  const odd = { origin: 'aaaaaaaaaaaaaaaaaaaaaaaaaa.1', number: 1, stamp: '0'.repeat(16), seen: {} };
  expect(mergeRecord([{ ...odd, set: { createdAt: { toString: '' } } }]).createdAt).toBe(0);
  const distinct = fc.uniqueArray(anyOp, { selector: ({ origin, number }) => `${origin}#${number}`, minLength: 1 });
  fc.assert(
    fc.property(
      distinct.chain((ops) => fc.tuple(fc.constant(ops), fc.shuffledSubarray(ops, { minLength: ops.length }))),
      ([ops, order]) => void expect(mergedText(mergeRecord(order))).toBe(mergedText(mergeRecord(ops))),
    ),
    { numRuns: 1000 },
  );
});
