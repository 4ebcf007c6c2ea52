// Who is not let in, on a network: each is refused, named in the log and shown in the status, and nobody's books change.

import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { node } from '../built-file.ts';
import { until } from '../waiting.ts';
import type { Line, Program } from './lab.ts';
import {
  type Appliance,
  alarmIn,
  allLinked,
  equal,
  isLinked,
  labMissing,
  peerIn,
  shopKey,
  titled,
  useLab,
} from './shop.ts';

const refusalsOf = (one: Appliance, peer: string): Line[] =>
  one.log.filter((line) => line.msg === 'a peer was refused' && line.peer === peer);

/** Until `one` has said in its log and in its status that it refused this peer, and why. */
async function refuses(one: Appliance, peer: string, { reason, alarm }: { reason: string; alarm: string }) {
  await until(`${one.name} refuses and says so`, async () => {
    return refusalsOf(one, peer).length > 0 && alarmIn(await one.status(), alarm) !== undefined;
  });
  for (const line of refusalsOf(one, peer)) expect(line).toMatchObject({ level: 40, reason, peer });
  expect((await one.status()).connected).toBe(0);
}

/** What is in the books, whoever is of the shop. */
async function booksOf(...all: Appliance[]) {
  return Promise.all(all.map(async (one) => ({ ...(await one.digest()), heads: null })));
}

describe.skipIf(labMissing !== null)(titled('on a network'), () => {
  const shop = useLab(3, '10.87.42');
  const quiet = ['--no-mdns'];

  async function program(host: number, name: string, word: string): Promise<{ id: string; running: Program }> {
    const running = shop.lab.run(host, node.path, join(import.meta.dirname, name), word);
    onTestFinished(async () => {
      running.kill();
      await running.ended;
    });
    return { running, id: String((await running.line((line) => 'ready' in line)).ready) };
  }

  test.for([
    { who: 'C5 an appliance with another shop key', key: 'the key of another shop, and just as long' },
    { who: 'C2 an appliance that nobody knows', key: null },
  ])('$who is refused', async ({ key }) => {
    const bar = await shop.place(1, 'bar').start(...quiet);
    await bar.sell('secret');
    const stranger = await shop.place(2, 'stranger', { shopKey: key }).start(...quiet, '--peer', shop.meshOf(1));
    await stranger.sell('its-own');
    const before = await booksOf(bar, stranger);
    await refuses(bar, stranger.replicaId, { reason: 'not_of_this_shop', alarm: 'peer_refused' });
    expect((await stranger.status()).connected).toBe(0);
    expect(await booksOf(bar, stranger)).toEqual(before);
    expect(peerIn(await bar.status(), stranger)).toMatchObject({ trust: 'pending' });
  });

  test('C2 what an appliance has said on one channel is worth nothing on another, nor given back to it', async () => {
    const replayer = await program(3, 'replay-program.ts', shopKey);
    const cellar = await shop.place(2, 'cellar').start(...quiet);
    await cellar.sell('secret');
    const bar = await shop.place(1, 'bar').start(...quiet, '--peer', shop.meshOf(3));
    const { recorded } = await replayer.running.line((line) => 'recorded' in line);
    expect(recorded).toEqual(['proof', 'hello']);
    const before = await booksOf(bar, cellar);
    for (const [how, reason] of [
      ['proof and hello', 'not_of_this_shop'],
      ['hello', 'malformed'],
      ['own proof', 'not_of_this_shop'],
    ] as const) {
      replayer.running.say(`${how} ${shop.meshOf(2)}`);
      const { id, heard } = await replayer.running.line((line) => line.said === how);
      await refuses(cellar, String(id), { reason, alarm: 'peer_refused' });
      expect(refusalsOf(cellar, String(id))).toHaveLength(1);
      // As everybody hears it who dials: that it has a proof, which is good on that channel alone.
      expect(heard).toEqual(['proof']);
    }
    expect(await booksOf(bar, cellar)).toEqual(before);
  });

  test('C2 somebody in the middle, who passes every message on, is refused by both ends', async () => {
    const middle = await program(3, 'middle-program.ts', shop.meshOf(1));
    const bar = await shop.place(1, 'bar').start(...quiet);
    await bar.sell('secret');
    const cellar = await shop.place(2, 'cellar').start(...quiet, '--peer', shop.meshOf(3));
    const before = await booksOf(bar, cellar);
    for (const one of [bar, cellar])
      await refuses(one, middle.id, { reason: 'not_of_this_shop', alarm: 'peer_refused' });
    expect(await booksOf(bar, cellar)).toEqual(before);
    const passed = middle.running.lines.filter((line) => 'passed' in line);
    expect(new Set(passed.map((line) => line.passed))).toEqual(new Set(['proof']));
  });

  test('C2 somebody who takes the address of an appliance, to sit in the middle, is found out by his key', async () => {
    const { lab } = shop;
    const bar = await shop.place(1, 'bar').start(...quiet);
    const cellar = await shop.place(2, 'cellar').start(...quiet, '--peer', shop.meshOf(1));
    await until('linked', () => allLinked(bar, cellar));
    await equal(bar, cellar);
    const [taken, moved] = [lab.address(1), lab.address(41)];
    lab.fault('partition', '1', '2');
    lab.changeAddress(1, taken, moved);
    lab.output(3, 'ip', 'address', 'add', `${taken}/24`, 'dev', 'eth0');
    lab.output(2, 'ip', 'neighbour', 'flush', 'dev', 'eth0');
    onTestFinished(() => {
      lab.output(3, 'ip', 'address', 'del', `${taken}/24`, 'dev', 'eth0');
      lab.changeAddress(1, moved, taken);
    });
    const middle = await program(3, 'middle-program.ts', `${moved}:3031`);
    await bar.sell('secret');
    const before = await booksOf(bar, cellar);
    for (const one of [bar, cellar])
      await until(`${one.name} misses the other`, async () => (await one.status()).connected === 0, 20_000);
    await refuses(cellar, middle.id, { reason: 'not_of_this_shop', alarm: 'key_changed' });
    expect(alarmIn(await cellar.status(), 'key_changed')?.detail).toContain(`At ${taken}:3031, where bar was`);
    await refuses(bar, middle.id, { reason: 'not_of_this_shop', alarm: 'peer_refused' });
    expect(await booksOf(bar, cellar)).toEqual(before);
  });

  test('B10 C7 a stolen appliance is shut out by one, by another as soon as that one is plugged in again, and for ever', async () => {
    const places = { bar: shop.place(1, 'bar'), cellar: shop.place(2, 'cellar'), attic: shop.place(3, 'attic') };
    const [bar, cellar, attic] = await Promise.all([places.bar.start(), places.cellar.start(), places.attic.start()]);
    await until('all linked', () => allLinked(bar, cellar, attic));
    await equal(bar, cellar, attic);
    shop.lab.fault('unplug', '2');
    expect(await places.bar.console('revoke', 'attic')).toMatchObject({ code: 0 });
    await until('out at Bar', async () => !(await isLinked(bar, attic)));
    await bar.sell('secret');
    await until('Cellar is alone', async () => (await cellar.status()).connected === 0, 20_000);
    expect(peerIn(await cellar.status(), attic)?.trust).toBe('trusted');
    shop.lab.fault('plug', '2');
    const pluggedAt = performance.now();
    const isOut = async (): Promise<boolean> => {
      const status = await cellar.status();
      return peerIn(status, attic)?.trust === 'revoked' && status.connected === 1;
    };
    await until('out at Cellar', isOut);
    console.log(`plugged in: shut out there, too, after ${Math.round(performance.now() - pluggedAt)} ms`);
    await equal(bar, cellar);
    await attic.sell('of-a-thief');
    attic.signal('SIGTERM');
    await attic.ended;
    const before = await booksOf(bar, cellar);
    const again = await places.attic.start('--peer', shop.meshOf(1), '--peer', shop.meshOf(2));
    for (const one of [bar, cellar]) {
      await until(`${one.name} refuses and says so`, async () => {
        return refusalsOf(one, attic.replicaId).length > 0 && alarmIn(await one.status(), 'revoked_peer') !== undefined;
      });
      for (const line of refusalsOf(one, attic.replicaId)) expect(line).toMatchObject({ reason: 'revoked' });
    }
    expect((await again.status()).connected).toBe(0);
    expect(await again.hasTicket('secret')).toBe(false);
    expect(await booksOf(bar, cellar)).toEqual(before);
    expect(await allLinked(bar, cellar)).toBe(true);
  });
});
