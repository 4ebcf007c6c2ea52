// B8: a peer that stops reading, sends more than it was asked for, or claims what cannot be, costs a bounded amount of
// memory and time, is shown, and stops nobody else.

import { describe, expect, test } from 'vitest';
import { frameBytesMax, linkBufferBytesMax, opNumberMax, originsMax, windowBytesMax } from '../../src/core/limits.ts';
import { makeSomeone } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { equal, hasTicket, isLinked, linked, openAppliance, peerOf, type TestAppliance } from './appliances.ts';
import { createAuthor, frameOf, productOp, ticketOp } from './author.ts';
import { enterInHand } from './in-hand.ts';
import { expectUnharmed, openPairOfAppliances } from './pair.ts';
import { openCable } from './proxy.ts';
import { enter } from './stranger.ts';

const note = 'x'.repeat(1000);

/** Sells so many tickets of 1 KB, in bursts as tills do. */
async function sellMany(one: TestAppliance, prefix: string, count: number): Promise<void> {
  for (let sold = 0; sold < count; sold += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, index) => one.sell(`${prefix}-${sold + index}`, { note })));
  }
}

const largestConnection = (one: TestAppliance): number => one.wire.bufferedBytesMax();

describe('a peer that stops reading', () => {
  test('B8 behind a dead cable: memory stays bounded, the others keep up, and it catches up when it is back', async () => {
    // There is no other way between them than the cable.
    const bar = await openAppliance('Bar', { reaches: new Set() });
    const cable = await openCable(bar.address);
    const [cellar, attic] = [
      await openAppliance('Cellar', { peers: [bar.address], reaches: new Set([bar.address]) }),
      await openAppliance('Attic', { peers: [cable.address], reaches: new Set([cable.address]) }),
    ];
    await Promise.all([linked(bar, cellar), linked(bar, attic)]);
    cable.stopAnswers();
    await sellMany(bar, 'stopped', 6000);
    await equal(bar, cellar);
    expect(attic.appliance.books.counts().tickets).toBeLessThan(6000);
    expect(largestConnection(bar)).toBeGreaterThan(100_000);
    expect(largestConnection(bar)).toBeLessThan(windowBytesMax + frameBytesMax);
    await attic.sell('at-the-attic-meanwhile');
    cable.resumeAnswers();
    await equal(bar, cellar, attic);
    expect(attic.appliance.books.counts().tickets).toBe(6001);
  }, 60_000);

  test('B8 but goes on talking, so that it is alive: memory stays bounded however often it asks', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    await sellMany(bar, 'before', 3000);
    const stranger = await enter(bar);
    stranger.send({ type: 'want', replicas: [bar.id], heads: {}, again: true });
    await until('the first frames', () => stranger.frames.length > 0);
    stranger.socket.pause();
    for (let count = 0; count < 50_000 && !stranger.isClosed(); count++) {
      stranger.send({ type: 'ping', at: count, heads: '', books: '' });
      if (count % 100 === 0) {
        stranger.send({ type: 'sync_request', bidirectional: true });
        stranger.send({ type: 'want', replicas: [bar.id], heads: {}, again: true });
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await expectUnharmed(bar, cellar);
    expect(largestConnection(bar)).toBeLessThan(linkBufferBytesMax + 1024);
    await until('it is shown', () => peerOf(bar, stranger)?.lastError === 'it does not read what it is sent');
  }, 60_000);
});

describe('a peer that sends more than it was asked for', () => {
  test('B8 is cut off with the reason before it fills the memory; what it sent before is kept', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const who = await makeSomeone();
    const { say, closedReason } = enterInHand(bar, who);
    const author = createAuthor(who);
    say(frameOf(author, author.write([ticketOp('modest')])));
    await until('the first is here', () => hasTicket(bar, 'modest'));
    const note = 'x'.repeat(1_500_000);
    for (let count = 0; count < 8; count++) say(frameOf(author, author.write([ticketOp(`large-${count}`, { note })])));
    expect(closedReason()).toBe('it sent more than it was asked for');
    await until('it is shown', () => peerOf(bar, { id: who.replicaId })?.lastError === closedReason());
    expect(hasTicket(bar, 'modest')).toBe(true);
    await expectUnharmed(bar, cellar);
  });

  test('E7 as fast as it can, holds up no till: each sale is taken in within half a second', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await enter(bar);
    const author = createAuthor(stranger.who);
    for (let frame = 0; frame < 60; frame++) {
      const commits = Array.from({ length: 10 }, (_, index) =>
        author.write(
          Array.from({ length: 20 }, (__, ticket) =>
            ticketOp(`flood-${frame}-${index}-${ticket}`, { note: note.slice(500) }),
          ),
        ),
      );
      stranger.send(frameOf(author, ...commits));
    }
    const delays: number[] = [];
    for (let sold = 0; bar.appliance.books.heads()[author.origin] !== author.head(); sold++) {
      const startedAt = performance.now();
      await bar.sell(`till-${sold}`);
      delays.push(performance.now() - startedAt);
    }
    expect(delays.length).toBeGreaterThan(10);
    expect(delays.toSorted((a, b) => a - b)[Math.floor(delays.length * 0.95)]).toBeLessThan(500);
    await expectUnharmed(bar, cellar);
  }, 60_000);

  test('B8 of edits that wait for what never comes, slows down no sale', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await enter(bar);
    const author = createAuthor(stranger.who);
    const never = { [`${'b'.repeat(26)}.1`]: 5 };
    for (let burst = 0; burst < 160; burst++) {
      const edits = Array.from({ length: 250 }, (_, index) =>
        productOp(`p-${burst}-${index}`, { '/name': 'x' }, never),
      );
      stranger.send(frameOf(author, author.write(edits)));
    }
    await until('all are here', () => bar.appliance.books.heads()[author.origin] === 40_000, 30_000);
    await equal(bar, cellar);
    const delays: number[] = [];
    for (let sold = 0; sold < 20; sold++) {
      const startedAt = performance.now();
      await bar.sell(`till-${sold}`);
      delays.push(performance.now() - startedAt);
    }
    expect(delays.toSorted((a, b) => a - b)[10]).toBeLessThan(100);
    await expectUnharmed(bar, cellar);
  }, 60_000);

  test('B8 an unasked flood of what is held already changes nothing', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await enter(bar);
    const author = createAuthor(stranger.who);
    const frame = frameOf(
      author,
      ...Array.from({ length: 50 }, (_, index) => author.write([ticketOp(`again-${index}`)])),
    );
    for (let count = 0; count < 300; count++) stranger.send(frame);
    await until('all are here', () => bar.appliance.books.heads()[author.origin] === 50);
    await expectUnharmed(bar, cellar);
    expect(bar.appliance.books.heads()[author.origin]).toBe(50);
  });
});

describe('absurd heads', () => {
  const origin = `${'b'.repeat(26)}.1`;
  const many = Object.fromEntries(
    Array.from({ length: originsMax + 1 }, (_, index) => [`${'c'.repeat(26)}.${index + 1}`, 1]),
  );
  test.each<[string, unknown]>([
    ['2^53 + 1', { [origin]: 2 ** 53 + 1 }],
    ['more than 40 bits', { [origin]: opNumberMax + 1 }],
    ['a negative number', { [origin]: -1 }],
    ['zero', { [origin]: 0 }],
    ['half a number', { [origin]: 1.5 }],
    ['text', { [origin]: '7' }],
    ['a list', [1]],
    ['an origin that is none', { Bar: 1 }],
    ['epoch 0', { [`${'b'.repeat(26)}.0`]: 1 }],
    ['a million epochs', { [`${'b'.repeat(26)}.1000000`]: 1 }],
    ['more origins than there can be', many],
  ])('C11 %s in a message: the link is closed, with the reason', async (_what, heads) => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await enter(bar);
    stranger.send({ type: 'ack', heads } as Record<string, unknown>);
    await stranger.closes();
    expect(bar.log.find(({ message }) => message === 'a peer was refused')?.facts).toMatchObject({
      reason: 'malformed',
      peer: stranger.id,
    });
    expect(peerOf(bar, stranger)?.lastError).toBe('a message that cannot be read');
    await expectUnharmed(bar, cellar);
  });

  test('C11 ever new origins, a few thousand at a time, end the link before they fill the memory', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const stranger = await enter(bar);
    for (let batch = 0; batch < 20 && !stranger.isClosed(); batch++) {
      const heads = Object.fromEntries(
        Array.from({ length: 1000 }, (_, index) => [`${'c'.repeat(26)}.${batch * 1000 + index + 1}`, 1]),
      );
      stranger.send({ type: 'ack', heads });
    }
    await stranger.closes();
    await expectUnharmed(bar, cellar);
  });

  test('C11 a claim to hold far more of another’s ops than there are does not keep these from coming', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    const attic = await openAppliance('Attic', { peers: [cellar.address] });
    await linked(attic, cellar);
    await attic.sell('before-the-claim');
    await equal(bar, cellar, attic);
    const absurd = { [`${cellar.id}.1`]: opNumberMax, [`${attic.id}.1`]: opNumberMax, [`${attic.id}.2`]: 7 };
    const stranger = await enter(bar, { heads: absurd });
    stranger.send({ type: 'ack', heads: absurd });
    await attic.sell('after-the-claim');
    await cellar.sell('after-the-claim-too');
    await until(
      'what others sell arrives',
      () => hasTicket(bar, 'after-the-claim') && hasTicket(bar, 'after-the-claim-too'),
    );
    expect(isLinked(bar, stranger)).toBe(true);
    await expectUnharmed(bar, attic);
  });

  test('C11 a claim to hold our own ops under the last epoch there is does not silence us', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    for (const epoch of [999_999, 900_001, 999_999]) {
      const stranger = await enter(bar, { heads: { [`${bar.id}.${epoch}`]: 3 } });
      await expectUnharmed(bar, cellar);
      stranger.socket.destroy();
    }
    const attic = await openAppliance('Attic', { peers: [bar.address] });
    await linked(bar, attic);
    await expectUnharmed(bar, attic);
  });

  test('C8 hashes that contradict ours make an alarm at most, not a loss', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    await bar.sell('mine');
    await equal(bar, cellar);
    const victim = createAuthor(await makeSomeone());
    const stranger = await enter(bar, {
      heads: { [`${bar.id}.1`]: 1, [`${cellar.id}.1`]: 1, [victim.origin]: 1 },
      hashes: { [`${bar.id}.1`]: '00'.repeat(8), [`${cellar.id}.1`]: '00'.repeat(8), [victim.origin]: '00'.repeat(8) },
    });
    await expectUnharmed(bar, cellar);
    expect(hasTicket(bar, 'mine')).toBe(true);
    expect(stranger.isClosed()).toBe(false);
  });
});
