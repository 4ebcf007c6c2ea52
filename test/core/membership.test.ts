// Who is of the shop, from statements alone: stories of a shop first, then what holds whatever was said.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Heads, originOf } from '../../src/core/heads.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { statementsPerAuthorMax } from '../../src/core/limits.ts';
import {
  membershipOf,
  readTrustWord,
  type TrustStatement,
  type TrustWord,
  withTrustStatement,
} from '../../src/core/membership.ts';

const id = (name: string): string => name.padEnd(26, 'a');
const [bar, cellar, attic, thief] = ['bar', 'cellar', 'attic', 'thief'].map(id) as [string, string, string, string];

/** What is said, one after another; each author numbers its own. */
function saying() {
  const said: TrustStatement[] = [];
  const numbers = new Map<string, number>();
  const say = (author: string, word: TrustWord, epoch = 1): TrustStatement => {
    const origin = originOf(author, epoch);
    const number = (numbers.get(origin) ?? 0) + 1;
    numbers.set(origin, number);
    const count = said.length + 1;
    const statement = { ...word, origin, number, id: `s${count}`, stamp: count.toString(16).padStart(16, '0') };
    said.push(statement);
    return statement;
  };
  return {
    said,
    trusts: (author: string, subject: string, pardons: string[] = []) =>
      say(author, { verdict: 'trusted', subject, pardons }),
    /** Having heard all that the subject has said, or as much as `upTo` says. */
    revokes: (author: string, subject: string, upTo?: Heads) => {
      const heard = numbers.get(originOf(subject, 1));
      return say(author, {
        verdict: 'revoked',
        subject,
        upTo: upTo ?? (heard ? { [originOf(subject, 1)]: heard } : {}),
      });
    },
    rotates: (author: string, covers: string[], key = 'k'.repeat(32)) =>
      say(author, { verdict: 'shop_key', key, covers }),
    both: (a: string, b: string) => {
      say(a, { verdict: 'trusted', subject: b, pardons: [] });
      say(b, { verdict: 'trusted', subject: a, pardons: [] });
    },
  };
}

const trustAt = (self: string, said: readonly TrustStatement[], who: string) => membershipOf(self, said).trustOf(who);

describe('a shop', () => {
  test('begins with oneself, and nobody else is of it', () => {
    const membership = membershipOf(bar, []);
    expect([...membership.members]).toEqual([bar]);
    expect(membership.trustOf(cellar)).toBe('pending');
  });

  test('B10 whom a member trusts is a member for all of them, whom a stranger trusts for nobody', () => {
    const { said, both, trusts } = saying();
    both(bar, cellar);
    both(cellar, attic);
    trusts(id('stranger'), thief);
    for (const self of [bar, cellar, attic]) {
      expect([bar, cellar, attic].map((who) => trustAt(self, said, who))).toEqual(['trusted', 'trusted', 'trusted']);
      expect(trustAt(self, said, thief)).toBe('pending');
    }
  });

  test('B10 whom one revokes is out for all, and those whom it had let in before stay', () => {
    const { said, both, revokes } = saying();
    both(bar, thief);
    both(thief, attic);
    revokes(bar, thief);
    for (const self of [bar, attic]) {
      expect(trustAt(self, said, thief)).toBe('revoked');
      expect([bar, attic].map((who) => trustAt(self, said, who))).toEqual(['trusted', 'trusted']);
    }
  });

  test('B10 a revoked one lets nobody in any more, under whatever epoch, nor itself', () => {
    const { said, both, trusts, revokes } = saying();
    both(bar, cellar);
    both(bar, thief);
    const revocation = revokes(bar, thief);
    const accomplice = id('accomplice');
    trusts(thief, accomplice);
    trusts(thief, thief, [revocation.id]);
    trusts(accomplice, thief, [revocation.id]);
    const other = { verdict: 'trusted', subject: accomplice, pardons: [] } as const;
    said.push({ ...other, origin: originOf(thief, 7), number: 1, id: 'later', stamp: '0'.repeat(16) });
    expect(trustAt(cellar, said, accomplice)).toBe('pending');
    expect(trustAt(cellar, said, thief)).toBe('revoked');
  });

  test('B10 a revocation that names less of what was heard counts together with one that names more', () => {
    const { said, both, trusts, revokes } = saying();
    both(bar, cellar);
    both(bar, thief);
    trusts(thief, attic);
    revokes(bar, thief);
    revokes(cellar, thief, { [originOf(thief, 1)]: 1 });
    expect(trustAt(bar, said, attic)).toBe('pending');
  });

  test('a revocation is taken back by naming it; another one, said meanwhile elsewhere, still holds', () => {
    const { said, both, trusts, revokes } = saying();
    both(bar, cellar);
    both(bar, attic);
    const first = revokes(bar, attic);
    trusts(bar, attic, [first.id]);
    expect(trustAt(cellar, said, attic)).toBe('trusted');
    const second = revokes(cellar, attic);
    expect(trustAt(bar, said, attic)).toBe('revoked');
    trusts(bar, attic, [second.id]);
    expect(trustAt(cellar, said, attic)).toBe('trusted');
  });

  test('two that revoke each other are both out, and a third can take either back', () => {
    const { said, both, trusts, revokes } = saying();
    both(bar, cellar);
    both(bar, attic);
    const first = revokes(bar, cellar, { [originOf(cellar, 1)]: 1 });
    revokes(cellar, bar, { [originOf(bar, 1)]: 2 });
    expect([bar, cellar].map((who) => trustAt(attic, said, who))).toEqual(['revoked', 'revoked']);
    trusts(attic, cellar, [first.id]);
    expect([bar, cellar].map((who) => trustAt(attic, said, who))).toEqual(['revoked', 'trusted']);
  });
});

describe('the shop key', () => {
  test('is the configured one until somebody is revoked; then one that covers that, and else none', () => {
    const { said, both, revokes, rotates } = saying();
    both(bar, thief);
    expect(membershipOf(bar, said).shopKey).toEqual({ kind: 'configured' });
    const revocation = revokes(bar, thief);
    expect(membershipOf(bar, said).shopKey).toEqual({ kind: 'none' });
    rotates(bar, [revocation.id]);
    expect(membershipOf(bar, said).shopKey).toEqual({ kind: 'rotated', key: 'k'.repeat(32) });
    both(bar, cellar);
    revokes(cellar, attic);
    expect(membershipOf(bar, said).shopKey).toEqual({ kind: 'none' });
  });

  test('B10 is not what a revoked one says', () => {
    const { said, both, revokes, rotates } = saying();
    both(bar, thief);
    const revocation = revokes(bar, thief);
    rotates(bar, [revocation.id]);
    rotates(thief, [revocation.id], 't'.repeat(32));
    expect(membershipOf(bar, said).shopKey).toEqual({ kind: 'rotated', key: 'k'.repeat(32) });
  });
});

describe('whatever is said', () => {
  const names = ['a', 'b', 'c', 'd', 'e'].map(id);
  const name = fc.constantFrom(...names);
  const heads = fc.dictionary(
    name.map((who) => originOf(who, 1)),
    fc.integer({ min: 1, max: 6 }),
  );
  const ids = fc.array(
    fc.integer({ min: 1, max: 12 }).map((number) => `s${number}`),
    { maxLength: 3 },
  );
  const word: fc.Arbitrary<TrustWord> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ verdict: fc.constant('trusted' as const), subject: name, pardons: ids }) },
    { weight: 2, arbitrary: fc.record({ verdict: fc.constant('revoked' as const), subject: name, upTo: heads }) },
    {
      weight: 1,
      arbitrary: fc.record({ verdict: fc.constant('shop_key' as const), key: fc.constant('k'), covers: ids }),
    },
  );
  const talk = fc.array(fc.tuple(name, word), { maxLength: 14 }).map((lines) => {
    const numbers = new Map<string, number>();
    return lines.map(([author, said], index): TrustStatement => {
      const number = (numbers.get(author) ?? 0) + 1;
      numbers.set(author, number);
      return { ...said, origin: originOf(author, 1), number, id: `s${index + 1}`, stamp: `${index}`.padStart(16, '0') };
    });
  });
  const told = (said: readonly TrustStatement[]) => {
    const { members, revoked, revocations, shopKey } = membershipOf(names[0] ?? '', said);
    return [[...members].sort(), [...revoked].sort(), [...revocations].sort(), shopKey];
  };

  test('B10 whoever has let in as many as count can still shut one out, and change the key', () => {
    const { said, trusts, revokes, rotates } = saying();
    for (let count = 0; count <= statementsPerAuthorMax; count++) trusts(bar, count === 0 ? thief : cellar);
    const revocation = revokes(bar, thief);
    rotates(bar, [revocation.id], 'l'.repeat(32));
    const counting = said.reduce<readonly TrustStatement[]>(withTrustStatement, []);
    expect(counting).toHaveLength(statementsPerAuthorMax + 2);
    expect(membershipOf(bar, counting)).toMatchObject({
      revocations: [revocation.id],
      shopKey: { kind: 'rotated', key: 'l'.repeat(32) },
    });
    expect(trustAt(bar, [...counting], thief)).toBe('revoked');
  });

  test('B3 the order in which it is heard makes no difference, nor hearing it twice', () => {
    fc.assert(
      fc.property(talk, fc.infiniteStream(fc.nat()), (said, chance) => {
        const shuffled = said.map((one) => ({ one, at: chance.next().value })).sort((a, b) => a.at - b.at);
        const heard = [...shuffled, ...shuffled].reduce<readonly TrustStatement[]>(
          (all, { one }) => withTrustStatement(all, one),
          [],
        );
        expect(heard).toHaveLength(said.length);
        expect(told(heard)).toEqual(told(said));
      }),
    );
  });

  test('B10 nobody is member and revoked, and one more revocation makes nobody a member', () => {
    fc.assert(
      fc.property(talk, name, name, heads, (said, author, subject, upTo) => {
        const before = membershipOf(names[0] ?? '', said);
        for (const who of before.members) expect(before.revoked.has(who)).toBe(false);
        const last = { verdict: 'revoked', subject, upTo, origin: originOf(author, 2), number: 1, id: 'last' } as const;
        const after = membershipOf(names[0] ?? '', [...said, { ...last, stamp: 'f'.repeat(16) }]);
        for (const who of after.members) expect(before.members.has(who)).toBe(true);
      }),
    );
  });

  test('D1 what is no statement is none', () => {
    const payloads: JsonObject[] = [
      {},
      { verdict: 'trusted' },
      { verdict: 'trusted', subject: 'x' },
      { verdict: 'trusted', subject: bar.toUpperCase() },
      { verdict: 'trusted', subject: bar, pardons: 'all' },
      { verdict: 'trusted', subject: bar, pardons: Array(1000).fill('s1') },
      { verdict: 'revoked', subject: bar },
      { verdict: 'revoked', subject: bar, upTo: { nobody: 1 } },
      { verdict: 'revoked', subject: bar, upTo: { [originOf(bar, 1)]: 2 ** 53 } },
      { verdict: 'shop_key', key: 'short', covers: [] },
      { verdict: 'king', subject: bar },
    ];
    for (const payload of payloads) expect(readTrustWord(payload)).toBeUndefined();
    expect(readTrustWord({ verdict: 'trusted', subject: bar })).toEqual({
      verdict: 'trusted',
      subject: bar,
      pardons: [],
    });
  });
});
