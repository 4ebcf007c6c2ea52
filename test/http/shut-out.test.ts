// B4 whoever is shut out while his request is under way: it was let in, and writes nothing any more.

import { describe, expect, test } from 'vitest';
import { commitOpsMax, passwordsAtOnceMax } from '../../src/core/limits.ts';
import { openShop, type TestShop } from './appliance.ts';
import { claimed, password } from './people.ts';

const thief = { name: 'thief', role: 'admin', password };

/** Resolves when the first half is read; `finish` sends the second. */
function halfSent(body: object): { raw: ReadableStream; isHalfRead: Promise<void>; finish(): void } {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const { promise: isHalfRead, resolve } = Promise.withResolvers<void>();
  const { promise: isFinished, resolve: finish } = Promise.withResolvers<void>();
  const raw = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytes.subarray(0, 3)),
    async pull(controller) {
      resolve();
      await isFinished;
      controller.enqueue(bytes.subarray(3));
      controller.close();
    },
  });
  return { raw, isHalfRead, finish };
}

const newAdminToken = async (shop: TestShop): Promise<string> =>
  (await shop.ask('POST', '/api/v1/admin-token')).json.token;
const revoke = async ({ ask }: TestShop, path: string) => expect((await ask('DELETE', path)).status).toBe(204);

describe('B4 whoever is shut out', () => {
  test.each([
    ['POST', '/api/v1/users', thief],
    ['POST', '/api/v1/join-codes', {}],
    ['PUT', '/api/v1/products/p-1', { name: 'Tea' }],
    ['POST', '/api/v1/tickets/batch', { items: [{ id: 't-1', lines: [] }] }],
    ['PUT', '/api/v1/products/p-1', { name: ['malformed'] }],
  ])('while his message comes in is out: %s %s', async (method, path, body) => {
    const shop = openShop();
    const token = await newAdminToken(shop);
    const { raw, isHalfRead, finish } = halfSent(body);
    const asked = shop.ask(method, path, undefined, { token, raw });
    await isHalfRead;
    await revoke(shop, '/api/v1/users/token-admin');
    finish();
    const reply = await asked;
    expect([reply.status, reply.json.code]).toEqual([401, 'credential_unknown']);
  });

  test('a till, and a person, while their messages come in', async () => {
    const shop = openShop();
    await claimed(shop);
    await shop.ask('POST', '/api/v1/users', { ...thief, name: 'ada' });
    const login = await shop.ask('POST', '/api/v1/session', { user: 'ada', password }, { token: null });
    const cookie = (login.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const headers = { cookie, 'x-csrf-token': login.json.csrfToken };
    const till = await shop.makeTill();
    const [sale, user] = [halfSent({ id: 't-1', lines: [] }), halfSent(thief)];
    const asked = [
      shop.ask('POST', '/api/v1/tickets', undefined, { token: till.token, raw: sale.raw }),
      shop.ask('POST', '/api/v1/users', undefined, { token: null, headers, raw: user.raw }),
    ];
    await Promise.all([sale.isHalfRead, user.isHalfRead]);
    await revoke(shop, `/api/v1/terminals/${till.id}`);
    await revoke(shop, '/api/v1/users/ada');
    sale.finish();
    user.finish();
    const codes = (await Promise.all(asked)).map(({ json }) => json.code);
    expect(codes).toEqual(['credential_unknown', 'session_ended']);
    expect((await shop.ask('GET', '/api/v1/tickets/t-1')).status).toBe(404);
  });

  test('while the password of somebody new is hashed makes nobody', async () => {
    const shop = openShop();
    const token = await newAdminToken(shop);
    // Who comes after these waits for them, and they take longer than a revocation.
    const before = Array.from({ length: 4 * passwordsAtOnceMax }, (_, index) =>
      shop.ask('POST', '/api/v1/users', { ...thief, name: `one-${index}` }),
    );
    const asked = shop.ask('POST', '/api/v1/users', thief, { token });
    await revoke(shop, '/api/v1/users/token-admin');
    expect((await asked).status).toBe(401);
    await Promise.all(before);
    const { data } = (await shop.ask('GET', '/api/v1/users')).json;
    expect(data.map(({ name }: { name: string }) => name)).not.toContain('thief');
  });

  test('in the midst of a batch: what came before is written, the rest is refused item by item', async () => {
    const shop = openShop();
    const till = await shop.makeTill();
    const items = Array.from({ length: 4 * commitOpsMax }, (_, index) => ({ id: `t-${index}`, lines: [] }));
    const first = Promise.withResolvers<void>();
    const stop = shop.appliance.feed.subscribe(() => first.resolve());
    const asked = shop.ask('POST', '/api/v1/tickets/batch', { items }, { token: till.token });
    await first.promise;
    stop();
    await revoke(shop, `/api/v1/terminals/${till.id}`);
    const { data } = (await asked).json;
    expect([data[0].status, data.at(-1)]).toMatchObject([201, { status: 401, code: 'credential_unknown' }]);
    const written = (await shop.ask('GET', '/api/v1/gossip/info')).json.counts.tickets;
    expect(written).toBe(data.filter(({ status }: { status: number }) => status === 201).length);
  });
});
