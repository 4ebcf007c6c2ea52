// Files of the outbox: on the disk when it says so, and shared by two programs without loss, which is a mistake that people make.

import * as fileSystem from 'node:fs/promises';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFileMedium } from '../../src/client/file-medium.ts';
import { createFiles, type FileHandle, type FileSystem, type Files } from '../../src/client/files.ts';
import type { OutboxMedium } from '../../src/client/outbox-medium.ts';

let folder = '';
const path = () => join(folder, 'outbox.jsonl');
const text = () => readFile(path(), 'utf8');

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tillmesh-files-'));
  await writeFile(path(), 'old\n');
});
afterEach(() => rm(folder, { recursive: true }));

type Hooks = { synced?: (opened: string) => unknown; renaming?: () => unknown; renamed?: () => unknown };

/** The real one, with something happening at a certain moment. */
function hooked({ synced, renaming, renamed }: Hooks): Files {
  const fs: FileSystem = {
    ...(fileSystem as unknown as FileSystem),
    async open(name, flags, mode) {
      const file = (await fileSystem.open(name, flags, mode)) as unknown as FileHandle;
      return {
        readFile: () => file.readFile(),
        writeFile: (data) => file.writeFile(data),
        read: (buffer, offset, length, position) => file.read(buffer, offset, length, position),
        stat: () => file.stat(),
        close: () => file.close(),
        async sync() {
          await file.sync();
          await synced?.(name);
        },
      };
    },
    async rename(from, to) {
      await renaming?.();
      await fileSystem.rename(from, to);
      await renamed?.();
    },
  };
  return createFiles(fs, process.pid);
}

const otherProgram = () => createFiles(fileSystem as unknown as FileSystem, 1);

describe('B1', () => {
  test('what is written is synced, and so is the folder of what is new', async () => {
    const synced: string[] = [];
    const files = hooked({ synced: (name) => synced.push(name) });
    await files.append(path(), 'new\n');
    expect(synced).toEqual([path()]);
    const fresh = join(folder, 'deep', 'fresh.jsonl');
    await files.append(fresh, 'new\n');
    expect(synced.slice(1)).toEqual([fresh, join(folder, 'deep/')]);
    await files.replace(path(), (before) => `${before}more\n`);
    expect(synced.slice(3)).toEqual([expect.stringMatching(/\.tmp$/), `${folder}/`]);
    expect(await text()).toBe('old\nnew\nmore\n');
  });

  test('another program replaces the file just while we append: it is written into the new one', async () => {
    let times = 0;
    const files = hooked({
      synced: async () => {
        times += 1;
        if (times === 1) await otherProgram().replace(path(), () => 'replaced\n');
      },
    });
    await files.append(path(), 'ours\n');
    expect(await text()).toContain('ours');
  });

  test('another program appends just while we replace: it is in the new one', async () => {
    const before = hooked({ renaming: () => appendFile(path(), 'theirs\n') });
    await before.replace(path(), () => 'ours\n');
    expect(await text()).toMatch(/ours[\s\S]*theirs/);
  });

  test('another program replaces it just while we do: what it has there stays', async () => {
    let isFirst = true;
    const files = hooked({
      synced: async (name) => {
        if (!name.endsWith('.tmp') || !isFirst) return;
        isFirst = false;
        await otherProgram().replace(path(), (before) => `${before}theirs\n`);
        await otherProgram().append(path(), 'and more\n');
      },
    });
    await files.replace(path(), (before) => before);
    expect(await text()).toBe('old\ntheirs\nand more\n');
    expect(await readdir(folder)).toEqual(['outbox.jsonl']);
  });

  test('one that cannot be replaced leaves nothing behind', async () => {
    const files = hooked({
      renaming: () => {
        throw new Error('EBUSY');
      },
    });
    await expect(files.replace(path(), () => 'ours\n')).rejects.toThrow('EBUSY');
    expect(await readdir(folder)).toEqual(['outbox.jsonl']);
    expect(await text()).toBe('old\n');
  });

  test('two programs with one file lose nothing of each other, though one writes it anew', async () => {
    const salesCount = 150;
    let replacedCount = 0;
    const real = otherProgram();
    const files = async (): Promise<Files> => ({
      ...real,
      replace: (path, change) => {
        replacedCount += 1;
        return real.replace(path, change);
      },
    });
    const [one, two] = [medium(files), medium(files)];
    await Promise.all([one.load(), two.load()]);
    const adds = (of: OutboxMedium, name: string) =>
      (async () => {
        for (let index = 0; index < salesCount; index += 1) {
          await of.add([ticket(`${name}-${index}`)]);
          const [dead] = await of.add([ticket('dead')]);
          await of.remove(dead?.key ?? '');
        }
      })();
    await Promise.all([adds(one, 'one'), adds(two, 'two')]);
    const found = new Set((await medium(files).load()).map((entry) => entry.ticket.id));
    found.delete('dead');
    expect(found.size).toBe(2 * salesCount);
    expect(replacedCount).toBeGreaterThan(6);
  });
});

let keyCount = 0;
const createKey = () => `key-${++keyCount}`;
const medium = (files: () => Promise<Files>) => createFileMedium({ files, createKey }, path(), 30);
const ticket = (id: string) => ({ id });
