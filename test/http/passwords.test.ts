// Passwords as argon2id: strings that every appliance reads, bounded in what they may cost.

import { describe, expect, test } from 'vitest';
import { passwordsAtOnceMax, passwordsWaitingMax } from '../../src/core/limits.ts';
import { createPasswords, faultOfPassword } from '../../src/edges/http/passwords.ts';
import { systemRandom } from '../../src/edges/system.ts';

const passwords = createPasswords(systemRandom);

async function hashOf(password: string): Promise<string> {
  const hashed = await passwords.hash(password);
  if (!hashed.ok) throw new Error(hashed.detail);
  return hashed.hash;
}

describe('B10 a password', () => {
  test('is kept as a PHC string of its own salt, and only itself is right', async () => {
    const [one, other] = [await hashOf('a good long password'), await hashOf('a good long password')];
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(other).not.toBe(one);
    expect(await passwords.isRight('a good long password', one)).toEqual({ ok: true, isRight: true });
    for (const word of ['a good long passwore', '', 'A good long password', 'a good long password ']) {
      expect(await passwords.isRight(word, one)).toEqual({ ok: true, isRight: false });
    }
  });

  test('of another program is read: the reference implementation’s own example', async () => {
    // argon2 1.3's test.c: version 0x13, Argon2id, t 2, m 2^8, p 1, "password", "somesalt".
    const known = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
    expect(await passwords.isRight('password', known)).toEqual({ ok: true, isRight: true });
  });

  test.each([
    undefined,
    '',
    'plain text',
    '$2b$12$abcdefghijklmnopqrstuu',
    '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=256,t=99,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=256,t=2,p=16$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=0,t=0,p=0$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
  ])('is never right against %j, which is no hash of ours or would cost too much', async (hash) => {
    expect(await passwords.isRight('password', hash)).toEqual({ ok: true, isRight: false });
  });

  test('B8 past a bounded number that wait, the answer is to try again', async () => {
    const few = createPasswords(systemRandom);
    const count = passwordsAtOnceMax + passwordsWaitingMax + 3;
    const outcomes = await Promise.all(Array.from({ length: count }, () => few.isRight('x', undefined)));
    expect(outcomes.filter(({ ok }) => !ok)).toHaveLength(3);
    expect(outcomes.at(-1)).toMatchObject({ code: 'busy' });
    expect(await few.isRight('x', undefined)).toMatchObject({ ok: true });
  });

  test('that is new has at least 10 characters and at most 1024 bytes', () => {
    expect(faultOfPassword('ten chars!')).toBe(undefined);
    expect(faultOfPassword('😀'.repeat(9))).toContain('10 characters');
    expect(faultOfPassword('x'.repeat(1025))).toContain('1024 bytes');
  });
});
