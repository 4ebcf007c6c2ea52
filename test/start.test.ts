// Starts that cannot be, on the built file: one clear line on standard error, exit 1, and the folder as it was, byte for
// byte. And what was acknowledged before a kill is there after it.

import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ApplianceProcess, createApi, getAll, startAppliance } from '../src/demo/appliance-process.ts';
import { type Ended, emptyFolderWithFile, node, runToEnd } from './built-file.ts';
import { cannotMount, fillUp, mountTmpfs } from './mounted.ts';

const token = 'a-token-for-the-tests-of-start';
const freePorts = ['--port', '0', '--mesh-port', '0', '--no-mdns'];

type Place = {
  readonly folder: string;
  readonly data: string;
  run(...args: string[]): Promise<Ended>;
  start(...args: string[]): Promise<ApplianceProcess>;
};

function newPlace(data?: string): Place {
  const { folder, file, remove } = emptyFolderWithFile();
  onTestFinished(remove);
  const dataFolder = data ?? join(folder, 'tillmesh-data');
  const all = (args: string[]) => [...freePorts, '--data', dataFolder, ...args];
  return {
    folder,
    data: dataFolder,
    run: (...args) => runToEnd([node.path, file, ...all(args)], { folder, env: { TILLMESH_ADMIN_TOKEN: token } }),
    async start(...args) {
      const quiet = [...all(args), '--log-level', 'warn'];
      const appliance = await startAppliance([node.path, file], 'till', quiet, { TILLMESH_ADMIN_TOKEN: token }, folder);
      onTestFinished(() => void appliance.stop());
      return appliance;
    },
  };
}

const sale = (id: string) => ({
  id,
  currency: 'EUR',
  lines: [{ productId: 'coffee', name: 'Coffee', quantity: 1, unitPrice: 250, total: 250 }],
  payments: [{ method: 'cash', amount: 250 }],
  total: 250,
});

/** A place with a shop's books in it, stopped in order. */
async function usedPlace(data?: string): Promise<Place> {
  const place = newPlace(data);
  const appliance = await place.start();
  await createApi(appliance.url, token).post('/api/v1/tickets', sale('kept'));
  expect(await appliance.stop()).toBe(0);
  return place;
}

/** Every name below a folder, with rights, size and content. */
function contents(folder: string): string[] {
  if (!existsSync(folder)) return ['nothing'];
  return readdirSync(folder, { recursive: true })
    .map(String)
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const stat = lstatSync(path);
      const hash = stat.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
      return `${name} ${stat.mode.toString(8)} ${stat.isFile() ? stat.size : ''} ${hash}`;
    });
}

/** Runs it, and looks at all that is promised of a start that fails. */
async function expectRefused(place: Place, args: string[], ...words: string[]): Promise<void> {
  const before = contents(place.data);
  const ended = await place.run(...args);
  expect(ended).toMatchObject({ code: 1, stdout: '' });
  expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(ended.stderr).toMatch(/^tillmesh: /);
  for (const word of words) expect(ended.stderr).toContain(word);
  expect(contents(place.data)).toEqual(before);
}

/** What was sold before is there, and it sells on. */
async function expectGoesOn(place: Place): Promise<void> {
  const appliance = await place.start();
  const admin = createApi(appliance.url, token);
  expect(await admin.get('/api/v1/tickets/kept')).toMatchObject({ id: 'kept' });
  await admin.post('/api/v1/tickets', sale('after'));
  expect(await appliance.stop()).toBe(0);
}

async function occupiedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  onTestFinished(() => void server.close());
  return String((server.address() as AddressInfo).port);
}

test('a first start that was cut off before its books held a byte is begun again', async () => {
  const place = await usedPlace();
  const path = join(place.data, 'identity.json');
  const identity = JSON.parse(readFileSync(path, 'utf8'));
  for (const [starts, isRefused] of [
    [1, true],
    [0, false],
  ] as const) {
    writeFileSync(path, JSON.stringify({ ...identity, starts }));
    for (const name of readdirSync(place.data)) if (name.startsWith('books.db')) rmSync(join(place.data, name));
    writeFileSync(join(place.data, 'books.db'), '');
    if (isRefused) expect((await place.run('start')).stderr).toContain('its books are lost');
    else await (await place.start()).stop();
  }
});

describe('refused, with nothing changed', () => {
  test.each(['--port', '--mesh-port'])('%s in use, on books that are in use', async (flag) => {
    const place = await usedPlace();
    const port = await occupiedPort();
    await expectRefused(place, [flag, port], `port ${port} is in use`, flag);
    await expectGoesOn(place);
  });

  test('a second instance, while the first sells on', async () => {
    const place = await usedPlace();
    const first = await place.start();
    const ended = await place.run();
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr.trimEnd().split('\n')).toEqual([
      expect.stringContaining('another instance runs on the data folder'),
    ]);
    await createApi(first.url, token).post('/api/v1/tickets', sale('meanwhile'));
    await first.stop();
    await expectGoesOn(place);
  });

  test('a data folder that is mounted read-only, with books and without', async ({ skip }) => {
    const mounted = mountTmpfs('size=32m');
    if (!mounted) return skip(cannotMount);
    const place = await usedPlace(join(mounted.folder, 'data'));
    mounted.remount('ro');
    await expectRefused(place, [], place.data, 'may write');
    await expectRefused(newPlace(join(mounted.folder, 'other')), [], 'EROFS', '--data');
    mounted.remount('rw');
    await expectGoesOn(place);
  });

  test('a disk that is full, with books on it; when there is space again it goes on', async ({ skip }) => {
    const mounted = mountTmpfs('size=32m');
    if (!mounted) return skip(cannotMount);
    const place = await usedPlace(join(mounted.folder, 'data'));
    const filler = join(mounted.folder, 'filler');
    fillUp(filler);
    await expectRefused(place, [], place.data, 'free some space');
    rmSync(filler);
    await expectGoesOn(place);
  });

  test.each([0, 1, 64, 128])(
    'a disk that is full at the first start (%i KiB left): nothing is left that hinders the next',
    async (left) => {
      const mounted = mountTmpfs('size=16m');
      if (!mounted) return console.warn(cannotMount);
      const place = newPlace(join(mounted.folder, 'deep/er/data'));
      const filler = join(mounted.folder, 'filler');
      fillUp(filler);
      truncateSync(filler, Math.max(0, lstatSync(filler).size - left * 1024));
      const before = contents(mounted.folder);
      const ended = await place.run();
      expect(ended).toMatchObject({ code: 1, stdout: '' });
      expect(ended.stderr).toContain('free some space');
      expect(contents(mounted.folder)).toEqual(before);
      rmSync(filler);
      const appliance = await place.start();
      await createApi(appliance.url, token).post('/api/v1/tickets', sale('kept'));
      await appliance.stop();
      await expectGoesOn(place);
    },
  );

  test('a database cut to half', async () => {
    const place = await usedPlace();
    const path = join(place.data, 'books.db');
    truncateSync(path, lstatSync(path).size / 2);
    await expectRefused(place, [], 'books.db', 'damaged', 'backup');
  });

  test('a database of no bytes beside an identity: the books are lost, and that is said; without the file it begins anew', async () => {
    const place = await usedPlace();
    writeFileSync(join(place.data, 'books.db'), '');
    await expectRefused(place, [], 'books.db', 'empty', 'backup');
    rmSync(join(place.data, 'books.db'));
    const appliance = await place.start();
    await createApi(appliance.url, token).post('/api/v1/tickets', sale('anew'));
    const { heads } = await createApi(appliance.url, token).get<{ heads: Record<string, number> }>('/api/v1/digest');
    expect(Number(Object.keys(heads)[0]?.split('.')[1])).toBeGreaterThan(1000);
  });

  test.each<[string, string | null, string]>([
    ['empty', '', 'JSON'],
    ['cut short', null, 'JSON'],
    ['of another kind', '{"version":1,"privateKey":"none","ownShop":"abcdefghijklmnopqrstuvwxyz"}', 'private key'],
    ['of a newer version', '{"version":99}', 'newer'],
  ])('an identity.json that is %s; the copy put back, it goes on', async (_what, text, word) => {
    const place = await usedPlace();
    const path = join(place.data, 'identity.json');
    const good = readFileSync(path, 'utf8');
    writeFileSync(path, text ?? good.slice(0, good.length / 2));
    await expectRefused(place, [], 'identity.json', word);
    writeFileSync(path, good);
    await expectGoesOn(place);
  });

  test.each<[string[], string]>([
    [['--port', '70000'], '--port'],
    [['--port', '-1'], '--port'],
    [['--mesh-port', '3.5'], '--mesh-port'],
    [['--peer', 'no port'], '--peer'],
    [['--rate-limit', 'perhaps'], '--rate-limit'],
    [['--log-level', 'loud'], '--log-level'],
    [['--host', 'not an address'], '--host'],
  ])('a bad value: %j', async (args, word) => {
    await expectRefused(newPlace(), args, word);
  });

  test('a config.json that is no JSON, and one with a bad value', async () => {
    const place = newPlace();
    mkdirSync(place.data);
    for (const [text, word] of [
      ['{"port": ', 'JSON'],
      ['{"logLevel": "loud"}', 'logLevel'],
      ['[]', 'config.json'],
    ] as const) {
      writeFileSync(join(place.data, 'config.json'), text);
      await expectRefused(place, [], 'config.json', word);
    }
  });
});

describe('killed', () => {
  test('B1 B2 with SIGKILL in a burst of sales, three times: every acknowledged ticket is there, once', async () => {
    const place = newPlace();
    const acknowledged = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const appliance = await place.start();
      const till = async (name: string): Promise<void> => {
        for (let number = 0; ; number++) {
          const id = `${round}-${name}-${number}`;
          const response = await put(appliance.url, id).catch(() => undefined);
          if (!response?.ok) return;
          acknowledged.add(id);
          if (acknowledged.size === 150 * (round + 1)) appliance.kill();
        }
      };
      await Promise.all(Array.from({ length: 16 }, (_, index) => till(`till${index}`)));
      await appliance.stop();
    }
    expect(acknowledged.size).toBeGreaterThanOrEqual(450);
    const appliance = await place.start();
    const admin = createApi(appliance.url, token);
    const tickets = await getAll<{ id: string }>(admin, '/api/v1/tickets');
    const ids = new Set(tickets.map(({ id }) => id));
    expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([]);
    expect(tickets.length).toBe(ids.size);
    expect(await admin.get('/api/v1/stock/coffee')).toMatchObject({ onHand: -tickets.length });
    for (const id of acknowledged) expect((await put(appliance.url, id)).status).toBe(200);
    expect((await getAll(admin, '/api/v1/tickets')).length).toBe(tickets.length);
  });
});

const put = (url: string, id: string): Promise<Response> =>
  fetch(`${url}/api/v1/tickets/${id}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(sale(id)),
    signal: AbortSignal.timeout(10_000),
  });
