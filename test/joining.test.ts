// Several appliances become one shop, on the built file, as an installer does it at the console; and disks that were copied
// or put back while nobody looked.

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
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ApplianceProcess, createApi, startAppliance } from '../src/demo/appliance-process.ts';
import { bun, type Ended, emptyFolderWithFile, node, type Runtime, runToEnd } from './built-file.ts';
import { until } from './waiting.ts';

const token = 'a-token-for-the-tests-of-joining';
const env = { TILLMESH_ADMIN_TOKEN: token };

type Peer = { id: string | null; name: string | null; trust: string; state: string; words: string; address: string };
type Status = {
  replicaId: string;
  words: string;
  shop: string;
  meshPort: number;
  connected: number;
  peers: Peer[];
  alarms: { code: string; detail: string }[];
};
type Digest = { heads: Record<string, number>; tickets: string };

type Place = {
  readonly data: string;
  start(name: string, ...args: string[]): Promise<Running>;
  run(...args: string[]): Promise<Ended>;
};
type Running = ApplianceProcess & {
  readonly mesh: string;
  status(): Promise<Status>;
  digest(): Promise<Digest>;
  sell(id: string): Promise<void>;
  hasTicket(id: string): Promise<boolean>;
};

function newPlace(runtime: Runtime = node, data?: string, more: Record<string, string> = {}): Place {
  const { folder, file, remove } = emptyFolderWithFile();
  onTestFinished(remove);
  const dataFolder = data ?? join(folder, 'tillmesh-data');
  return {
    data: dataFolder,
    run: (...args) =>
      runToEnd([runtime.path, file, ...args, '--data', dataFolder], { folder, env: { ...env }, msMax: 60_000 }),
    async start(name, ...args) {
      const ports = ['--port', '0', '--mesh-port', '0', '--no-mdns', '--log-level', 'error'];
      const words = [...ports, '--data', dataFolder, ...args];
      const process = await startAppliance([runtime.path, file], name, words, { ...env, ...more }, folder);
      onTestFinished(async () => void (await process.stop()));
      return running(process);
    },
  };
}

async function running(process: ApplianceProcess): Promise<Running> {
  const api = createApi(process.url, token);
  const status = () => api.get<Status>('/api/v1/p2p/status');
  const { meshPort } = await status();
  return {
    ...process,
    mesh: `127.0.0.1:${meshPort}`,
    status,
    digest: () => api.get<Digest>('/api/v1/digest'),
    sell: async (id) => void (await api.post('/api/v1/tickets', sale(id))),
    hasTicket: async (id) => (await fetch(`${process.url}/api/v1/tickets/${id}`, { headers: bearer })).status === 200,
  };
}

const bearer = { authorization: `Bearer ${token}` };
const post = (to: ApplianceProcess, path: string, body: object): Promise<Response> =>
  fetch(to.url + path, {
    method: 'POST',
    headers: { ...bearer, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const sale = (id: string) => ({
  id,
  currency: 'EUR',
  lines: [{ productId: 'coffee', name: 'Coffee', quantity: 1, unitPrice: 250, total: 250 }],
  payments: [{ method: 'cash', amount: 250 }],
  total: 250,
});

const equal = (...all: Running[]): Promise<void> =>
  until(
    `equal books at ${all.map(({ name }) => name).join(', ')}`,
    async () => {
      const digests = await Promise.all(all.map((one) => one.digest()));
      const texts = digests.map(({ heads, ...parts }) => JSON.stringify([Object.entries(heads).sort(), parts]));
      return new Set(texts).size === 1;
    },
    60_000,
  );

async function codeOf(place: Place): Promise<string> {
  const { stdout, code } = await place.run('join-code');
  expect(code).toBe(0);
  return stdout.split('\n')[0] ?? '';
}

/** Bar with a sale, and Cellar that joined it. */
async function openShop(runtime?: Runtime) {
  const places = { bar: newPlace(), cellar: newPlace(runtime) };
  const bar = await places.bar.start('bar');
  await bar.sell('before');
  const cellar = await places.cellar.start('cellar');
  const joined = await places.cellar.run('join', await codeOf(places.bar), '--peer', bar.mesh);
  expect(joined).toMatchObject({ code: 0, stderr: '' });
  expect(joined.stdout).toMatch(/Let in by bar[\s\S]*holds the whole books: 0 products, 0 customers, 1 tickets/);
  return { places, bar, cellar };
}

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

describe('an installer at the console', () => {
  test.each([node, bun].filter(({ isHere }) => isHere))(
    'B3 types a code on a second appliance ($name), which then holds the whole books',
    async (runtime) => {
      const { bar, cellar } = await openShop(runtime);
      await equal(bar, cellar);
      await cellar.sell('after');
      await until('sold at both', () => bar.hasTicket('after'));
      expect((await bar.status()).peers).toMatchObject([{ name: 'cellar', trust: 'trusted', state: 'connected' }]);
    },
  );

  test('types a code before the appliance was ever started', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const bar = await barPlace.start('bar');
    await bar.sell('before');
    const free = ['--port', '0', '--mesh-port', '0', '--host', '127.0.0.1', '--no-mdns'];
    const joined = await cellarPlace.run('join', await codeOf(barPlace), '--peer', bar.mesh, ...free);
    expect(joined).toMatchObject({ code: 0, stderr: '' });
    expect(joined.stdout).toContain('Joined.');
    const cellar = await cellarPlace.start('cellar');
    await equal(bar, cellar);
  });

  test('compares six words, and approves', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const [bar, cellar] = [await barPlace.start('bar'), await cellarPlace.start('cellar')];
    await bar.sell('before');
    const asking = cellarPlace.run('join', '--peer', bar.mesh);
    const { words } = await cellar.status();
    await until('Bar is asked', async () => (await bar.status()).alarms.some(({ code }) => code === 'approval_asked'));
    expect((await barPlace.run('status')).stdout).toContain(`asks to be let in; its words: ${words}`);
    expect(await barPlace.run('approve', words)).toMatchObject({ code: 0, stdout: 'cellar is approved.\n' });
    expect((await asking).stdout).toContain(`The words of that appliance are: ${(await bar.status()).words}`);
    await equal(bar, cellar);
  });

  test('is told what is wrong, and nothing is changed', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const [bar, cellar] = [await barPlace.start('bar'), await cellarPlace.start('cellar')];
    const { shop } = await cellar.status();
    const wrong = await cellarPlace.run('join', '4F7K-2M9P-QR3T-8XVA', '--peer', bar.mesh);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain(`This code is not known at ${bar.mesh}`);
    expect((await cellarPlace.run('join', 'ABC')).stderr).toContain('A join code has 16 letters and digits');
    expect((await cellarPlace.run('join')).stderr).toContain('give a join code, or name the appliance');
    await cellar.sell('mine');
    const code = await codeOf(barPlace);
    const withBooks = await cellarPlace.run('join', code, '--peer', bar.mesh);
    expect(withBooks.stderr).toContain('has books of its own (0 products, 0 customers, 1 tickets');
    expect((await cellar.status()).shop).toBe(shop);
    expect(await cellarPlace.run('join', code, '--peer', bar.mesh, '--bring-books')).toMatchObject({ code: 0 });
    await until('it came along', () => bar.hasTicket('mine'));
    await equal(bar, cellar);
    expect((await cellar.status()).alarms).toEqual([]);
    expect((await barPlace.run('approve', 'nobody')).stderr).toContain('no appliance "nobody" was seen');
  });

  test('brings no books along where there is no more than a token', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const bar = await barPlace.start('bar');
    await cellarPlace.start('cellar');
    await cellarPlace.run('token', 'admin');
    const joined = await cellarPlace.run('join', await codeOf(barPlace), '--peer', bar.mesh);
    expect(joined).toMatchObject({ code: 0, stderr: '' });
  });

  test('starts a member with another shop key, or with none, once the books hold a word', async () => {
    const place = newPlace(node, undefined, { TILLMESH_SHOP_KEY: 'k'.repeat(40) });
    const bar = await place.start('bar');
    const { shop } = await bar.status();
    await bar.sell('before');
    await bar.stop();
    for (const more of [{}, { TILLMESH_SHOP_KEY: 'l'.repeat(40) }] as Record<string, string>[]) {
      const again = await newPlace(node, place.data, more).start('bar');
      expect((await again.status()).shop).toBe(shop);
      await again.stop();
    }
  });

  test('B10 shuts out by its name an appliance that this one never met, and of two with one name either', async () => {
    const { places, bar, cellar } = await openShop();
    const [thiefPlace, atticPlace] = [newPlace(), newPlace()];
    const thief = await thiefPlace.start('cellar');
    await thiefPlace.run('join', await codeOf(places.bar), '--peer', bar.mesh);
    const { replicaId } = await thief.status();
    await thief.stop();
    const attic = await atticPlace.start('attic');
    await atticPlace.run('join', await codeOf(places.bar), '--peer', bar.mesh);
    await equal(bar, cellar, attic);
    expect((await atticPlace.run('revoke', 'cellar')).stderr).toContain('name it by its id');
    expect((await atticPlace.run('status')).stdout).toContain(`cellar (${replicaId})`);
    expect(await atticPlace.run('revoke', replicaId)).toMatchObject({ code: 0 });
    await until('known at Bar', async () =>
      (await bar.status()).peers.some(({ id, trust }) => id === replicaId && trust === 'revoked'),
    );
  });

  test('B10 shuts a stolen appliance out of the whole shop from any other', async () => {
    const { places, bar, cellar } = await openShop();
    const atticPlace = newPlace();
    const attic = await atticPlace.start('attic');
    expect(await atticPlace.run('join', await codeOf(places.cellar), '--peer', cellar.mesh)).toMatchObject({ code: 0 });
    await until('all linked', async () => (await bar.status()).connected + (await attic.status()).connected === 4);
    expect(await places.bar.run('revoke', 'attic')).toMatchObject({ code: 0 });
    await until('cut off', async () => (await attic.status()).connected === 0);
    await until('known at Cellar', async () =>
      (await cellar.status()).peers.some(({ name, trust }) => name === 'attic' && trust === 'revoked'),
    );
    await bar.sell('secret');
    await equal(bar, cellar);
    await attic.stop();
    const again = await atticPlace.start('attic', '--peer', bar.mesh);
    await until('it knocks', async () => (await bar.status()).alarms.some(({ code }) => code === 'revoked_peer'));
    expect(await again.hasTicket('secret')).toBe(false);
  });
});

describe('at once', () => {
  test('two of a shop answer a newcomer with the shop key: it joins and runs', async () => {
    const { places, bar, cellar } = await openShop();
    const answer = await fetch(`${bar.url}/api/v1/shop-key`, { method: 'POST', headers: bearer });
    const { key } = (await answer.json()) as { key: string };
    expect((await places.bar.run('shop-key')).stdout).toBe(`${key}\n`);
    await until('the key is known at Cellar', async () => (await places.cellar.run('shop-key')).stdout === `${key}\n`);
    const attic = await newPlace(node, undefined, { TILLMESH_SHOP_KEY: key }).start(
      'attic',
      '--peer',
      bar.mesh,
      '--peer',
      cellar.mesh,
    );
    await equal(bar, cellar, attic);
  });

  test('two that are set up with the shop key, and meet each other first, come to the shop that has it', async () => {
    const bar = await newPlace().start('bar');
    await bar.sell('before');
    const { key } = (await (await post(bar, '/api/v1/shop-key', {})).json()) as { key: string };
    const more = { TILLMESH_SHOP_KEY: key };
    const cellar = await newPlace(node, undefined, more).start('cellar');
    const attic = await newPlace(node, undefined, more).start('attic', '--peer', cellar.mesh);
    await until('the two are linked', async () => (await cellar.status()).connected === 1);
    for (const one of [cellar, attic]) await post(one, '/api/v1/peers', { address: bar.mesh });
    await equal(bar, cellar, attic);
  });

  test('two requests for a new identity leave one appliance that runs', async () => {
    const bar = await newPlace().start('bar');
    const before = (await bar.status()).replicaId;
    const renew = async () => {
      const response = await fetch(`${bar.url}/api/v1/identity/renew`, { method: 'POST', headers: bearer });
      return response.status;
    };
    expect((await Promise.all([renew(), renew()])).sort()).toEqual([202, 503]);
    await until('another one', async () => (await bar.status()).replicaId !== before);
    await bar.sell('after');
  });

  test('a stranger that calls itself by the words of another is not approved in its place', async () => {
    const [barPlace, wantedPlace] = [newPlace(), newPlace()];
    const [bar, wanted] = [await barPlace.start('bar'), await wantedPlace.start('wanted')];
    const { words } = await wanted.status();
    const evil = await newPlace().start(words, '--peer', bar.mesh);
    const { replicaId } = await evil.status();
    const ofEvil = async () => (await bar.status()).peers.find(({ id }) => id === replicaId);
    const { replicaId: barId } = await bar.status();
    await until('seen', async () => (await evil.status()).peers.some(({ id }) => id === barId));
    await post(evil, '/api/v1/join', { peer: barId });
    await until('it asks', async () => (await ofEvil())?.name === words);
    expect(await barPlace.run('approve', words)).toMatchObject({ code: 1 });
    expect((await ofEvil())?.trust).toBe('pending');
  });
});

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
