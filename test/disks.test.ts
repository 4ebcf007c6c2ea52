// Disks that were copied, lost, cut off or put back while nobody looked, on the built file: no number is used twice.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { node } from './built-file.ts';
import { codeOf, equal, newPlace, openShop, type Place, post, type Running } from './places.ts';
import { until } from './waiting.ts';

function removeBooks({ data }: Place): void {
  for (const name of ['books.db', 'books.db-wal', 'books.db-shm']) rmSync(join(data, name), { force: true });
}

/** Path of a copy of the books, made while the appliance runs. */
async function backupOf({ data }: Place): Promise<string> {
  const backup = `${data}-backup.db`;
  const live = new Sqlite(join(data, 'books.db'), { readonly: true });
  await live.backup(backup);
  live.close();
  return backup;
}

function putBack(place: Place, backup: string): void {
  removeBooks(place);
  renameSync(backup, join(place.data, 'books.db'));
}
describe('disks', () => {
  test('B2 B3 a copied folder started beside its original writes under numbers of its own, and becomes another appliance', async () => {
    const { places, bar, cellar } = await openShop();
    await equal(bar, cellar);
    const { replicaId } = await cellar.status();
    await cellar.stop();
    const copyFolder = `${places.cellar.data}-copy`;
    cpSync(places.cellar.data, copyFolder, { recursive: true });
    const original = await places.cellar.start('cellar', '--peer', bar.mesh);
    const copyPlace = newPlace(node, copyFolder);
    const copy = await copyPlace.start('copy', '--peer', bar.mesh);
    for (let count = 0; count < 5; count++) await Promise.all([original.sell(`o-${count}`), copy.sell(`c-${count}`)]);
    const originsOf = async (one: Running) =>
      Object.keys((await one.digest()).heads).filter((o) => o.startsWith(replicaId));
    const [ofOriginal, ofCopy] = [await originsOf(original), await originsOf(copy)];
    expect(ofCopy.filter((origin) => !ofOriginal.includes(origin)).length).toBeGreaterThan(0);
    await until(
      'it is noticed',
      async () => (await bar.status()).alarms.some(({ code }) => code === 'cloned_identity'),
      60_000,
    );
    expect(await copyPlace.run('renew-identity')).toMatchObject({ code: 0, stderr: '' });
    await until('another one', async () => (await copy.status()).replicaId !== replicaId);
    await equal(bar, original, copy);
    for (let count = 0; count < 5; count++)
      expect([await bar.hasTicket(`o-${count}`), await bar.hasTicket(`c-${count}`)]).toEqual([true, true]);
  });

  test('F9 B2 an older database put back goes on under a new epoch before it sells, and gets back what it had lost', async () => {
    const { places, bar, cellar } = await openShop();
    await cellar.sell('early');
    await equal(bar, cellar);
    const { replicaId } = await cellar.status();
    await cellar.stop();
    const backup = `${places.cellar.data}-backup.db`;
    cpSync(join(places.cellar.data, 'books.db'), backup);
    const later = await places.cellar.start('cellar', '--peer', bar.mesh);
    for (let count = 0; count < 5; count++) await later.sell(`late-${count}`);
    await equal(bar, later);
    const before = Object.keys((await later.digest()).heads);
    await later.stop();
    await bar.stop();
    rmSync(join(places.cellar.data, 'books.db'));
    renameSync(backup, join(places.cellar.data, 'books.db'));
    const restored = await places.cellar.start('cellar');
    await restored.sell('after');
    const news = Object.keys((await restored.digest()).heads).filter((origin) => !before.includes(origin));
    expect(news).toEqual([expect.stringMatching(`^${replicaId}`)]);
    const barBack = await places.bar.start('bar', '--peer', restored.mesh);
    await equal(barBack, restored);
    for (const id of ['early', 'late-0', 'late-4', 'after']) expect(await barBack.hasTicket(id)).toBe(true);
    expect((await restored.status()).alarms.map(({ code }) => code)).toContain('restored_copy');
    // Once is enough, also for one that is only ever unplugged.
    const { heads } = await restored.digest();
    restored.kill();
    await restored.stop();
    const again = await places.cellar.start('cellar');
    await again.sell('again');
    expect(Object.keys((await again.digest()).heads).sort()).toEqual(Object.keys(heads).sort());
  });

  test('F9 B2 a backup made while it ran, and put back after a power cut, goes on under a new epoch: its peers are equal without it', async () => {
    const { places, bar, cellar } = await openShop();
    const atticPlace = newPlace();
    const attic = await atticPlace.start('attic');
    await atticPlace.run('join', await codeOf(places.bar), '--peer', bar.mesh);
    await cellar.sell('early');
    await equal(bar, cellar, attic);
    await attic.stop();
    const backup = await backupOf(places.cellar);
    await cellar.sell('late');
    await equal(bar, cellar);
    cellar.kill();
    await cellar.stop();
    await bar.stop();
    putBack(places.cellar, backup);
    // What it sold before the cut is at Bar alone, what it sells now at Attic; then it dies for good.
    const atticBack = await atticPlace.start('attic');
    const restored = await places.cellar.start('cellar', '--peer', atticBack.mesh);
    await restored.sell('after');
    await until('sold at Attic', () => atticBack.hasTicket('after'));
    restored.kill();
    await restored.stop();
    const barBack = await places.bar.start('bar', '--peer', atticBack.mesh);
    await equal(barBack, atticBack);
    expect([await barBack.hasTicket('after'), await atticBack.hasTicket('late')]).toEqual([true, true]);
  });

  test('F9 B2 a whole older folder, put back in the place of the newer one, goes on under a new epoch', async () => {
    const place = newPlace();
    const first = await place.start('one');
    await first.sell('early');
    await first.stop();
    const backup = `${place.data}-backup`;
    cpSync(place.data, backup, { recursive: true });
    const second = await place.start('one');
    await second.sell('late');
    const before = Object.keys((await second.digest()).heads);
    await second.stop();
    for (const name of readdirSync(place.data)) rmSync(join(place.data, name), { recursive: true });
    cpSync(backup, place.data, { recursive: true });
    const restored = await place.start('one');
    await restored.sell('after');
    expect(Object.keys((await restored.digest()).heads).filter((origin) => !before.includes(origin))).toHaveLength(1);
  });

  test('books that were taken as a file are no copy at the next start', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const bar = await barPlace.start('bar');
    for (let page = 0; page < 6; page++) {
      const items = Array.from({ length: 1000 }, (_, index) => ({ id: `p${page}-${index}`, name: 'Tea' }));
      expect((await post(bar, '/api/v1/products/batch', { items })).status).toBe(200);
    }
    const path = join(cellarPlace.data, 'books.db');
    const cellar = await cellarPlace.start('cellar');
    const before = statSync(path).ino;
    await cellarPlace.run('join', await codeOf(barPlace), '--peer', bar.mesh);
    await equal(bar, cellar);
    expect(statSync(path).ino).not.toBe(before);
    await cellar.sell('a');
    const { heads } = await cellar.digest();
    await cellar.stop();
    const again = await cellarPlace.start('cellar');
    await again.sell('b');
    expect(Object.keys((await again.digest()).heads).sort()).toEqual(Object.keys(heads).sort());
    expect((await again.status()).alarms).toEqual([]);
  });

  test('B2 books that are lost twice within an hour do not get one epoch twice', async () => {
    const place = newPlace();
    const epochs: string[][] = [];
    for (const count of [1, 2, 3]) {
      const one = await place.start('one');
      await one.sell(`t${count}`);
      epochs.push(Object.keys((await one.digest()).heads));
      await one.stop();
      removeBooks(place);
    }
    expect(new Set(epochs.flat()).size).toBe(3);
  });

  test('B1 books that are lost are filled again by the peers, also where the shop key was left out since', async () => {
    const key = { TILLMESH_SHOP_KEY: 'k'.repeat(40) };
    const bar = await newPlace(node, undefined, key).start('bar');
    const place = newPlace(node, undefined, key);
    const cellar = await place.start('cellar', '--peer', bar.mesh);
    await cellar.sell('early');
    await equal(bar, cellar);
    await cellar.stop();
    removeBooks(place);
    const again = await newPlace(node, place.data).start('cellar', '--peer', bar.mesh);
    await equal(bar, again);
    expect(await again.hasTicket('early')).toBe(true);
  });

  test('a move to another shop that cannot be finished ends the process with a sentence and a failure', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const bar = await barPlace.start('bar');
    const ended = cellarPlace.run('start', '--port', '0', '--mesh-port', '0', '--no-mdns', '--host', '127.0.0.1');
    await until('it runs', () => existsSync(join(cellarPlace.data, 'console.json')));
    // In the way of its next version.
    mkdirSync(join(cellarPlace.data, 'identity.json.partial'));
    void cellarPlace.run('join', await codeOf(barPlace), '--peer', bar.mesh);
    expect(await ended).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be written') });
  });

  test('F9 B2 a backup made while it ran, and put back after it, goes on under a new epoch as well', async () => {
    const { places, bar, cellar } = await openShop();
    await cellar.sell('early');
    const backup = await backupOf(places.cellar);
    await cellar.sell('late');
    await equal(bar, cellar);
    const before = Object.keys((await cellar.digest()).heads);
    await bar.stop();
    await cellar.stop();
    putBack(places.cellar, backup);
    const restored = await places.cellar.start('cellar');
    await restored.sell('after');
    const news = Object.keys((await restored.digest()).heads).filter((origin) => !before.includes(origin));
    expect(news).toHaveLength(1);
    await equal(await places.bar.start('bar', '--peer', restored.mesh), restored);
    expect(await restored.hasTicket('late')).toBe(true);
  });

  test('B2 a copied folder is noticed also when the last note of a start had not reached identity.json', async () => {
    const place = newPlace();
    await (await place.start('one')).stop();
    const file = join(place.data, 'identity.json');
    const before = readFileSync(file, 'utf8');
    const second = await place.start('one');
    await second.sell('a');
    await second.stop();
    writeFileSync(file, before);
    const copyFolder = `${place.data}-copy`;
    cpSync(place.data, copyFolder, { recursive: true });
    const [original, copy] = [await place.start('one'), await newPlace(node, copyFolder).start('two')];
    await original.sell('b');
    await copy.sell('c');
    const origins = async (one: Running) => Object.keys((await one.digest()).heads).length;
    expect([await origins(original), await origins(copy)]).toEqual([1, 2]);
  });

  test.each([
    ['before anything was renamed', []],
    ['after the old books were put aside', [['books.db', 'books-of-old.db']]],
    [
      'after the new ones took their place',
      [
        ['books.db', 'books-of-old.db'],
        ['books-joining.db', 'books.db'],
      ],
    ],
  ] as [string, [string, string][]][])(
    'B1 a power cut in the move to another shop, %s, is made up for',
    async (_when, renamed) => {
      const { places, bar, cellar } = await openShop();
      const { shop } = await cellar.status();
      await cellar.stop();
      // The folder as it was in the middle of the move: the books of the shop it left, and those of the one that let it in.
      const middle = join(places.cellar.data, '..', 'middle');
      mkdirSync(middle);
      cpSync(places.cellar.data, middle, { recursive: true });
      const place = newPlace(node, middle);
      const kept = readdirSync(middle).find((name) => name.startsWith('books-of-')) ?? '';
      const from = kept.replace(/^books-of-|\.db$/g, '');
      renameSync(join(middle, 'books.db'), join(middle, 'books-joining.db'));
      renameSync(join(middle, kept), join(middle, 'books.db'));
      writeFileSync(join(middle, 'joining.json'), JSON.stringify({ from, to: shop }));
      const identity = JSON.parse(readFileSync(join(middle, 'identity.json'), 'utf8'));
      writeFileSync(join(middle, 'identity.json'), JSON.stringify({ ...identity, joinedShop: null }));
      for (const [name, to] of renamed) renameSync(join(middle, name), join(middle, to));
      const moved = await place.start('cellar', '--peer', bar.mesh);
      expect((await moved.status()).shop).toBe(shop);
      expect(existsSync(join(middle, 'joining.json'))).toBe(false);
      expect(await moved.hasTicket('before')).toBe(true);
      await equal(bar, moved);
    },
  );
});
