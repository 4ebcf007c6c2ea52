// What the simulation found, and what it must never find, as small stories. Given, when, then; in virtual time.

import { afterEach, describe, expect, test } from 'vitest';
import { socketBufferBytesMax } from '../../src/core/limits.ts';
import { watchEcho } from './echo.ts';
import { play, type Scenario } from './scenario.ts';
import { healthyFaults } from './wire.ts';

let scenario: Scenario | null = null;
const given = (...options: Parameters<typeof play>): Scenario => {
  scenario = play(...options);
  return scenario;
};
afterEach(() => {
  scenario?.end();
  scenario = null;
});
const ticketCount = ({ host }: Scenario, name: string): number => host(name).appliance()?.books.counts().tickets ?? 0;
const journalRows = ({ host }: Scenario, name: string): number =>
  ['ops', 'commits', 'changes'].reduce(
    (sum, table) =>
      sum + (host(name).disk.rows<{ count: number }>(`SELECT count(*) AS count FROM ${table}`)[0]?.count ?? 0),
    0,
  );

describe('conflicts', () => {
  test('B6 a loser that was settled and loses again to another edit is told again', () => {
    const shop = given({ hosts: 3 });
    shop.put('A', 'tea', { name: 'tea', price: 1, shelf: 1 });
    shop.settle();
    for (const name of ['A', 'B', 'C']) shop.cut(name);
    shop.patch('A', 'tea', { price: 2, shelf: 2 });
    shop.patch('B', 'tea', { price: 3 });
    shop.patch('C', 'tea', { shelf: 3 });
    shop.world.network.setBlocked('A', 'B', false);
    shop.world.network.setBlocked('B', 'A', false);
    shop.run(90);
    expect(shop.openConflicts('A')).toEqual(['/price']);
    shop.resolve('A', 'winner');
    expect(shop.openConflicts('A')).toEqual([]);
    shop.mend('C');
    shop.settle();
    expect(shop.openConflicts('A')).toEqual(['/shelf']);
    expect(shop.openConflicts('C')).toEqual(['/shelf']);
  });

  test('B5 an edit is not merged before what its author had seen, whichever way it comes', () => {
    const shop = given({ hosts: 3 });
    for (const name of ['A', 'B', 'C']) shop.sell(name, `first-${name}`);
    shop.put('A', 'tea', { name: 'tea', price: 1 });
    shop.settle();
    // What A writes reaches C late and B at once; what B answers to it reaches C at once.
    shop.world.network.path('A', 'C').faults = { ...healthyFaults, latencyMs: 2_000 };
    shop.patch('A', 'tea', { price: 2 });
    shop.patch('B', 'tea', { name: 'green tea' });
    shop.run(0.5);
    shop.patch('C', 'tea', { price: 9 });
    shop.settle();
    for (const name of ['A', 'B', 'C']) {
      expect(shop.fields(name, 'tea')).toMatchObject({ '/name': 'green tea', '/price': 9 });
      expect(shop.openConflicts(name)).toEqual(['/price']);
    }
  });
});

describe('links', () => {
  test('B9 after a restart nobody is sent back what it wrote', () => {
    const shop = given({ hosts: 3, topology: 'line' });
    shop.sell('A', 't1');
    shop.settle();
    shop.host('A').end('power');
    shop.host('A').start();
    shop.run(90);
    const echo = watchEcho(shop.world);
    for (let count = 0; count < 20; count++) shop.sell('A', `later-${count}`);
    shop.run(10);
    echo.check(null);
    shop.settle();
  });

  test('B8 a stopped peer costs the sender a bounded amount, and gets everything when it goes on', () => {
    const shop = given({ hosts: 2 });
    const note = 'x'.repeat(20_000);
    shop.host('B').pause();
    let bufferedMax = 0;
    for (let count = 0; count < 400; count++) {
      expect(shop.sell('A', `t${count}`, { note })).toBe('accepted');
      for (const pair of shop.world.network.connections())
        for (const end of pair) bufferedMax = Math.max(bufferedMax, end.bufferedBytes());
    }
    expect(bufferedMax).toBeGreaterThan(0);
    expect(bufferedMax).toBeLessThan(socketBufferBytesMax + 512 * 1024);
    shop.host('B').resume();
    shop.settle();
    expect(ticketCount(shop, 'B')).toBe(400);
  });

  test('B3 a backlog gets through a link of 400 kbit/s with half a second there and back', () => {
    const shop = given({ hosts: 2 });
    shop.cut('B');
    for (let count = 0; count < 300; count++) shop.sell('A', `t${count}`, { note: 'x'.repeat(5000) });
    for (const [from, to] of [
      ['A', 'B'],
      ['B', 'A'],
    ] as const)
      shop.world.network.path(from, to).faults = { ...healthyFaults, latencyMs: 250, bytesPerMs: 50 };
    shop.mend('B');
    const echo = watchEcho(shop.world);
    shop.settle();
    expect(ticketCount(shop, 'B')).toBe(300);
    echo.check(null);
  });

  test('B7 garbage from one peer ends that link and nothing else', () => {
    const shop = given({ hosts: 3 });
    shop.world.network.path('B', 'A').faults = { ...healthyFaults, garble: 1 };
    expect(shop.sell('B', 't1')).toBe('accepted');
    expect(shop.sell('A', 't2')).toBe('accepted');
    shop.run(20);
    expect(ticketCount(shop, 'A')).toBe(2);
    shop.world.network.path('B', 'A').faults = { ...healthyFaults };
    shop.settle();
  });
});

describe('disks', () => {
  test('B7 a full disk refuses sales for as long as it is full, and reads go on', () => {
    const shop = given({ hosts: 2 });
    expect(shop.sell('A', 't1')).toBe('accepted');
    shop.host('A').disk.setFull(true);
    expect(shop.sell('A', 't2')).toBe('unknown');
    expect(shop.host('A').appliance()?.books.ticket('t1')).toBeDefined();
    expect(shop.sell('B', 't2')).toBe('accepted');
    shop.host('A').disk.setFull(false);
    shop.run(2);
    expect(shop.sell('A', 't3')).toBe('accepted');
    shop.settle();
    expect(ticketCount(shop, 'A')).toBe(3);
  });

  test('B1 a commit that failed and is there all the same is told as unknown, and is there once', () => {
    const shop = given({ hosts: 2 });
    shop.host('A').disk.arm('commit fails, yet is there');
    expect(shop.sell('A', 't1')).toBe('unknown');
    expect(shop.sell('A', 't1')).toBe('accepted');
    shop.host('A').end('power');
    shop.host('A').start();
    shop.settle();
    expect(ticketCount(shop, 'A')).toBe(1);
    expect(ticketCount(shop, 'B')).toBe(1);
  });

  test('B8 a thousand edits of one product leave a journal of a few rows, on every appliance', () => {
    const shop = given({ hosts: 2 });
    shop.put('A', 'tea', { name: 'tea', price: 0 });
    shop.settle();
    const before = [journalRows(shop, 'A'), journalRows(shop, 'B')];
    for (let count = 1; count <= 1000; count++) shop.patch(count % 2 ? 'A' : 'B', 'tea', { price: count });
    shop.settle();
    expect(journalRows(shop, 'A') - (before[0] ?? 0)).toBeLessThan(20);
    expect(journalRows(shop, 'B') - (before[1] ?? 0)).toBeLessThan(20);
  });
});

describe('copied and restored disks', () => {
  test('B1 B3 what was sold on an older copy of the disk, before it met anybody, is kept beside what it had lost', () => {
    const shop = given({ hosts: 3 });
    shop.sell('A', 'before');
    const image = shop.host('A').disk.image();
    for (let count = 0; count < 5; count++) shop.sell('A', `lost-${count}`);
    shop.settle();
    shop.putBack('A', image);
    shop.cut('A');
    shop.host('A').start();
    for (let count = 0; count < 3; count++) expect(shop.sell('A', `new-${count}`)).toBe('accepted');
    shop.mend('A');
    shop.settle();
    for (const name of ['A', 'B', 'C']) expect(ticketCount(shop, name)).toBe(9);
  });

  test('B1 B3 a branch that only the peer of a peer holds comes to its author, and all is there', () => {
    const shop = given({ hosts: 3, topology: 'line' });
    shop.sell('A', 'before');
    shop.settle();
    const images = [shop.host('A').disk.image(), shop.host('B').disk.image()] as const;
    for (let count = 0; count < 5; count++) shop.sell('A', `lost-${count}`);
    shop.settle();
    shop.putBack('A', images[0]);
    shop.putBack('B', images[1]);
    shop.cut('C');
    for (const name of ['A', 'B']) shop.host(name).start();
    shop.run(5);
    for (let count = 0; count < 3; count++) expect(shop.sell('A', `new-${count}`)).toBe('accepted');
    shop.run(2);
    shop.mend('C');
    shop.settle();
    for (const name of ['A', 'B', 'C']) expect(ticketCount(shop, name)).toBe(9);
  });

  test('B6 who has seen an op of the void branch has not seen what stands under its number on the other', () => {
    const shop = given({ hosts: 3 });
    shop.put('A', 'tea', { name: 'tea', price: 1 });
    shop.settle();
    const image = shop.host('A').disk.image();
    shop.patch('A', 'tea', { price: 2 });
    shop.settle();
    shop.putBack('A', image);
    shop.cut('A');
    shop.host('A').start();
    shop.run(1);
    // The same number, another op; and an edit elsewhere by somebody who had seen the first.
    expect(shop.patch('A', 'tea', { price: 5 })).toBe('accepted');
    expect(shop.patch('B', 'tea', { price: 3 })).toBe('accepted');
    shop.mend('A');
    shop.settle();
    for (const name of ['A', 'B', 'C']) {
      expect(shop.fields(name, 'tea')['/price']).toBe(3);
      // That of 5, and perhaps that of 2, which was written again since.
      expect(shop.openConflicts(name)).toContain('/price');
    }
  });

  test('B1 B3 what two copies of one disk sold apart from each other is all there, once the second comes home', () => {
    const shop = given({ hosts: 3 });
    shop.sell('A', 'before');
    shop.put('A', 'tea', { name: 'tea', price: 1 });
    shop.settle();
    const copy = shop.world.addClone(shop.host('A'), 'A2');
    shop.rules.replaced(copy);
    shop.cut('A2');
    copy.start();
    shop.run(1);
    for (let count = 0; count < 4; count++) {
      expect(shop.sell('A', `first-${count}`)).toBe('accepted');
      expect(shop.sell('A2', `second-${count}`)).toBe('accepted');
    }
    shop.patch('A2', 'tea', { price: 7 });
    shop.run(5);
    shop.host('A').retire();
    shop.mend('A2');
    shop.settle();
    for (const name of ['A2', 'B', 'C']) {
      expect(ticketCount(shop, name)).toBe(9);
      expect(shop.fields(name, 'tea')['/price']).toBe(7);
    }
    const idle = watchEcho(shop.world);
    shop.run(60);
    idle.check(60);
    shop.run(1);
  });
});
