// Who was shut out stays out, whatever he seals, holds open or is called; a mistake can be taken back; and nobody who talks
// or knocks without end keeps others from being heard.

import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { peersMax, strangersShownMax } from '../../src/core/limits.ts';
import { type Commit, hashesOf, nextHead, sealMessage } from '../../src/core/op.ts';
import { createSystemCrypto } from '../../src/edges/system.ts';
import { encodeCommit } from '../../src/protocol/commit-codec.ts';
import { decodeCommitsFrame, encodeCommitsFrame } from '../../src/protocol/frames.ts';
import { makeSomeone } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import {
  alarmsOf,
  equal,
  hasTicket,
  isLinked,
  linked,
  newFolder,
  openAppliance,
  peerOf,
  signerOf,
  statusOf,
  type TestAppliance,
} from './appliances.ts';
import { createAuthor, frameOf } from './author.ts';
import { askToJoin, folderOf, joined, openAlone, shops } from './shop.ts';
import { callOn, enter, hello } from './stranger.ts';

const { sha256 } = createSystemCrypto();
const trusts = (subject: string, id: string) => ({
  entity: 'trust',
  id,
  payload: { verdict: 'trusted', subject, pardons: [] },
});
const revokes = (subject: string, id: string) => ({
  entity: 'trust',
  id,
  payload: { verdict: 'revoked', subject, upTo: {} },
});
const trustAt = (one: TestAppliance, id: string) => peerOf(one, { id })?.trust ?? 'pending';
const revoke = (at: TestAppliance, id: string) => at.appliance.mesh.changePeer(id, { trust: 'revoked' }, 'admin');
const approve = (at: TestAppliance, id: string) => at.appliance.mesh.changePeer(id, { trust: 'trusted' }, 'admin');

const openThree = async () => {
  const bar = await openAlone('Bar', shops.bar);
  const cellar = await joined(await openAlone('Cellar', shops.cellar), bar);
  const attic = await joined(await openAlone('Attic', shops.cellar), bar);
  await linked(cellar, attic);
  await equal(bar, cellar, attic);
  return { bar, cellar, attic };
};

describe('B10 a revoked key', () => {
  test('vouches for nobody, though it seals that under a number of before', async () => {
    const bar = await openAlone('Bar', shops.bar);
    const thief = await joined(await openAlone('Thief', shops.cellar), bar);
    for (const id of ['a', 'b', 'c']) await thief.sell(id);
    await equal(bar, thief);
    const origin = Object.keys(bar.appliance.books.heads()).find((one) => one.startsWith(thief.id)) ?? '';
    revoke(bar, thief.id);
    await until('out', () => !isLinked(bar, thief));
    await thief.stop();
    const fresh = await makeSomeone();
    const op = {
      kind: 'whole',
      header: JSON.stringify({ stamp: `${'0'.repeat(15)}1`, entity: 'trust', id: 'x' }),
      payload: JSON.stringify(trusts(fresh.replicaId, 'x').payload),
    } as const;
    const before = new Uint8Array(32);
    const after = nextHead(sha256, before, hashesOf(sha256, op));
    const unsigned = { origin, first: 2, last: 2, facts: 2, before, after };
    const signature = signerOf(thief.who).sign(sealMessage(shops.bar, unsigned));
    const commit: Commit = { from: 2, seal: { ...unsigned, signature }, ops: [op] };
    const frame = encodeCommitsFrame(origin, thief.who.publicKey, [encodeCommit(commit)]);
    const stranger = await callOn(bar, fresh);
    stranger.prove({ shop: shops.bar, more: { proof: '', voucher: Buffer.from(frame).toString('base64') } });
    await stranger.closes();
    expect(stranger.messages.filter(({ type }) => type !== 'proof')).toEqual([]);
  });

  test('does not finish a handshake that it had begun before', async () => {
    const bar = await openAlone('Bar', shops.bar);
    const thief = await joined(await openAlone('Thief', shops.cellar), bar);
    await equal(bar, thief);
    await thief.stop();
    const call = await callOn(bar, thief.who);
    call.prove({ shop: shops.bar, more: { proof: '' } });
    await call.hears('proof');
    revoke(bar, thief.id);
    await call.closes();
    expect(call.messages.filter(({ type }) => type !== 'proof')).toEqual([]);
  });

  test('is not taken back by an appliance that had it once, at its next start', async () => {
    const bar = await openAlone('Bar', shops.bar);
    const renewed = await makeSomeone();
    const cellar = await joined(await openAlone('Cellar', shops.cellar), bar);
    const folder = folderOf(cellar);
    cellar.appliance.mesh.vouchFor(renewed.replicaId, 'admin');
    await cellar.stop();
    const same = { folder, isFirstStart: false, who: renewed, formerId: cellar.id };
    const other = await openAlone('Cellar', shops.bar, same);
    await linked(other, bar);
    revoke(bar, cellar.id);
    await until('heard', () => trustAt(other, cellar.id) === 'revoked');
    await other.stop();
    const again = await openAlone('Cellar', shops.bar, same);
    await linked(again, bar);
    await equal(again, bar);
    expect([trustAt(again, cellar.id), trustAt(bar, cellar.id)]).toEqual(['revoked', 'revoked']);
  });

  test.each([true, false])(
    'takes with it whom it let in since, wherever that is heard (with a shop key: %s)',
    async (withKey) => {
      const shopKey = withKey ? {} : { shopKey: null };
      const reaches = new Set<string>();
      const bar = await openAppliance('Bar', shopKey);
      const cellar = await openAppliance('Cellar', { ...shopKey, reaches });
      const [rogue, friend] = [await makeSomeone(), await makeSomeone()];
      for (const [one, other] of [
        [bar, cellar],
        [cellar, bar],
      ] as const)
        for (const id of [rogue.replicaId, other.id]) one.appliance.mesh.vouchFor(id, 'admin');
      const author = createAuthor(rogue);
      const link = await callOn(bar, rogue);
      link.prove({ more: { proof: '' } });
      await link.greet();
      revoke(cellar, rogue.replicaId);
      link.send(frameOf(author, author.write([trusts(friend.replicaId, 'friend')])));
      await until('the friend is of the shop at Bar', () => trustAt(bar, friend.replicaId) === 'trusted');
      const call = await callOn(bar, friend);
      call.prove({ more: { proof: '' } });
      await call.greet();
      reaches.add(bar.address);
      cellar.appliance.mesh.addPeer(bar.address);
      await linked(bar, cellar);
      await link.closes();
      await call.closes();
      expect(trustAt(bar, friend.replicaId)).toBe('pending');
    },
  );

  test('is not told the new shop key by whoever hears of the key before the revocation', async () => {
    const bar = await openAppliance('Bar');
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await linked(bar, cellar);
    const attic = await openAppliance('Attic', { peers: [cellar.address], reaches: new Set([cellar.address]) });
    await linked(attic, cellar);
    const who = await makeSomeone();
    await enter(bar, { by: who });
    await until('the thief is of the shop', () =>
      [bar, cellar, attic].every((one) => trustAt(one, who.replicaId) === 'trusted'),
    );
    await equal(bar, cellar, attic);
    await attic.stop();
    revoke(bar, who.replicaId);
    await until('heard at Cellar', () => cellar.appliance.mesh.shopKey().kind === 'rotated');
    await equal(bar, cellar);
    cellar.appliance.mesh.rotateShopKey('admin');
    // So much that the words of Bar and of Cellar do not come together.
    for (let count = 0; count < 300; count++) await cellar.put(`p${count}`, { name: 'x'.repeat(3900) });
    await equal(bar, cellar);
    await bar.stop();
    const reaches = new Set<string>();
    const back = await openAppliance('Attic', {
      folder: folderOf(attic),
      who: attic.who,
      isFirstStart: false,
      reaches,
    });
    const thief = await callOn(back, who);
    thief.prove();
    await thief.hears('proof');
    thief.send(hello(who.replicaId));
    await thief.hears('hello_ack');
    const heads = back.appliance.books.heads();
    thief.send({ type: 'want', replicas: [bar.id, cellar.id], heads, again: false, without: [] });
    reaches.add(cellar.address);
    back.appliance.mesh.addPeer(cellar.address);
    await thief.closes();
    await equal(back, cellar);
    const key = cellar.appliance.mesh.shopKey();
    expect(back.appliance.mesh.shopKey()).toEqual(key);
    expect(
      JSON.stringify(thief.frames.flatMap((frame) => frame.commits.map(({ commit }) => commit.ops))),
    ).not.toContain(key.kind === 'rotated' ? key.key : 'a rotated key');
  });
});

test('a revocation is three words at most, however many went before it', async () => {
  const bar = await openAppliance('Bar');
  const others = await Promise.all(Array.from({ length: 6 }, () => makeSomeone()));
  const said = () => Object.values(bar.appliance.books.heads()).reduce((sum, head) => sum + head, 0);
  for (const { replicaId } of others) {
    bar.appliance.mesh.vouchFor(replicaId, 'admin');
    const before = said();
    expect(revoke(bar, replicaId)).toMatchObject({ ok: true, result: { trust: 'revoked' } });
    expect(said() - before).toBeLessThanOrEqual(3);
  }
  expect(bar.appliance.mesh.shopKey().kind).toBe('rotated');
});

describe('a mistake', () => {
  test('is taken back also where its two words come apart', async () => {
    const { bar, cellar, attic } = await openThree();
    revoke(cellar, attic.id);
    await until('out everywhere', () => !isLinked(bar, attic) && !isLinked(cellar, attic));
    await attic.stop();
    for (let count = 0; count < 300; count++) await cellar.put(`p${count}`, { name: 'x'.repeat(3900) });
    await equal(bar, cellar);
    approve(bar, attic.id);
    await equal(bar, cellar);
    const options = {
      folder: folderOf(attic),
      who: attic.who,
      isFirstStart: false,
      reaches: new Set([cellar.address]),
    };
    const back = await openAlone('Attic', shops.bar, options);
    await equal(bar, cellar, back);
    expect(alarmsOf(back, 'we_are_revoked')).toEqual([]);
  });

  test('of one that has gone bad and revokes everybody is mended by those who trust each other again', async () => {
    const { bar, cellar, attic: rogue } = await openThree();
    await rogue.stop();
    const call = await callOn(bar, rogue.who);
    call.prove({ shop: shops.bar, more: { proof: '' } });
    await call.hears('proof');
    call.send({ ...hello(rogue.id), shop: shops.bar });
    await call.hears('hello_ack');
    const author = createAuthor(rogue.who, { epoch: 999_000, shop: shops.bar });
    call.send(frameOf(author, author.write([revokes(bar.id, 'a'), revokes(cellar.id, 'b')])));
    await until('heard', () => alarmsOf(bar, 'we_are_revoked').length > 0);
    revoke(bar, rogue.id);
    approve(bar, cellar.id);
    await until('heard at Cellar, too', () => trustAt(cellar, bar.id) === 'revoked');
    approve(cellar, bar.id);
    await linked(bar, cellar);
    await bar.sell('after');
    await equal(bar, cellar);
    expect([trustAt(bar, rogue.id), trustAt(cellar, rogue.id)]).toEqual(['revoked', 'revoked']);
  });
});

describe('a voucher', () => {
  test('is shown by members with a shop key to those without', async () => {
    const bar = await openAppliance('Bar');
    const cellar = await joined(await openAlone('Cellar', shops.cellar), bar);
    await equal(bar, cellar);
    await cellar.stop();
    const attic = await openAppliance('Attic', { peers: [bar.address] });
    await linked(attic, bar);
    await equal(attic, bar);
    await bar.stop();
    const options = { folder: folderOf(cellar), who: cellar.who, isFirstStart: false, shopKey: null };
    const back = await openAppliance('Cellar', options);
    attic.appliance.mesh.addPeer(back.address);
    await linked(attic, back);
  });

  test('holds no sale and no key, whatever was sealed beside the word', async () => {
    const bar = await openAlone('Bar', shops.bar);
    const somebody = await makeSomeone();
    // One seal over a word of trust, a sale and a key: as when a branch is written again.
    const author = createAuthor(bar.who, { epoch: 7, shop: shops.bar });
    const member = await joined(await openAlone('Cellar', shops.cellar), bar);
    await equal(bar, member);
    await member.stop();
    const key = { entity: 'trust', id: 'key', payload: { verdict: 'shop_key', key: 'k'.repeat(32), covers: [] } };
    const sale = {
      entity: 'ticket',
      id: 'secret',
      payload: { body: { id: 'secret' }, products: [], flags: [], receivedAt: 0 },
    };
    const back = await openAlone('Cellar', shops.bar, {
      folder: folderOf(member),
      who: member.who,
      isFirstStart: false,
    });
    const call = await callOn(back, bar.who);
    call.prove({ shop: shops.bar, more: { proof: '' } });
    await call.hears('proof');
    call.send({ ...hello(bar.id), shop: shops.bar });
    await call.hears('hello_ack');
    call.send(frameOf(author, author.write([sale, trusts(member.id, 'again'), key])));
    await until('taken', () => (back.appliance.books.heads()[author.origin] ?? 0) === 3);
    const stranger = await callOn(back, somebody);
    const { voucher = '' } = await stranger.hears('proof');
    const [item] = decodeCommitsFrame(Buffer.from(voucher, 'base64'))?.commits ?? [];
    expect(item?.commit.ops.map(({ kind }) => kind)).toEqual(['pruned', 'whole', 'pruned']);
  });
});

describe('B8 whoever talks or knocks without end', () => {
  test('B10 is revoked all the same', async () => {
    const bar = await openAppliance('Bar');
    const rogue = await enter(bar);
    const author = createAuthor(rogue.who);
    const words = (batch: number) => Array.from({ length: 128 }, (_, count) => trusts(rogue.id, `t${batch}-${count}`));
    for (let batch = 0; batch < 33; batch++) rogue.send(frameOf(author, author.write(words(batch))));
    await until('all is there', () => (bar.appliance.books.heads()[author.origin] ?? 0) === 33 * 128, 30_000);
    expect(revoke(bar, rogue.id).ok).toBe(true);
    expect(trustAt(bar, rogue.id)).toBe('revoked');
  });

  test('B10 is said to be of the shop no more often than there is room for peers', async () => {
    const bar = await openAppliance('Bar');
    for (let count = 0; count < peersMax; count++) await enter(bar);
    const heads = () => bar.appliance.books.heads();
    const before = heads();
    const late = await callOn(bar);
    late.prove();
    await late.greet();
    await late.closes();
    expect(heads()).toEqual(before);
    expect(trustAt(bar, late.id)).toBe('pending');
  });

  test('drives out no alarm of another kind, writes no line for each knock, and hides nobody who asks', async () => {
    const { bar, attic } = await openThree();
    revoke(bar, attic.id);
    await until('out', () => !isLinked(bar, attic));
    attic.appliance.mesh.reconnect();
    await until('it knocks', () => alarmsOf(bar, 'revoked_peer').length === 1);
    await attic.stop();
    const lines = bar.log.length;
    for (let count = 0; count < strangersShownMax; count++) {
      const call = await callOn(bar);
      call.prove({ shop: shops.cellar, more: { proof: '', asks: true, name: `Newcomer ${count}` } });
      await call.closes();
    }
    expect(alarmsOf(bar, 'revoked_peer')).toHaveLength(1);
    expect(bar.log.length - lines).toBeLessThan(strangersShownMax);
    const honest = await openAlone('Honest', shops.cellar);
    honest.appliance.mesh.addPeer(bar.address);
    await until('seen', () => peerOf(honest, bar) !== undefined);
    await askToJoin(honest, { peer: bar.id });
    await until('shown', () => peerOf(bar, honest)?.asks === true);
    expect(statusOf(bar).peers.filter(({ trust }) => trust === 'pending').length).toBeLessThanOrEqual(
      strangersShownMax,
    );
  });

  test('by telling addresses leaves room for those that people give, and takes none of them over', async () => {
    let asked = 0;
    const server = createServer((socket) => {
      asked += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = `127.0.0.1:${(server.address() as { port: number }).port}`;
    const bar = await openAppliance('Bar', { peers: [address] });
    await until('dialed', () => asked > 0);
    const rogue = await enter(bar);
    const author = createAuthor(rogue.who);
    const ghost = await makeSomeone();
    rogue.send(frameOf(author, author.write([trusts(ghost.replicaId, 'ghost')])));
    await until('the ghost is of the shop', () => trustAt(bar, ghost.replicaId) === 'trusted');
    const tell = (told: string) => rogue.send({ type: 'addresses', peers: [{ id: ghost.replicaId, address: told }] });
    tell(address);
    for (let count = 0; count < 200; count++) tell(`10.255.${count}.1:1`);
    tell('169.254.169.254:80');
    rogue.send(frameOf(author, author.write([revokes(ghost.replicaId, 'gone')])));
    await until('the ghost is gone', () => trustAt(bar, ghost.replicaId) === 'revoked');
    expect(bar.appliance.mesh.addPeer('192.168.1.20:3031').ok).toBe(true);
    expect(statusOf(bar).discovery.told).toBeLessThan(10);
    const before = asked;
    bar.appliance.mesh.reconnect();
    await until('what a person gave is dialed again', () => asked > before);
  });

  test('by coming and being shut out leaves room for others', async () => {
    const bar = await openAppliance('Bar', { shopKey: null });
    for (let count = 0; count < 64; count++) {
      const who = await makeSomeone();
      bar.appliance.mesh.vouchFor(who.replicaId, 'admin');
      const call = await callOn(bar, who);
      call.prove({ more: { proof: '' } });
      await call.greet();
      revoke(bar, who.replicaId);
      await call.closes();
    }
    const cellar = await openAppliance('Cellar', { shopKey: null, peers: [bar.address] });
    bar.appliance.mesh.vouchFor(cellar.id, 'admin');
    cellar.appliance.mesh.vouchFor(bar.id, 'admin');
    cellar.appliance.mesh.reconnect();
    await linked(bar, cellar);
    await cellar.sell('t1');
    await until('sold', () => hasTicket(bar, 't1'));
  });
});

test('an address given by a person is dialed again after a join by code that failed', async () => {
  const bar = await openAlone('Bar', shops.bar);
  const cellar = await openAlone('Cellar', shops.cellar, { peers: [bar.address], folder: newFolder() });
  await until('seen', () => peerOf(cellar, bar)?.trust === 'pending');
  expect(await askToJoin(cellar, { code: '4F7K-2M9P-QR3T-8XVA' })).toMatchObject({ ok: false, code: 'code_not_known' });
  const before = cellar.wire.sent.length;
  await until('dialed again', () => cellar.wire.sent.length > before);
});
