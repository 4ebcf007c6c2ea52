// Who is not of the shop, or does not speak as agreed, gets in nowhere, learns nothing, is shown to whoever looks, and
// stops nobody else.

import { describe, expect, test } from 'vitest';
import { connectionsPendingMax, frameBytesMax, handshakeMs } from '../../src/core/limits.ts';
import { step } from '../../src/core/session.ts';
import { createSession, type OwnSide } from '../../src/core/session-state.ts';
import { makeSomeone } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { alarmsOf, isLinked, linked, openAppliance, peerOf, statusOf, type TestAppliance } from './appliances.ts';
import { expectUnharmed, openPairOfAppliances } from './pair.ts';
import { callOn, enter, hello, type Stranger } from './stranger.ts';

const secondProof = { type: 'proof', protocol: { min: 1, max: 1 }, shop: '', instance: '', proof: '' };

type Frame = Parameters<Stranger['send']>[0];

const refusals = ({ log }: TestAppliance, id: string) =>
  log.filter(({ level, facts }) => level === 'warn' && facts.peer === id);

/** Refused with one line in the log and an alarm, and told nothing but our own proof, which tells nothing. */
async function expectRefused(at: TestAppliance, stranger: Stranger, words: string): Promise<void> {
  await stranger.closes();
  expect(stranger.messages.filter(({ type }) => type !== 'proof')).toEqual([]);
  expect(stranger.frames).toEqual([]);
  expect(refusals(at, stranger.id)).toHaveLength(1);
  expect(refusals(at, stranger.id)[0]?.facts.detail).toContain(words);
  expect(alarmsOf(at, 'peer_refused').map(({ detail }) => detail)).toEqual([expect.stringContaining(words)]);
  // Shown to whoever looks, as somebody who is not of the shop, if it got so far as to say anything.
  expect(peerOf(at, stranger)?.trust ?? 'pending').toBe('pending');
}

describe('a stranger at the mesh port', () => {
  test('C2 with a certificate of its own and no shop key is refused, told nothing, shown', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.prove({ more: { proof: '00'.repeat(32) } });
    await expectRefused(bar, stranger, 'it is not of this shop');
    await expectUnharmed(bar, cellar);
  });

  test('C5 with another shop’s key is refused in the same words', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.prove({ key: new Uint8Array(32).fill(8) });
    await expectRefused(bar, stranger, 'it is not of this shop');
    await expectUnharmed(bar, cellar);
  });

  test('with the proof of another channel is refused', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const who = await makeSomeone();
    const [first, second] = [await callOn(bar, who), await callOn(bar, who)];
    second.prove({ more: { proof: first.proof() } });
    await expectRefused(bar, second, 'it is not of this shop');
    await expectUnharmed(bar, cellar);
  });

  test('that sends back the proof it was given is refused', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.send(await stranger.hears('proof'));
    await expectRefused(bar, stranger, 'it is not of this shop');
    await expectUnharmed(bar, cellar);
  });

  test('C2 with a HELLO before the proof is refused', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.send(hello(stranger.id));
    await expectRefused(bar, stranger, 'hello before a proof');
    await expectUnharmed(bar, cellar);
  });

  test.each<[string, string | Uint8Array, string]>([
    ['text that is no JSON', 'let me in', 'a message that cannot be read'],
    ['JSON that is no message', '[[]]', 'a message that cannot be read'],
    ['a proof of the wrong shape', '{"type":"proof","protocol":7,"proof":1}', 'a message that cannot be read'],
    ['random bytes', new Uint8Array(200).fill(0xa7), 'a frame of commits that cannot be read'],
    ['a frame of commits cut short', new Uint8Array([1, 28, 97, 97]), 'a frame of commits that cannot be read'],
    ['an empty frame', new Uint8Array(), 'a frame of commits that cannot be read'],
  ])('that sends %s is refused', async (_what, frame, words) => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.send(frame);
    await expectRefused(bar, stranger, words);
    await expectUnharmed(bar, cellar);
  });

  test('that sends bytes which are no WebSocket frames is cut off', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.socket.write(Buffer.alloc(5000, 0xff));
    await stranger.closes();
    await expectUnharmed(bar, cellar);
  });

  test('E6 that sends a frame larger than agreed is cut off before it is taken in', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.send(new Uint8Array(frameBytesMax + 1));
    await stranger.closes();
    await expectUnharmed(bar, cellar);
  });

  test('that says nothing is shown out after the handshake’s time', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    await expectRefused(bar, stranger, 'no greeting in time');
    await expectUnharmed(bar, cellar);
  });

  test('E4 in such numbers that they fill every place keeps no member of the shop out', async () => {
    const bar = await openAppliance('Bar', { haste: 1 });
    const who = await makeSomeone();
    const silent = await Promise.all(Array.from({ length: connectionsPendingMax }, () => callOn(bar, who)));
    await Promise.all(silent.map((stranger) => stranger.hears('proof')));
    const cellar = await openAppliance('Cellar', { peers: [bar.address], haste: 1 });
    await linked(bar, cellar, handshakeMs / 2);
    expect(silent.filter((stranger) => stranger.isClosed()).length).toBeLessThan(3);
  });
});

describe('a member of the shop', () => {
  test('C4 of a newer protocol is told which appliance to update, and so are we', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.prove({ protocol: { min: 2, max: 3 } });
    const words = 'it speaks protocol 2 to 3, we speak 1 to 1: update this appliance';
    expect((await stranger.hears('bye')).reason).toBe(words);
    await stranger.closes();
    expect(alarmsOf(bar, 'peer_refused').map(({ detail }) => detail)).toEqual([expect.stringContaining(words)]);
    await expectUnharmed(bar, cellar);
  });

  test('C4 of an older protocol is told which appliance to update', () => {
    const own = { protocol: { min: 2, max: 3 }, judge: () => ({ kind: 'member' }) } as unknown as OwnSide;
    const message = { type: 'proof', protocol: { min: 1, max: 1 }, shop: '', instance: '', proof: '' } as const;
    const { session, effects } = step(createSession('listener', 0), { kind: 'message', message }, own, 1);
    const words = 'it speaks protocol 1 to 1, we speak 2 to 3: update that appliance';
    expect(effects).toEqual([
      { kind: 'send', message: { type: 'bye', reason: words } },
      { kind: 'close', reason: 'protocol_mismatch', detail: words },
    ]);
    expect(session.phase).toBe('closed');
  });

  test('C4 whose protocol range was changed on the way is refused: it is part of the proof', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.prove({ more: { proof: stranger.proof({ protocol: { min: 1, max: 2 } }) } });
    await expectRefused(bar, stranger, 'it is not of this shop');
    await expectUnharmed(bar, cellar);
  });

  test('C4 that speaks newer versions too is spoken to in the highest that both know', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.prove({ protocol: { min: 1, max: 9 } });
    await stranger.greet();
    expect(isLinked(bar, stranger)).toBe(true);
    await expectUnharmed(bar, cellar);
  });

  test('may say what we do not understand: it is passed over, in the handshake and after', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.send({ type: 'weather', sunny: true });
    stranger.prove();
    await stranger.greet({ colour: 'red' });
    stranger.send({ type: 'weather', sunny: false });
    stranger.send({ type: 'ping', at: 1, heads: 'x', books: 'y', mood: 'good' });
    expect((await stranger.hears('pong')).echo).toBe(1);
    expect(isLinked(bar, stranger)).toBe(true);
    await expectUnharmed(bar, cellar);
  });

  test('with the id of another is refused: the id follows from the key', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await callOn(bar);
    stranger.prove();
    await stranger.hears('proof');
    stranger.send(hello(cellar.id));
    await expectRefused(bar, stranger, 'its id is not that of its certificate');
    expect(isLinked(bar, cellar)).toBe(true);
    await expectUnharmed(bar, cellar);
  });

  test.each<[string, (id: string) => Frame, string]>([
    ['no JSON', () => 'once upon a time', 'a message that cannot be read'],
    ['no commits', () => new Uint8Array([1, 2, 3]), 'a frame of commits that cannot be read'],
    ['another kind of frame', () => new Uint8Array(500).fill(9), 'a frame of commits that cannot be read'],
    ['a second greeting', (id) => hello(id), 'hello on an open link'],
    ['a second proof', () => secondProof, 'proof on an open link'],
    [
      'a want of a million',
      () => ({ type: 'want', replicas: Array(5000).fill('a'), heads: {}, again: true }),
      'a message that cannot be read',
    ],
    [
      'a ping from before time',
      () => ({ type: 'ping', at: -1, heads: '', books: '' }),
      'a message that cannot be read',
    ],
    ['half a pong', () => ({ type: 'pong', at: 1 }), 'a message that cannot be read'],
    ['a frame too large', () => new Uint8Array(frameBytesMax + 1), `a frame of more than ${frameBytesMax} bytes came`],
  ])('that sends %s on an open link is cut off, with the reason beside its name', async (_what, frame, words) => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await enter(bar);
    stranger.send(frame(stranger.id));
    await stranger.closes();
    await until('it is shown', () => peerOf(bar, stranger)?.lastError?.includes(words) === true);
    await expectUnharmed(bar, cellar);
    const again = await enter(bar, { by: stranger.who });
    expect(isLinked(bar, again)).toBe(true);
  });

  test.each(['want', 'ack', 'ping', 'heads', 'sync_request'])(
    'that says %s before the greeting is refused',
    async (type) => {
      const { bar, cellar } = await openPairOfAppliances();
      const stranger = await callOn(bar);
      stranger.prove();
      const anything = { replicas: [], heads: {}, hashes: {}, again: false, bidirectional: true, at: 1, books: '' };
      stranger.send({ ...anything, ...(type === 'ping' && { heads: '' }), type });
      await expectRefused(bar, stranger, `${type} before the greeting`);
      await expectUnharmed(bar, cellar);
    },
  );

  test('B10 that was revoked is cut off at once, refused from then on, and shown', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const attic = await openAppliance('Attic', { peers: [bar.address] });
    await linked(bar, attic);
    bar.appliance.mesh.changePeer(attic.id, { trust: 'revoked' }, 'admin');
    await until('Attic is out', () => statusOf(bar).connected === 1 && statusOf(attic).connected === 0);
    attic.appliance.mesh.reconnect();
    await until('the attempt is shown', () => alarmsOf(bar, 'revoked_peer').length === 1);
    await attic.sell('after-the-revocation');
    await expectUnharmed(bar, cellar);
    expect(bar.appliance.books.ticket('after-the-revocation')).toBeUndefined();
    expect(peerOf(bar, attic)).toMatchObject({ trust: 'revoked', state: 'disconnected' });
  });

  test('B10 that was removed is cut off; it is of the shop still, and may come back', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const before = bar.wire.openedCount();
    bar.appliance.mesh.removePeer(cellar.id);
    await until('Cellar dials again', () => bar.wire.openedCount() > before);
    await linked(bar, cellar);
    await expectUnharmed(bar, cellar);
  });
});
