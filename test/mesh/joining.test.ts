// How an appliance comes to be of a shop: by a code, by somebody's approval, by the shop key; and what must not let it in.

import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { joinCodeFailuresMax } from '../../src/core/limits.ts';
import { createSystemCrypto } from '../../src/edges/system.ts';
import { makeSomeone, openServer, openTransport, type Someone } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import {
  type ApplianceOptions,
  alarmsOf,
  digestsOf,
  equal,
  hasTicket,
  isLinked,
  linked,
  newFolder,
  openAppliance,
  peerOf,
  shopId,
  statusOf,
  type TestAppliance,
} from './appliances.ts';
import { relay } from './relay.ts';
import { askToJoin, folderOf, joined, moveIn, openAlone, shops } from './shop.ts';
import { callOn } from './stranger.ts';

describe('a join code', () => {
  test('B3 lets an appliance in once, which then holds the whole books; both say that they trust each other', async () => {
    const bar = await openAlone('Bar', shops.bar);
    await bar.put('coffee', { name: 'Coffee', price: 250 });
    await bar.sell('t1');
    const cellar = await joined(await openAlone('Cellar', shops.cellar), bar);
    await equal(bar, cellar);
    expect(peerOf(bar, cellar)?.trust).toBe('trusted');
    expect(peerOf(cellar, bar)?.trust).toBe('trusted');
    await cellar.sell('t2');
    await until('sold at Bar', () => hasTicket(bar, 't2'));
    expect(bar.appliance.mesh.makeJoinCode().code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
  });

  test('is read as people type it, and as a machine reads the long one', async () => {
    const bar = await openAlone('Bar', shops.bar);
    const typed = (code: string) => code.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
    const { code } = bar.appliance.mesh.makeJoinCode();
    const cellar = await openAlone('Cellar', shops.cellar);
    expect(await askToJoin(cellar, { code: typed(code), peer: bar.address })).toMatchObject({ ok: true });
    const { longCode } = bar.appliance.mesh.makeJoinCode();
    const attic = await openAlone('Attic', shops.cellar);
    expect(await askToJoin(attic, { code: longCode, peer: bar.address })).toMatchObject({ ok: true });
    expect(await askToJoin(attic, { code: 'no code' })).toMatchObject({ ok: false, code: 'code_malformed' });
  });

  test('B10 is good once, never crosses the wire, and lets nobody in without it', async () => {
    const bar = await openAlone('Bar', shops.bar);
    const { code, longCode } = bar.appliance.mesh.makeJoinCode();
    const [cellar, attic] = [await openAlone('Cellar', shops.cellar), await openAlone('Attic', shops.cellar)];
    expect(await askToJoin(cellar, { code, peer: bar.address })).toMatchObject({ ok: true });
    const sent = JSON.stringify([...bar.wire.sent, ...cellar.wire.sent].map(({ content }) => String(content)));
    expect(sent).toContain('"welcome');
    for (const secret of [code, code.replaceAll('-', ''), longCode]) expect(sent).not.toContain(secret);
    expect(await askToJoin(attic, { code, peer: bar.address })).toMatchObject({ ok: false, code: 'code_not_known' });
    expect(peerOf(bar, attic)?.trust).toBe('pending');
    expect(attic.welcomes).toEqual([]);
  });

  test(`B10 is burnt by ${joinCodeFailuresMax} wrong ones, not by four`, async () => {
    const bar = await openAlone('Bar', shops.bar);
    const { code: good } = bar.appliance.mesh.makeJoinCode();
    const guess = async () => {
      const stranger = await callOn(bar);
      stranger.prove({ more: { proof: '', code: '0'.repeat(64) } });
      await stranger.closes();
    };
    for (let count = 1; count < joinCodeFailuresMax; count++) await guess();
    const cellar = await openAlone('Cellar', shops.cellar);
    expect(await askToJoin(cellar, { code: good, peer: bar.address })).toMatchObject({ ok: true });
    const { code: burnt } = bar.appliance.mesh.makeJoinCode();
    for (let count = 1; count <= joinCodeFailuresMax; count++) await guess();
    const attic = await openAlone('Attic', shops.cellar);
    expect(await askToJoin(attic, { code: burnt, peer: bar.address })).toMatchObject({
      ok: false,
      code: 'code_not_known',
    });
  });

  test('B10 is of no use to somebody who sits in the middle, and who asked is told by nobody that it is let in', async () => {
    const bar = await openAlone('Bar', shops.bar);
    const mallory = await makeSomeone();
    const frames: unknown[] = [];
    const transport = openTransport(mallory);
    const { address: middle } = await openServer(mallory, {
      onConnection: (near) => relay(near, { transport, target: bar.address, see: (frame) => frames.push(frame) }),
    });
    const { code } = bar.appliance.mesh.makeJoinCode();
    const cellar = await openAlone('Cellar', shops.cellar);
    const outcome = await askToJoin(cellar, { code, peer: middle });
    expect(outcome).toMatchObject({ ok: false, code: 'code_not_known' });
    expect(cellar.welcomes).toEqual([]);
    expect(frames.length).toBeGreaterThan(0);
    expect(peerOf(bar, cellar)).toBeUndefined();
    expect(peerOf(bar, { id: mallory.replicaId })?.trust).toBe('pending');
  });

  test('of each other, typed at two appliances at once, makes one shop of them', async () => {
    const [bar, cellar] = [await openAlone('Bar', shops.bar), await openAlone('Cellar', shops.cellar)];
    const codes = { bar: bar.appliance.mesh.makeJoinCode().code, cellar: cellar.appliance.mesh.makeJoinCode().code };
    const answers = await Promise.all([
      askToJoin(bar, { code: codes.cellar, peer: cellar.address }),
      askToJoin(cellar, { code: codes.bar, peer: bar.address }),
    ]);
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(bar.welcomes.length + cellar.welcomes.length).toBe(1);
  });

  test('lets in whoever shows it to an appliance that has asked him for approval', async () => {
    const [bar, cellar] = [await openAlone('Bar', shops.bar), await openAlone('Cellar', shops.cellar)];
    bar.appliance.mesh.addPeer(cellar.address);
    await until('Bar sees Cellar', () => peerOf(bar, cellar) !== undefined);
    await askToJoin(bar, { peer: cellar.id });
    await until('Cellar is asked', () => alarmsOf(cellar, 'approval_asked').length > 0);
    const { code } = bar.appliance.mesh.makeJoinCode();
    expect(await askToJoin(cellar, { code, peer: bar.address })).toMatchObject({ result: { state: 'joined' } });
  });

  test('a welcome from whoever does not know the code is none', async () => {
    const stranger = await makeSomeone();
    const { address } = await openServer(stranger, {
      onConnection: (connection) => {
        connection.listen({ frame() {}, drained() {}, closed() {} });
        const proof = { protocol: { min: 1, max: 1 }, shop: shops.bar, instance: 'x', proof: '' };
        connection.send(JSON.stringify({ type: 'proof', ...proof }));
        connection.send(JSON.stringify({ type: 'welcome', shop: shops.bar, name: 'Bar', proof: '0'.repeat(64) }));
      },
    });
    const cellar = await openAlone('Cellar', shops.cellar);
    expect(await askToJoin(cellar, { code: '4F7K-2M9P-QR3T-8XVA', peer: address })).toMatchObject({ ok: false });
    expect(cellar.welcomes).toEqual([]);
    expect(alarmsOf(cellar, 'peer_refused').length).toBe(1);
  });
});

describe('books of one’s own', () => {
  test('B1 are not given up unasked; asked, they come along and add up with those of the other shop', async () => {
    const bar = await openAlone('Bar', shops.bar);
    await bar.put('coffee', { name: 'Coffee', price: 250 });
    for (const id of ['bar-1', 'bar-2']) await bar.sell(id);
    const alone = await openAlone('Cellar', shops.cellar);
    await alone.put('coffee', { name: 'Café', price: 260 });
    await alone.put('tea', { name: 'Tea' });
    for (const id of ['cellar-1', 'cellar-2', 'cellar-3']) await alone.sell(id);
    const { code } = bar.appliance.mesh.makeJoinCode();
    const refusal = await askToJoin(alone, { code, peer: bar.address });
    expect(refusal).toMatchObject({ ok: false, code: 'has_own_books' });
    expect(refusal.ok === false && refusal.detail).toContain('2 products, 0 customers, 3 tickets');
    expect(await askToJoin(alone, { code, peer: bar.address, bringBooks: true })).toMatchObject({ ok: true });
    const cellar = await moveIn(alone);
    await linked(cellar, bar);
    await equal(bar, cellar);
    expect(bar.appliance.books.counts()).toMatchObject({ products: 2, tickets: 5 });
    expect(bar.appliance.books.stock('coffee')?.onHand).toBe(-5000);
    const told = bar.appliance.observe.conflicts({ limit: 10 }).rows.map(({ recordId, fields }) => [recordId, fields]);
    expect(told.flat(2)).toEqual(expect.arrayContaining(['coffee', '/name', '/price']));
  });

  test('B1 tickets of which two were written under one id come along, both; fields with the time of their own edit', async () => {
    const reaches = new Set<string>();
    const first = await openAppliance('A');
    const second = await openAppliance('B', { reaches });
    const bar = await openAlone('Bar', shops.bar);
    // Each in a millisecond of its own.
    const goOn = (now = Date.now()) => until('the clock goes on', () => Date.now() > now);
    await second.put('tea', { name: 'Old name', price: 1 });
    await goOn();
    await bar.put('tea', { name: 'New name', price: 2 });
    await goOn();
    await second.put('tea', { name: 'Old name', price: 3 });
    await first.sell('same');
    await second.sell('same', { total: 999 });
    reaches.add(first.address).add(bar.address);
    second.appliance.mesh.addPeer(first.address);
    await equal(first, second);
    const rivals = (one: TestAppliance) =>
      one.appliance.observe.conflicts({ limit: 10 }).rows.filter(({ kind }) => kind === 'rival').length;
    expect(rivals(second)).toBe(1);
    const { code } = bar.appliance.mesh.makeJoinCode();
    const answer = await askToJoin(second, { code, peer: bar.address, bringBooks: true });
    expect(answer).toMatchObject({ ok: true });
    const moved = await moveIn(second);
    await linked(moved, bar);
    await equal(moved, bar);
    expect(rivals(bar)).toBe(1);
    expect(bar.appliance.books.record('product', 'tea')?.fields).toMatchObject({ '/name': 'New name', '/price': 3 });
  });

  test('B2 who comes back to a shop that it had left has no number twice, though its clock was never set', async () => {
    const clock = { now: () => Date.UTC(1970, 0, 1) };
    const [bar, other] = [await openAlone('Bar', shops.bar), await openAlone('Other', shops.cellar)];
    const first = await joined(await openAlone('Cellar', 'zzzzzzzzzzzzzzzzzzzzzzzzzz', { clock }), bar, { clock });
    await first.sell('c1');
    await equal(bar, first);
    const own = (one: TestAppliance) => Object.keys(one.appliance.books.heads()).filter((o) => o.startsWith(first.id));
    const before = own(bar);
    const reach = async (one: TestAppliance, host: TestAppliance) => {
      const { code } = host.appliance.mesh.makeJoinCode();
      expect(await askToJoin(one, { code, peer: host.address, bringBooks: true })).toMatchObject({ ok: true });
      return moveIn(one, { clock });
    };
    const back = await reach(await reach(first, other), bar);
    expect(own(back).filter((origin) => before.includes(origin))).toEqual([]);
    await linked(back, bar);
    await equal(back, bar);
    expect(bar.appliance.books.counts().tickets).toBe(1);
  });

  test('are not left for a shop of which somebody with the shop key says so', async () => {
    const { shop, key } = createSystemCrypto().shopOfKey('k'.repeat(40));
    const bar = await openAppliance('Bar', { shop, keyShop: shop, shopKey: key });
    await bar.sell('t1');
    const stranger = await callOn(bar);
    const evil = 'evilevilevilevilevilevilev';
    stranger.prove({ key, shop: evil });
    await stranger.hears('proof');
    stranger.send({
      type: 'welcome',
      shop: evil,
      name: 'Evil',
      proof: stranger.proof({ key, shop: evil, what: 'welcome' }),
    });
    await stranger.closes();
    expect(bar.welcomes).toEqual([]);
  });
});

describe('approval', () => {
  const seenBy = async (one: TestAppliance, other: TestAppliance) => {
    one.appliance.mesh.addPeer(other.address);
    await until(`${one.name} sees ${other.name}`, () => peerOf(one, other) !== undefined);
  };

  test.each([true, false])(
    'of one that asks, by a host that was never used itself, whoever has the smaller id (%s)',
    async (hostIsSmall) => {
      const two = [await makeSomeone(), await makeSomeone()].sort((a, b) => (a.replicaId < b.replicaId ? -1 : 1));
      const [host, guest] = hostIsSmall ? two : [...two].reverse();
      const bar = await openAlone('Bar', shops.bar, host && { who: host });
      const cellar = await openAlone('Cellar', shops.cellar, guest && { who: guest });
      await seenBy(cellar, bar);
      await askToJoin(cellar, { peer: bar.id });
      await until('Bar is asked', () => peerOf(bar, cellar)?.asks === true);
      bar.appliance.mesh.changePeer(cellar.id, { trust: 'trusted' }, 'admin');
      cellar.appliance.mesh.reconnect();
      await until('let in', () => cellar.welcomes.length > 0);
      // A power cut before the move: it asks again.
      const folder = folderOf(cellar);
      await cellar.stop();
      const again = await openAlone('Cellar', shops.cellar, { folder, who: cellar.who, isFirstStart: false });
      await until('let in again', () => again.welcomes.length > 0);
      expect(bar.welcomes).toEqual([]);
    },
  );

  test.each(['sells', 'lets another in'] as const)(
    'B1 given after whoever had asked %s meanwhile, takes it out of its shop no more, and it is told',
    async (what) => {
      const [bar, cellar] = [await openAlone('Bar', shops.bar), await openAlone('Cellar', shops.cellar)];
      await seenBy(cellar, bar);
      await askToJoin(cellar, { peer: bar.id });
      await until('Bar is asked', () => peerOf(bar, cellar)?.asks === true);
      if (what === 'sells') await cellar.sell('t1');
      else await joined(await openAlone('Attic', shops.cellar), cellar);
      bar.appliance.mesh.changePeer(cellar.id, { trust: 'trusted' }, 'admin');
      cellar.appliance.mesh.reconnect();
      await until('it asks no more', () => statusOf(cellar).asked === null);
      expect(cellar.welcomes).toEqual([]);
      expect(cellar.log).toContainEqual(expect.objectContaining({ message: 'the wish to join another shop is over' }));
    },
  );

  test('is still wished for after a stranger has knocked', async () => {
    const [bar, cellar] = [await openAlone('Bar', shops.bar), await openAlone('Cellar', shops.cellar)];
    await bar.sell('t1');
    await seenBy(cellar, bar);
    await until('Bar sees Cellar', () => peerOf(bar, cellar) !== undefined);
    cellar.appliance.mesh.changePeer(bar.id, { trust: 'trusted' }, 'admin');
    expect(statusOf(cellar).asked).toBe(bar.id);
    const stranger = await callOn(cellar);
    stranger.prove();
    await stranger.closes();
    expect(statusOf(cellar).asked).toBe(bar.id);
    bar.appliance.mesh.changePeer(cellar.id, { trust: 'trusted' }, 'admin');
    cellar.appliance.mesh.reconnect();
    await until('let in', () => cellar.welcomes.length === 1);
  });

  test('takes no appliance out of a shop that has others in it, though it has no books yet', async () => {
    const two = [await makeSomeone(), await makeSomeone()].sort((a, b) => (a.replicaId < b.replicaId ? -1 : 1));
    const [small, large] = two as [Someone, Someone];
    // Of two that ask each other the larger gives way.
    const bar = await openAlone('Bar', shops.bar, { who: large });
    await joined(await openAlone('Attic', shops.cellar), bar);
    const cellar = await openAlone('Cellar', shops.cellar, { who: small });
    await seenBy(cellar, bar);
    bar.appliance.mesh.changePeer(cellar.id, { trust: 'trusted' }, 'admin');
    cellar.appliance.mesh.changePeer(bar.id, { trust: 'trusted' }, 'admin');
    await until('Cellar is let in', () => cellar.welcomes.length > 0);
    expect(bar.welcomes).toEqual([]);
  });

  test('lets in whom an admin on each side has named, with the same words on both', async () => {
    const [bar, cellar] = [await openAlone('Bar', shops.bar), await openAlone('Cellar', shops.cellar)];
    await bar.sell('t1');
    await seenBy(cellar, bar);
    await until('Bar sees Cellar', () => peerOf(bar, cellar) !== undefined);
    expect(peerOf(cellar, bar)).toMatchObject({ trust: 'pending', words: statusOf(bar).words });
    expect(statusOf(bar).words?.split(' ')).toHaveLength(6);
    expect(await askToJoin(cellar, { peer: bar.id })).toMatchObject({
      result: { state: 'asked', words: statusOf(bar).words },
    });
    await until('Bar is asked', () => peerOf(bar, cellar)?.asks === true);
    expect(alarmsOf(bar, 'approval_asked').length).toBe(1);
    expect(cellar.welcomes).toEqual([]);
    expect(bar.appliance.mesh.changePeer(cellar.id, { trust: 'trusted' }, 'admin')).toMatchObject({ ok: true });
    cellar.appliance.mesh.reconnect();
    await until('let in', () => cellar.welcomes.length === 1);
    const moved = await moveIn(cellar);
    await linked(moved, bar);
    await equal(moved, bar);
  });

  test('of each other by two that were never used makes one shop of them, not two', async () => {
    const [bar, cellar] = [await openAlone('Bar', shops.bar), await openAlone('Cellar', shops.cellar)];
    await seenBy(bar, cellar);
    await until('Cellar sees Bar', () => peerOf(cellar, bar) !== undefined);
    bar.appliance.mesh.changePeer(cellar.id, { trust: 'trusted' }, 'admin');
    cellar.appliance.mesh.changePeer(bar.id, { trust: 'trusted' }, 'admin');
    await until('one is let in', () => bar.welcomes.length + cellar.welcomes.length > 0);
    const [host, guest] = bar.welcomes.length > 0 ? [cellar, bar] : [bar, cellar];
    const moved = await moveIn(guest, { peers: [host.address] });
    await linked(moved, host);
    expect(host.welcomes).toEqual([]);
  });

  test('B10 on one side alone joins nobody', async () => {
    const [bar, cellar] = [await openAlone('Bar', shops.bar), await openAlone('Cellar', shops.cellar)];
    await bar.sell('t1');
    await seenBy(bar, cellar);
    bar.appliance.mesh.changePeer(cellar.id, { trust: 'trusted' }, 'admin');
    const attempts = () => cellar.log.filter(({ message }) => message === 'a peer was refused').length;
    const before = attempts();
    bar.appliance.mesh.reconnect();
    await until('Bar tried again', () => attempts() > before);
    expect(cellar.welcomes).toEqual([]);
    expect([isLinked(bar, cellar), isLinked(cellar, bar)]).toEqual([false, false]);
  });
});

describe('three appliances of a shop', () => {
  const openThree = async () => {
    const bar = await openAlone('Bar', shops.bar);
    const cellar = await joined(await openAlone('Cellar', shops.cellar), bar);
    const attic = await joined(await openAlone('Attic', shops.cellar), bar);
    await linked(cellar, attic);
    await equal(bar, cellar, attic);
    return { bar, cellar, attic };
  };

  test('find each other though each was given one address', async () => {
    const { bar, cellar, attic } = await openThree();
    expect([bar, cellar, attic].map((one) => statusOf(one).connected)).toEqual([2, 2, 2]);
  });

  test('B10 revoked at one, an appliance is cut off at all, and gets nothing any more', async () => {
    const { bar, cellar, attic } = await openThree();
    bar.appliance.mesh.changePeer(attic.id, { trust: 'revoked' }, 'admin');
    await until('out everywhere', () => !isLinked(bar, attic) && !isLinked(cellar, attic));
    await until('told at Cellar', () => peerOf(cellar, attic)?.trust === 'revoked');
    await bar.sell('secret');
    await equal(bar, cellar);
    attic.appliance.mesh.reconnect();
    await until(
      'it knocks in vain',
      () => alarmsOf(cellar, 'revoked_peer').length + alarmsOf(bar, 'revoked_peer').length > 0,
    );
    await attic.sell('of-a-thief');
    expect([hasTicket(attic, 'secret'), hasTicket(bar, 'of-a-thief')]).toEqual([false, false]);
    const again = await callOn(bar, attic.who).catch(() => undefined);
    await again?.closes();
    expect(again?.messages ?? []).toEqual([]);
  });

  test('C7 revoked while one was away, it is dropped there as soon as that one hears of it', async () => {
    const { bar, cellar, attic } = await openThree();
    await bar.stop();
    await cellar.stop();
    const again = (one: TestAppliance, reaches: Set<string>) =>
      openAlone(one.name, shops.bar, { folder: folderOf(one), who: one.who, isFirstStart: false, reaches });
    const cellarBack = await again(cellar, new Set());
    cellarBack.appliance.mesh.changePeer(attic.id, { trust: 'revoked' }, 'admin');
    const reaches = new Set([attic.address]);
    const back = await again(bar, reaches);
    await linked(back, attic);
    reaches.add(cellarBack.address);
    back.appliance.mesh.addPeer(cellarBack.address);
    await linked(back, cellarBack);
    await until('out at Bar, too', () => !isLinked(back, attic) && peerOf(back, attic)?.trust === 'revoked');
  });

  test('a revocation is taken back where a person says so, and the lost sales come', async () => {
    const { bar, cellar, attic } = await openThree();
    bar.appliance.mesh.changePeer(attic.id, { trust: 'revoked' }, 'admin');
    await until('out everywhere', () => !isLinked(bar, attic) && !isLinked(cellar, attic));
    await attic.sell('alone');
    expect(cellar.appliance.mesh.changePeer(attic.id, { trust: 'trusted' }, 'admin')).toMatchObject({ ok: true });
    await equal(bar, cellar, attic);
    expect(hasTicket(bar, 'alone')).toBe(true);
    expect(peerOf(bar, attic)?.trust).toBe('trusted');
  });

  test('who was let in by one is let in by another that has not heard, on the word of the first', async () => {
    const [a, b] = [await openAlone('Bar', shops.bar), await openAlone('Cellar', shops.cellar)];
    const cellar = await joined(b, a);
    const cellarFolder = cellar.databasePath.replace('/books.db', '');
    await equal(a, cellar);
    await cellar.stop();
    const attic = await joined(await openAlone('Attic', shops.cellar), a);
    await equal(a, attic);
    await a.stop();
    const back = await openAlone('Cellar', shops.bar, { folder: cellarFolder, who: cellar.who, isFirstStart: false });
    expect(peerOf(back, attic)).toBeUndefined();
    attic.appliance.mesh.addPeer(back.address);
    await linked(attic, back);
    await equal(attic, back);
    expect(peerOf(back, attic)?.trust).toBe('trusted');
  });
});

describe('the shop key', () => {
  test('makes no member of an appliance at work, which does not give its shop up', async () => {
    const old = await openAppliance('Old', { shop: shops.bar, keyShop: shopId });
    const used = await openAppliance('Used', { shop: shopId, keyShop: shopId });
    await used.sell('t1');
    used.appliance.mesh.addPeer(old.address);
    await until('refused', () => alarmsOf(used).length > 0);
    await until('Old has judged', () => peerOf(old, used) !== undefined);
    expect(peerOf(old, used)?.trust).toBe('pending');
    expect([used.welcomes, old.welcomes]).toEqual([[], []]);
  });

  const keys = { old: new Uint8Array(32).fill(7), oldShop: 'oldoldoldoldoldoldoldoldol' };
  const openKeyed = (name: string, options: ApplianceOptions = {}) =>
    openAppliance(name, { shop: keys.oldShop, keyShop: keys.oldShop, shopKey: keys.old, ...options });

  test('B10 is another one once somebody was revoked: with the old one nobody comes in, with the new one they do', async () => {
    const bar = await openKeyed('Bar');
    const cellar = await openKeyed('Cellar', { peers: [bar.address] });
    const thief = await openKeyed('Thief', { peers: [bar.address] });
    await linked(bar, thief);
    await linked(bar, cellar);
    await equal(bar, cellar, thief);
    bar.appliance.mesh.changePeer(thief.id, { trust: 'revoked' }, 'admin');
    await until('out everywhere', () => !isLinked(bar, thief) && !isLinked(cellar, thief));
    await equal(bar, cellar);
    // With the key that it knew and a new identity.
    const again = await openKeyed('Thief again', { peers: [bar.address, cellar.address] });
    await until('it is refused', () => alarmsOf(bar, 'peer_refused').length > 0);
    expect(isLinked(bar, again)).toBe(false);
    const rotated = bar.appliance.mesh.shopKey();
    if (rotated.kind !== 'rotated') throw new Error(`the key is ${rotated.kind}`);
    expect(cellar.appliance.mesh.shopKey()).toEqual(rotated);
    // An appliance that is set up with the new key makes a shop of its own of it, and gives it up for the older one.
    const { shop, key } = createSystemCrypto().shopOfKey(rotated.key);
    const fresh = await openAppliance('Attic', { shop, keyShop: shop, shopKey: key, peers: [cellar.address] });
    await until('let in', () => fresh.welcomes.length > 0);
    expect(fresh.welcomes[0]).toMatchObject({ shop: keys.oldShop, host: cellar.id });
    const attic = await moveIn(fresh, { shopKey: key, keyShop: shop });
    await linked(attic, cellar);
    await equal(bar, cellar, attic);
  });
});

describe('two under one identity', () => {
  test('B2 a copy that runs beside its original is found out by itself, and by the peer of both', async () => {
    const bar = await openAppliance('Bar');
    const folder = newFolder();
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await linked(bar, cellar);
    const copy = await openAppliance('Cellar', { who: cellar.who, folder, peers: [bar.address, cellar.address] });
    await until('Bar says so', () => alarmsOf(bar, 'cloned_identity').length > 0, 30_000);
    await until('the copy, or its original, says so', () =>
      [cellar, copy].some((one) => alarmsOf(one, 'cloned_identity').length > 0),
    );
    await bar.sell('t1');
    expect(hasTicket(bar, 't1')).toBe(true);
    rmSync(folder, { recursive: true, force: true });
  });

  test('a key of its own, for which its old one vouches, makes another appliance of it, with all its books', async () => {
    const bar = await openAppliance('Bar', { shopKey: null });
    const renewed = await makeSomeone();
    const cellar = await joined(await openAlone('Cellar', shops.cellar), bar);
    await cellar.sell('before');
    await equal(bar, cellar);
    const folder = cellar.databasePath.replace('/books.db', '');
    expect(cellar.appliance.mesh.vouchFor(renewed.replicaId, 'admin')).toMatchObject({ ok: true });
    await cellar.stop();
    const same = { shopKey: null, folder, isFirstStart: false };
    const other = await openAppliance('Cellar', { ...same, who: renewed, formerId: cellar.id });
    await linked(other, bar);
    await other.sell('after');
    await equal(bar, other);
    expect(Object.keys(digestsOf(bar).heads).some((origin) => origin.startsWith(renewed.replicaId))).toBe(true);
  });
});
