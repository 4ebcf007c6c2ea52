// What every medium of the outbox promises, asked of each; then what is the file's own.

import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFileMedium } from '../../src/client/file-medium.ts';
import { type Files, openFiles } from '../../src/client/files.ts';
import { createIndexedDbMedium } from '../../src/client/indexed-db-medium.ts';
import { createMemoryMedium, type Entry, type OutboxMedium } from '../../src/client/outbox-medium.ts';
import { createFakeIndexedDb } from './fake-indexed-db.ts';

const rejection = { code: 'malformed', detail: 'A line is odd.', rejectedAt: 7, isFinal: true };
const ticket = (id: string) => ({ id, lines: [{ name: 'Tea "hot"\n' }] });
const idsOf = (entries: readonly Entry[]) => entries.map((entry) => entry.ticket.id);

let folder = '';
let keyCount = 0;
const createKey = () => `key-${++keyCount}`;
const nodeFiles = () => openFiles('node:fs/promises', process.pid);
const fileMedium = (path: string, files: () => Promise<Files> = nodeFiles) =>
  createFileMedium({ files, createKey }, path, deadLines);
const deadLines = 30;
const outboxPath = () => join(folder, 'deep', 'outbox.jsonl');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tillmesh-outbox-'));
});
afterEach(() => rm(folder, { recursive: true }));

const media: { name: string; open: () => () => OutboxMedium }[] = [
  {
    name: 'memory',
    open: () => {
      const medium = createMemoryMedium();
      return () => medium;
    },
  },
  {
    name: 'file',
    open: () => () => fileMedium(outboxPath()),
  },
  {
    name: 'IndexedDB',
    open: () => {
      const factory = createFakeIndexedDb();
      return () => createIndexedDbMedium(factory, 'tillmesh', createKey);
    },
  },
];

describe.each(media)('B1 $name', ({ open }) => {
  test('what was added is there when it is opened again, in order', async () => {
    const again = open();
    const medium = again();
    expect(await medium.load()).toEqual([]);
    const added = [...(await medium.add([ticket('a'), ticket('b')])), ...(await medium.add([ticket('c')]))];
    expect(idsOf(added)).toEqual(['a', 'b', 'c']);
    expect(new Set(added.map(({ key }) => key)).size).toBe(3);
    medium.close();
    expect(await again().load()).toEqual(added);
  });

  test('only what is removed goes', async () => {
    const again = open();
    const medium = again();
    const [a, b] = await medium.add([ticket('a'), ticket('b')]);
    await medium.remove(a?.key ?? '');
    await medium.remove('never-there');
    expect(await again().load()).toEqual([b]);
  });

  test('what is rejected keeps its reason, and what is gone is not rejected', async () => {
    const again = open();
    const medium = again();
    const [a, b] = await medium.add([ticket('a'), ticket('b')]);
    await medium.remove(b?.key ?? '');
    await medium.reject(a?.key ?? '', rejection);
    await medium.reject(b?.key ?? '', rejection);
    expect(await again().load()).toEqual([{ ...a, rejection }]);
  });

  test('what is sent anew stands behind all others, under a key that was never used', async () => {
    const again = open();
    const medium = again();
    const [a, b] = await medium.add([ticket('a'), ticket('b')]);
    await medium.reject(a?.key ?? '', rejection);
    const renewed = await medium.renew(a?.key ?? '', { ...ticket('a'), total: 5 });
    expect(await again().load()).toEqual([
      b,
      { key: renewed.key, ticket: { ...ticket('a'), total: 5 }, rejection: null },
    ]);
    expect([a?.key, b?.key]).not.toContain(renewed.key);
  });

  test('what is adopted keeps its key and its refusal, behind all others, and is adopted once', async () => {
    const again = open();
    const medium = again();
    const [a] = await medium.add([ticket('a')]);
    const adopted: Entry[] = [
      { key: 'from-elsewhere-1', ticket: ticket('b'), rejection },
      { key: 'from-elsewhere-2', ticket: ticket('c'), rejection: null },
    ];
    await medium.adopt(adopted);
    await medium.adopt(adopted);
    expect(await again().load()).toEqual([a, ...adopted]);
    await medium.load();
    await medium.remove('from-elsewhere-1');
    expect(idsOf(await again().load())).toEqual(['a', 'c']);
  });

  test('appliances are remembered', async () => {
    const again = open();
    const medium = again();
    expect(await medium.recall()).toBeUndefined();
    const appliances = [{ id: 'a', isConnected: true, urls: ['http://a'] }];
    await medium.remember(appliances);
    expect(await again().recall()).toEqual(appliances);
  });
});

describe('B1 the file', () => {
  test('a torn last line was promised to nobody, and harms none before or after it', async () => {
    const medium = fileMedium(outboxPath());
    const added = await medium.add([ticket('a'), ticket('b')]);
    const whole = await readFile(outboxPath(), 'utf8');
    const last = whole.trimEnd().lastIndexOf('\n') + 1;
    // Torn at every place where a power cut may tear it.
    for (let length = last; length <= whole.length; length += 1) {
      await writeFile(outboxPath(), whole.slice(0, length));
      const reopened = fileMedium(outboxPath());
      const found = await reopened.load();
      expect(idsOf(found)).toEqual(length >= whole.trimEnd().length ? ['a', 'b'] : ['a']);
      await reopened.add([ticket('c')]);
      expect(idsOf(await fileMedium(outboxPath()).load())).toEqual([...idsOf(found), 'c']);
    }
    expect(added).toHaveLength(2);
  });

  test('B8 it does not grow with what was sent', async () => {
    const medium = fileMedium(outboxPath());
    const [kept] = await medium.add([ticket('kept')]);
    for (let index = 0; index < deadLines; index += 1) {
      const [entry] = await medium.add([ticket(`t-${index}`)]);
      await medium.remove(entry?.key ?? '');
    }
    const lines = (await readFile(outboxPath(), 'utf8')).split('\n').filter((line) => line !== '');
    expect(lines.length).toBeLessThan(deadLines + 5);
    expect(await fileMedium(outboxPath()).load()).toEqual([kept]);
    expect(await readdir(join(folder, 'deep'))).toEqual(['outbox.jsonl']);
  });

  test('lines that nobody can read are kept as they are', async () => {
    const medium = fileMedium(outboxPath());
    await medium.add([ticket('a')]);
    await appendFile(outboxPath(), 'not ours\n');
    const reopened = fileMedium(outboxPath());
    for (let index = 0; index < deadLines; index += 1) {
      const [entry] = await reopened.add([ticket('dead')]);
      await reopened.remove(entry?.key ?? '');
    }
    const lines = (await readFile(outboxPath(), 'utf8')).split('\n');
    expect(lines.length).toBeLessThan(3 * deadLines);
    expect(lines).toContain('not ours');
  });

  test('what could not be written is told, is not there afterwards, and what is written next is', async () => {
    const real = await nodeFiles();
    let isFull = false;
    const files: Files = {
      ...real,
      async append(path, text) {
        if (!isFull) return real.append(path, text);
        // All of it came to the disk, and yet it is an error; or half of it.
        await appendFile(path, text.includes('"b"') ? text : text.slice(0, text.length / 2));
        throw new Error('ENOSPC');
      },
    };
    const medium = fileMedium(outboxPath(), async () => files);
    await medium.add([ticket('a')]);
    isFull = true;
    await expect(medium.add([ticket('b')])).rejects.toThrow('ENOSPC');
    isFull = false;
    await medium.add([ticket('c')]);
    expect(idsOf(await medium.load())).toContain('a');
    expect(idsOf(await fileMedium(outboxPath()).load())).toEqual(['a', 'c']);
  });

  test('a refused ticket that could not be sent anew is not lost by it, whatever came to the disk', async () => {
    const real = await nodeFiles();
    const files: Files = {
      ...real,
      async append(path, text) {
        await real.append(path, text);
        if (text.includes('renewed')) throw new Error('EIO');
      },
    };
    const medium = fileMedium(outboxPath(), async () => files);
    const [a] = await medium.add([ticket('a')]);
    await medium.reject(a?.key ?? '', rejection);
    await expect(medium.renew(a?.key ?? '', ticket('a'))).rejects.toThrow('EIO');
    await medium.add([ticket('b')]);
    expect(idsOf(await fileMedium(outboxPath()).load())).toEqual(['a', 'b']);
  });

  test('a crash while it is written anew leaves the old one, and it opens though that fails', async () => {
    const real = await nodeFiles();
    let crashCount = 0;
    const files: Files = {
      ...real,
      replace: async (path, change) => {
        crashCount += 1;
        await writeFile(`${path}.1.tmp`, change(await readFile(path, 'utf8')).slice(0, 20));
        throw new Error('power cut');
      },
    };
    const medium = fileMedium(outboxPath());
    await medium.add([ticket('kept')]);
    for (let index = 0; index < deadLines / 2; index += 1) {
      const [entry] = await medium.add([ticket('dead')]);
      await medium.remove(entry?.key ?? '');
    }
    await medium.remove('x');
    const crashing = fileMedium(outboxPath(), async () => files);
    expect(idsOf(await crashing.load())).toEqual(['kept']);
    expect(crashCount).toBe(1);
    expect(idsOf(await fileMedium(outboxPath()).load())).toEqual(['kept']);
  });

  test('one that cannot be written anew, mounted by itself, goes on being appended to, and opens', async () => {
    const real = await nodeFiles();
    let triedCount = 0;
    const files: Files = {
      ...real,
      replace: async () => {
        triedCount += 1;
        throw new Error('EBUSY');
      },
    };
    const medium = fileMedium(outboxPath(), async () => files);
    for (let index = 0; index < 3 * deadLines; index += 1) {
      const [entry] = await medium.add([ticket('dead')]);
      await medium.remove(entry?.key ?? '');
    }
    await medium.add([ticket('kept')]);
    // Tried again now and then, not each time.
    expect(triedCount).toBeGreaterThan(1);
    expect(triedCount).toBeLessThan(8);
    const restarted = fileMedium(outboxPath(), async () => files);
    expect(idsOf(await restarted.load())).toEqual(['kept']);
    await restarted.add([ticket('and more')]);
    expect(idsOf(await fileMedium(outboxPath()).load())).toEqual(['kept', 'and more']);
  });

  test('a file that cannot be written is told', async () => {
    await writeFile(join(folder, 'file'), '');
    const medium = fileMedium(join(folder, 'file', 'outbox.jsonl'));
    await expect(medium.add([ticket('a')])).rejects.toThrow();
  });
});
