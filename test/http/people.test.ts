// People who log in, and tills: what can be made, changed and revoked, and what is refused.

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { loginFailuresMax, sessionIdleMs, sessionMs } from '../../src/core/limits.ts';
import { systemClock } from '../../src/edges/system.ts';
import { openShop } from './appliance.ts';
import { claimCode, claimed, logIn, password } from './people.ts';

const nobody = { token: null };

describe('B10 the claim code', () => {
  test('is read without regard to case, hyphens, O and 0, I, L and 1, and is good once', async () => {
    const shop = openShop();
    const claim = (code: string) => shop.ask('POST', '/api/v1/claim', { code, password }, nobody);
    expect((await claim('ABCD-EFGH-JKMN-PQRT')).json.code).toBe('claim_code_wrong');
    expect((await claim('')).json.code).toBe('claim_code_wrong');
    expect((await claim(claimCode.toLowerCase().replaceAll('-', ' '))).status).toBe(200);
    expect((await claim(claimCode)).json.code).toBe('claimed_already');
    expect((await logIn(shop)).csrfToken).toMatch(/^[\w-]{43}$/);
  });

  test('two who claim at once: one is admin, the other is told', async () => {
    const shop = openShop();
    const claim = (word: string) => shop.ask('POST', '/api/v1/claim', { code: claimCode, password: word }, nobody);
    const replies = await Promise.all([claim('the password of one'), claim('the password of two')]);
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 409]);
    const winner = replies[0]?.status === 200 ? 'the password of one' : 'the password of two';
    await logIn(shop, 'admin', winner);
  });

  test('without one nobody can claim', async () => {
    const shop = openShop({ http: { claim: null } });
    expect((await shop.ask('POST', '/api/v1/claim', { code: claimCode, password }, nobody)).status).toBe(409);
  });

  test.each(['short', 'nine char', 'x'.repeat(1025), 'é'.repeat(513)])(
    'a password like %j is refused',
    async (word) => {
      const reply = await openShop().ask('POST', '/api/v1/claim', { code: claimCode, password: word }, nobody);
      expect(reply.json).toMatchObject({ code: 'malformed', errors: [{ pointer: '/password' }] });
    },
  );
});

describe('B10 sessions', () => {
  test('tell who asks, go on with use, and end when idle or old', async () => {
    let laterMs = 0;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + laterMs };
    const shop = openShop({ http: { clock } });
    const { cookie, csrfToken } = await claimed(shop);
    const who = () => shop.ask('GET', '/api/v1/session', undefined, { token: null, headers: cookie });
    expect((await who()).json).toMatchObject({ user: 'admin', role: 'admin', csrfToken });
    const hour = 3_600_000;
    for (; laterMs < sessionMs - hour; laterMs += sessionIdleMs - hour) expect((await who()).status).toBe(200);
    laterMs = sessionMs + 1;
    expect((await who()).json.code).toBe('session_ended');
    const next = await logIn(shop);
    laterMs += sessionIdleMs + 1;
    expect((await shop.ask('GET', '/api/v1/session', undefined, { token: null, headers: next.cookie })).status).toBe(
      401,
    );
    const token = await shop.ask('GET', '/api/v1/session');
    expect(token.json).toEqual({ user: 'admin', role: 'admin', csrfToken: null, expiresAt: null });
  });

  test('a password is the same however its accents are typed', async () => {
    const shop = openShop();
    const composed = 'caf\u00e9 au lait s\u2019il vous pla\u00eet';
    await shop.ask('POST', '/api/v1/claim', { code: claimCode, password: composed }, nobody);
    await logIn(shop, 'admin', composed.normalize('NFD'));
  });

  test('B7 people who log in at once with the right password are all let in', async () => {
    const shop = openShop();
    await claimed(shop);
    const all = await Promise.all(Array.from({ length: loginFailuresMax + 2 }, () => logIn(shop)));
    expect(new Set(all.map(({ csrfToken }) => csrfToken)).size).toBe(loginFailuresMax + 2);
  });

  test('logging out ends it, and takes the cookie away', async () => {
    const shop = openShop();
    const { withCsrf, cookie } = await claimed(shop);
    const reply = await shop.ask('DELETE', '/api/v1/session', undefined, { token: null, headers: withCsrf });
    expect([reply.status, reply.headers.get('set-cookie')]).toEqual([204, expect.stringContaining('Max-Age=0')]);
    expect((await shop.ask('GET', '/api/v1/session', undefined, { token: null, headers: cookie })).status).toBe(401);
  });

  test('a token has no password to change', async () => {
    const json = { current: password, password: 'another long password' };
    expect((await openShop().ask('PUT', '/api/v1/password', json)).json.code).toBe('no_password');
  });
});

describe('people', () => {
  test('are made, listed without their hashes, shut out, and may come back', async () => {
    const shop = openShop();
    const admin = await claimed(shop);
    const ada = { name: 'ada', password: 'the password of ada', role: 'admin' };
    const made = await shop.ask('POST', '/api/v1/users', ada);
    expect([made.status, made.json]).toMatchObject([201, { name: 'ada', role: 'admin', hasPassword: true }]);
    expect((await shop.ask('POST', '/api/v1/users', ada)).json.code).toBe('user_exists');
    expect((await shop.ask('POST', '/api/v1/users', { ...ada, name: 'token-admin' })).json.code).toBe('id_reserved');
    expect((await shop.ask('POST', '/api/v1/users', { ...ada, name: 'a b' })).json.code).toBe('malformed');
    const list = await shop.ask('GET', '/api/v1/users', undefined, { token: null, headers: admin.cookie });
    expect(list.json.data.map(({ name }: { name: string }) => name)).toEqual(['ada', 'admin']);
    expect(list.text).not.toMatch(/argon2|asswordHash|tokenHash"/);
    const session = await logIn(shop, 'ada', ada.password);

    expect((await shop.ask('DELETE', '/api/v1/users/ada')).status).toBe(204);
    expect((await shop.ask('DELETE', '/api/v1/users/ada')).status).toBe(204);
    const out = await shop.ask('GET', '/api/v1/users', undefined, { token: null, headers: session.cookie });
    expect(out.json.code).toBe('session_ended');
    await expect(logIn(shop, 'ada', ada.password)).rejects.toThrow('401');

    expect((await shop.ask('POST', '/api/v1/users', { ...ada, role: 'read-only' })).json.role).toBe('read-only');
    expect((await logIn(shop, 'ada', ada.password)).csrfToken).not.toBe(session.csrfToken);
  });

  test('the last admin who can log in stays', async () => {
    const shop = openShop();
    await claimed(shop);
    await shop.ask('POST', '/api/v1/users', { name: 'looker', password, role: 'read-only' });
    await shop.ask('POST', '/api/v1/admin-token', {});
    expect((await shop.ask('DELETE', '/api/v1/users/admin')).json.code).toBe('last_admin');
    await shop.ask('POST', '/api/v1/users', { name: 'ada', password, role: 'admin' });
    expect((await shop.ask('DELETE', '/api/v1/users/admin')).status).toBe(204);
    expect((await shop.ask('DELETE', '/api/v1/users/ada')).json.code).toBe('last_admin');
    expect((await shop.ask('DELETE', '/api/v1/users/nobody')).status).toBe(404);
  });

  test('what a person does is written under the name, which no till can have', async () => {
    const shop = openShop();
    const { withCsrf } = await claimed(shop);
    const asAdmin = { token: null, headers: withCsrf };
    expect((await shop.ask('POST', '/api/v1/terminals', { id: 'user:admin', name: 'x' })).json.code).toBe(
      'id_reserved',
    );
    expect((await shop.ask('POST', '/api/v1/terminals', { name: 'Till' }, asAdmin)).status).toBe(201);
    const stored = await shop.ask('PUT', '/api/v1/products/p-1', { name: 'Tea' }, asAdmin);
    expect(stored.status).toBe(201);
  });
});

describe('terminals', () => {
  test('that only read may look and write nothing', async () => {
    const shop = openShop();
    const made = await shop.ask('POST', '/api/v1/terminals', { name: 'Screen', role: 'read-only' });
    expect(made.json).toMatchObject({ role: 'read-only' });
    const { token } = made.json;
    expect((await shop.ask('GET', '/api/v1/stock', undefined, { token })).status).toBe(200);
    expect((await shop.ask('POST', '/api/v1/tickets', { lines: [] }, { token })).json.code).toBe('read_only');
    expect((await shop.ask('POST', '/api/v1/terminals', { name: 'x', role: 'admin' })).json.code).toBe('malformed');
  });

  test('show when they were last used here', async () => {
    const shop = openShop();
    const till = await shop.makeTill();
    const lastUsed = async () => (await shop.ask('GET', '/api/v1/terminals')).json.data[0].lastUsedAt;
    expect(await lastUsed()).toBe(null);
    await shop.ask('GET', '/api/v1/stock', undefined, { token: till.token });
    const seen = Date.parse(await lastUsed());
    expect(seen).toBeGreaterThan(Date.now() - 60_000);
    const database = new Database(join(shop.folder, 'books.db'), { readonly: true });
    expect(database.prepare('SELECT * FROM terminal_uses').all()).toEqual([{ terminal: till.id, at: seen }]);
    database.close();
  });

  test('B8 a till that asks all day is written down once an hour', async () => {
    let laterMs = 0;
    const clock = { ...systemClock, now: () => 1_800_000_000_000 + laterMs };
    const shop = openShop({ http: { clock } });
    const till = await shop.makeTill();
    const database = new Database(join(shop.folder, 'books.db'), { readonly: true });
    const written = () =>
      database
        .prepare('SELECT at FROM terminal_uses')
        .all()
        .map((row) => (row as { at: number }).at - 1_800_000_000_000);
    const minute = 60_000;
    for (const [minutes, expected] of [
      [0, 0],
      [1, 0],
      [59, 0],
      [60, 60],
      [61, 60],
      [200, 200],
      [20, 20],
    ] as const) {
      laterMs = minutes * minute;
      await shop.ask('GET', '/api/v1/stock', undefined, { token: till.token });
      expect([minutes, written()]).toEqual([minutes, [expected * minute]]);
      const list = (await shop.ask('GET', '/api/v1/terminals')).json.data;
      expect(Date.parse(list[0].lastUsedAt)).toBe(clock.now());
    }
    database.close();
  });
});
