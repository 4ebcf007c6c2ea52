// Credentials of people and tills are the shop's: made, changed or revoked at one appliance, they are so at the other.
// Two appliances, one on each runtime.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../src/demo/appliance-process.ts';
import { bun, node, runToEnd } from '../built-file.ts';
import { type Ask, ask, password, startTarget, type Target } from './target.ts';

describe('two appliances of one shop', () => {
  let front: Target;
  let back: Target;
  let admin = '';

  beforeAll(async () => {
    const env = { TILLMESH_SHOP_KEY: randomBytes(32).toString('base64url') };
    front = await startTarget(node, [], env);
    back = await startTarget(bun.isHere ? bun : node, ['--peer', `127.0.0.1:${front.meshPort}`], env);
  });
  afterAll(async () => {
    await front?.stop();
    await back?.stop();
  });

  const statusAt = async (target: Target, path: string, asked: Ask): Promise<number> =>
    (await ask(target, path, asked)).status;
  const untilStatus = (target: Target, path: string, asked: Ask, status: number): Promise<void> =>
    until(`${path} is a ${status}`, 20_000, async () => (await statusAt(target, path, asked)) === status);
  const logIn = async (target: Target, word = password) => {
    const reply = await ask(target, '/api/v1/session', { method: 'POST', json: { password: word } });
    const cookie = reply.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    return { status: reply.status, headers: { cookie, 'x-csrf-token': reply.json.csrfToken ?? '' } };
  };

  test('B10 claimed at one, the shop is claimed at the other, and its admin logs in there', async () => {
    const code = (target: Target) => readFileSync(join(target.data, 'claim-code'), 'utf8').trim();
    const claim = (target: Target): Ask => ({
      method: 'POST',
      json: { code: code(target), password, shopName: 'Corner' },
    });
    const wrong = { method: 'POST', json: { code: 'AAAA-AAAA-AAAA-AAAA', password } };
    expect((await ask(front, '/api/v1/claim', wrong)).json.code).toBe('claim_code_wrong');
    const other = claim(back);
    const claimed = await ask(front, '/api/v1/claim', claim(front));
    expect([claimed.status, claimed.json.user, claimed.json.role]).toEqual([200, 'admin', 'admin']);
    await untilStatus(back, '/api/v1/claim', other, 409);
    const { status, headers } = await logIn(back);
    expect(status).toBe(200);
    const users = (await ask(back, '/api/v1/users', { headers })).json.data;
    expect(users).toMatchObject([{ name: 'admin', role: 'admin', hasPassword: true, shopName: 'Corner' }]);
  });

  test('B4 a till that is revoked at one is out at the other', async () => {
    const { headers } = await logIn(front);
    const till = (await ask(front, '/api/v1/terminals', { method: 'POST', json: { name: 'Till' }, headers })).json;
    await untilStatus(back, '/api/v1/products', { token: till.token }, 200);
    const list = (await ask(back, '/api/v1/terminals', { headers: (await logIn(back)).headers })).json.data;
    expect(list).toMatchObject([{ name: 'Till', lastUsedAt: expect.stringMatching(/^20/) }]);
    expect((await ask(front, '/api/v1/terminals', { headers })).json.data).toMatchObject([{ lastUsedAt: null }]);
    expect(await statusAt(front, `/api/v1/terminals/${till.id}`, { method: 'DELETE', headers })).toBe(204);
    await untilStatus(back, '/api/v1/products', { token: till.token }, 401);
  });

  test('B4 the admin token is the shop’s: a new one takes the place of the last everywhere', async () => {
    const make = async (target: Target) =>
      (await runToEnd([node.path, target.file, 'token', 'admin'], { folder: target.folder })).stdout.trim();
    admin = await make(front);
    await untilStatus(back, '/api/v1/users', { token: admin }, 200);
    const next = await make(back);
    expect(await statusAt(back, '/api/v1/users', { token: admin })).toBe(401);
    await untilStatus(front, '/api/v1/users', { token: admin }, 401);
    await untilStatus(front, '/api/v1/users', { token: next }, 200);
    expect(await statusAt(front, '/api/v1/users/token-admin', { method: 'DELETE', token: next })).toBe(204);
    await untilStatus(back, '/api/v1/users', { token: next }, 401);
  });

  test('B4 another password at one ends the sessions at both, but for the one that changed it', async () => {
    const [here, elsewhere, far] = [await logIn(front), await logIn(front), await logIn(back)];
    const json = { current: password, password: 'another long password' };
    const wrong = { method: 'PUT', json: { ...json, current: 'not the password' }, headers: here.headers };
    expect((await ask(front, '/api/v1/password', wrong)).json.code).toBe('password_wrong');
    const changed = await ask(front, '/api/v1/password', { method: 'PUT', json, headers: here.headers });
    expect(changed.status).toBe(200);
    const cookie = changed.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    expect(await statusAt(front, '/api/v1/session', { headers: { cookie } })).toBe(200);
    expect(await statusAt(front, '/api/v1/session', { headers: here.headers })).toBe(401);
    expect(await statusAt(front, '/api/v1/session', { headers: elsewhere.headers })).toBe(401);
    await untilStatus(back, '/api/v1/session', { headers: far.headers }, 401);
    expect([(await logIn(back)).status, (await logIn(back, json.password)).status]).toEqual([401, 200]);
  });
});
