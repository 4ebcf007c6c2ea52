// What a page asks and sends by itself, and how a till shows who it is.

import { describe, expect, test } from 'vitest';
import { protocolsFor } from '../../src/client/socket.ts';
import { bar, connected, createWorld, kitchen } from './world.ts';

const headersOf = (init: RequestInit | undefined) => new Headers(init?.headers);

describe('fetch', () => {
  test('with the token, without cookies, to the appliance that is spoken to', async () => {
    const world = createWorld();
    const till = await connected(world);
    const asking = till.manager.fetch('/api/v1/products?q=a', { headers: { 'x-own': '1' } });
    await world.clock.pass(5);
    expect((await asking).status).toBe(200);
    const { url, init } = world.bar.requests.at(-1) ?? {};
    expect(url?.href).toBe(`${bar}/api/v1/products?q=a`);
    expect(headersOf(init).get('authorization')).toBe('Bearer till');
    expect(headersOf(init).get('x-own')).toBe('1');
    expect(init?.credentials).toBe('omit');
  });

  test('what may be repeated is asked of the next one, once', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.health = 'refuses';
    const asking = till.manager.fetch('/api/v1/products');
    await world.clock.pass(1_000);
    expect((await asking).status).toBe(200);
    expect(world.kitchen.asked).toContain('/api/v1/products');
  });

  test('close ends a body that is under way', async () => {
    const world = createWorld();
    const till = await connected(world);
    const asking = till.manager.fetch('/api/v1/products');
    await world.clock.pass(5);
    await asking;
    const { init } = world.bar.requests.at(-1) ?? {};
    expect(init?.signal?.aborted).toBe(false);
    till.manager.close();
    expect(init?.signal?.aborted).toBe(true);
  });

  test('a POST is not repeated, but for one that has an Idempotency-Key', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.health = 'refuses';
    const failing = expect(till.manager.fetch('/api/v1/customers', { method: 'POST' })).rejects.toThrow('fetch failed');
    await world.clock.pass(1_000);
    await failing;
    expect(world.kitchen.asked).not.toContain('/api/v1/customers');
    expect(till.manager.state().appliance).toBe(kitchen);
    world.kitchen.health = 'refuses';
    world.bar.health = 'up';
    const headers = { 'Idempotency-Key': 'k' };
    const keyed = till.manager.fetch('/api/v1/customers', { method: 'POST', headers });
    await world.clock.pass(1_000);
    expect((await keyed).status).toBe(200);
    expect(world.bar.asked).toContain('/api/v1/customers');
  });

  test('it ends after 5 s, and by the signal of who asks', async () => {
    const world = createWorld();
    const till = await connected(world, { appliances: [bar] });
    world.bar.health = 'silent';
    const slow = till.manager.fetch('/api/v1/products');
    const late = expect(slow).rejects.toThrow('in time');
    await world.clock.pass(12_000);
    await late;
    const controller = new AbortController();
    const own = expect(till.manager.fetch('/x', { signal: controller.signal })).rejects.toThrow('enough');
    controller.abort(new Error('enough'));
    await own;
  });

  test('a path cannot lead the token elsewhere', async () => {
    const till = await connected(createWorld());
    for (const path of ['@evil.example/', 'http://evil.example/', '.evil.example/']) {
      await expect(till.manager.fetch(path)).rejects.toThrow('begins with');
    }
  });

  test('B10 a page of the appliance shows its session with each change', async () => {
    const world = createWorld({ isPage: true });
    const { fetch } = world.bar;
    world.bar.fetch = (url, init) =>
      url.pathname === '/api/v1/session' ? Promise.resolve(Response.json({ csrfToken: 'shown' })) : fetch(url, init);
    const till = await connected(world, { token: '' });
    await till.manager.sell({ total: 1 });
    await world.clock.pass(100);
    expect(till.manager.pending()).toBe(0);
    const post = world.bar.requests.find(({ url }) => url.pathname === '/api/v1/tickets');
    expect(headersOf(post?.init).get('x-csrf-token')).toBe('shown');
    expect(headersOf(post?.init).get('authorization')).toBe(null);
    expect(post?.init.credentials).toBe('same-origin');
    expect(world.bar.protocols.at(-1)).toEqual(['tillmesh']);
  });
});

describe('send', () => {
  test('tells the id of the message; refused, it rejects with the sentence of the appliance', async () => {
    const world = createWorld();
    const till = await connected(world);
    const sending = till.manager.send({ type: 'user.action', payload: { a: 1 } });
    await world.clock.pass(5);
    expect(await sending).toEqual({ messageId: 'm-1', timestamp: 7 });
    world.bar.fetch = async () => Response.json({ code: 'malformed', detail: 'Say what type it is.' }, { status: 400 });
    const refused = expect(till.manager.send({ type: '' })).rejects.toThrow('Say what type it is.');
    await world.clock.pass(5);
    await refused;
  });

  test('goes to the next appliance when its own is gone, and rejects when none answers', async () => {
    const world = createWorld();
    const till = await connected(world);
    world.bar.health = 'refuses';
    const sending = till.manager.send({ type: 'user.action' });
    await world.clock.pass(1_000);
    expect(await sending).toMatchObject({ messageId: 'm-1' });
    world.kitchen.health = 'refuses';
    const failing = expect(till.manager.send({ type: 'user.action' })).rejects.toThrow('No appliance answers');
    await world.clock.pass(1_000);
    await failing;
  });
});

test('a token goes beside the protocol, encoded when it has other characters', () => {
  expect(protocolsFor('till_dGls.bDE-_x')).toEqual(['tillmesh', 'till_dGls.bDE-_x']);
  expect(protocolsFor('a/b=é')).toEqual(['tillmesh', `base64url.bearer.${Buffer.from('a/b=é').toString('base64url')}`]);
});
