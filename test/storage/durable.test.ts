// B1: what was answered is on disk; what failed is unknown until it was read back; a full disk is waited out.

import { cpSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/core/command.ts';
import { createOpenDatabase } from '../../src/edges/system.ts';
import type { OpenDatabase } from '../../src/ports.ts';
import { cannotMount, fillUp, mountTmpfs } from '../mounted.ts';
import { until } from '../waiting.ts';
import { createFaultyDisk, newFolder, type OpenedBooks, openBooks, rows, tryToOpen } from './opened.ts';

const synchronousOf = ({ storage }: OpenedBooks) => [
  storage.handle().database.pragma('synchronous', { simple: true }),
  storage.handle().database.pragma('journal_mode', { simple: true }),
];

const chain = ({ path }: OpenedBooks) =>
  rows<{ origin: string; head: number }>(path, 'SELECT origin, head FROM origins ORDER BY number');

describe('B2 an older copy', () => {
  const config = { starts: 1, home: 'here', chance: 0 };

  test('B2 is known by its file, and goes on above every epoch that was written under', async () => {
    const first = openBooks({ config });
    await first.sell('t-1');
    first.close();
    const { folder, signer, replicaId } = first;
    const again = openBooks({ folder, signer, config: { ...config, starts: 2 } });
    expect(again.storage.state().epoch).toBe(1);
    // A restart in order keeps the cursors of whoever follows what changes.
    expect(again.storage.feedId()).toBe(first.storage.feedId());
    again.close();
    cpSync(first.path, `${first.path}-copy`);
    renameSync(`${first.path}-copy`, first.path);
    // Fit in number of starts, as a backup made in the middle of a run is.
    const wroteUpTo = { origin: `${replicaId}.7`, number: 0 };
    const newFeedId = 'another';
    const copy = openBooks({ folder, signer, config: { ...config, starts: 3, epoch: 5, wroteUpTo, newFeedId } });
    expect(copy.storage.state().epoch).toBe(8);
    expect(copy.storage.feedId()).toBe(newFeedId);
  });
});

test('B2 books that held no word when they came into another shop are no copy at the start after', async () => {
  const config = { home: 'here', starts: 1 };
  const first = openBooks({ config });
  const second = first.reopen({ ...config, starts: 2, shop: 'zzzzzzzzzzzzzzzzzzzzzzzzzz' });
  await second.sell('t-1');
  const third = second.reopen({ ...config, starts: 3, shop: 'zzzzzzzzzzzzzzzzzzzzzzzzzz' });
  expect(third.storage.state().epoch).toBe(1);
});

describe('B1 at every opening', () => {
  test('B1 synchronous is FULL: of a new database, of one that was closed, and of one that was not', async () => {
    const first = openBooks();
    expect(synchronousOf(first)).toEqual([2, 'wal']);
    await first.sell('t-1');
    const second = first.reopen();
    expect(synchronousOf(second)).toEqual([2, 'wal']);
    await second.sell('t-2');
    expect(statSync(`${second.path}-wal`).size).toBeGreaterThan(0);
    const beside = openBooks({ folder: second.folder, signer: second.signer });
    expect(synchronousOf(beside)).toEqual([2, 'wal']);
  });

  test('B1 synchronous is FULL after a failed commit had it opened again', async () => {
    const disk = createFaultyDisk();
    const books = openBooks({ openDatabase: disk.openDatabase });
    disk.arm('commit fails');
    expect(await books.sell('t-1')).toMatchObject({ ok: false, code: 'outcome_unknown' });
    await until('it writes again', () => books.storage.trouble() === undefined);
    expect(synchronousOf(books)).toEqual([2, 'wal']);
  });

  test('B1 a database that will not have it is refused, and nothing was written', () => {
    const folder = newFolder();
    const stubborn: OpenDatabase = (path, options) => {
      const database = createOpenDatabase()(path, options);
      const pragma = database.pragma.bind(database);
      database.pragma = ((text: string, more?: object) =>
        pragma(text === 'synchronous = FULL' ? 'synchronous = NORMAL' : text, more)) as typeof database.pragma;
      return database;
    };
    const opened = tryToOpen({ folder, openDatabase: stubborn });
    expect(opened).toMatchObject({ code: 'not_durable', detail: expect.stringContaining('synchronous=FULL') });
    expect(rows(join(folder, 'books.db'), 'SELECT name FROM sqlite_master')).toEqual([]);
  });
});

describe('B1 nobody is answered', () => {
  test('B1 before COMMIT has returned, however many were gathered for it', async () => {
    const disk = createFaultyDisk();
    const books = openBooks({ openDatabase: disk.openDatabase });
    disk.ran.length = 0;
    const commits = () => disk.ran.filter((sql) => sql === 'COMMIT').length;
    const atAnswer = await Promise.all(
      Array.from({ length: 100 }, (_, index) => books.sell(`t-${index}`).then((outcome) => [outcome.ok, commits()])),
    );
    expect(new Set(atAnswer.map((answer) => JSON.stringify(answer)))).toEqual(new Set(['[true,1]']));
  });
});

describe('a commit that fails', () => {
  test.each(['commit fails', 'commit fails, yet is there'] as const)(
    'B1 B2 "%s": unknown to who asked; sent again it counts once; no number says two things',
    async (fault) => {
      const disk = createFaultyDisk();
      const books = openBooks({ openDatabase: disk.openDatabase });
      await books.sell('before');
      disk.arm(fault);
      const refused = await books.sell('doubtful');
      expect(refused).toMatchObject({ ok: false, code: 'outcome_unknown', detail: expect.stringContaining('same id') });
      await until('it writes again', () => books.storage.trouble() === undefined);
      await books.sell('between');
      expect(await books.sell('doubtful')).toMatchObject({ ok: true });
      expect(books.storage.books.counts()).toMatchObject({ tickets: 3, movements: 3 });
      expect(books.storage.books.stock('coffee')?.onHand).toBe(-3000);

      const isThere = fault === 'commit fails, yet is there';
      const origins = chain(books).map(({ origin, head }) => [origin.split('.')[1], head]);
      expect(origins).toEqual(
        isThere
          ? [['1', 3]]
          : [
              ['1', 1],
              ['2', 2],
            ],
      );
      const again = books.reopen();
      expect(again.storage.books.counts()).toMatchObject({ tickets: 3, movements: 3 });
      await again.sell('after');
      expect(chain(again).at(-1)?.head).toBe(isThere ? 4 : 3);
    },
  );

  test('B1 fails for all that were gathered in it, and for nobody else', async () => {
    const disk = createFaultyDisk();
    const books = openBooks({ openDatabase: disk.openDatabase });
    disk.arm('commit fails');
    const outcomes = await Promise.all(Array.from({ length: 300 }, (_, index) => books.sell(`t-${index}`)));
    const unknown = outcomes.filter((outcome) => !outcome.ok);
    expect(unknown).toHaveLength(256);
    expect(new Set(unknown.map((outcome) => !outcome.ok && outcome.code))).toEqual(new Set(['outcome_unknown']));
    const again = await Promise.all(Array.from({ length: 300 }, (_, index) => books.sell(`t-${index}`)));
    expect(again.every(({ ok }) => ok)).toBe(true);
    expect(books.storage.books.counts().tickets).toBe(300);
  });

  test('B1 again and again, mixed with good ones: all that was answered is there after a restart', async () => {
    const disk = createFaultyDisk();
    const books = openBooks({ openDatabase: disk.openDatabase });
    const answered: string[] = [];
    for (let round = 0; round < 30; round++) {
      if (round % 3 === 1) disk.arm(round % 2 === 0 ? 'commit fails' : 'commit fails, yet is there');
      if ((await books.sell(`t-${round}`)).ok) answered.push(`t-${round}`);
    }
    expect(answered.length).toBeGreaterThanOrEqual(20);
    const again = books.reopen();
    expect(answered.filter((id) => !again.storage.books.ticket(id))).toEqual([]);
    expect(again.storage.books.counts().movements).toBe(again.storage.books.counts().tickets);
  });
});

describe('a full disk', () => {
  test('B1 reads go on, writes are told so, and it goes on by itself when there is space', async () => {
    const disk = createFaultyDisk();
    const books = openBooks({ openDatabase: disk.openDatabase });
    await books.sell('before');
    disk.setFull(true);
    for (const id of ['full-1', 'full-2', 'full-3']) {
      const refused = await books.sell(id);
      expect(refused.ok || refused.code).toMatch(/disk_full|outcome_unknown|storage_unavailable/);
      expect(books.storage.books.ticket('before')?.id).toBe('before');
      expect(books.storage.books.counts().tickets).toBe(1);
    }
    disk.setFull(false);
    await until('it writes again', async () => (await books.sell('after')).ok);
    for (const id of ['full-1', 'full-2', 'full-3']) expect(await books.sell(id)).toMatchObject({ ok: true });
    expect(books.reopen().storage.books.counts()).toMatchObject({ tickets: 5, movements: 5 });
  });

  test('B1 for real: filled by something else, and freed again', async ({ skip }) => {
    const mounted = mountTmpfs('size=4m');
    if (!mounted) return skip(cannotMount);
    const books = openBooks({ folder: mounted.folder });
    await books.put('coffee', { name: 'Coffee' });
    const filler = join(mounted.folder, 'filler');
    fillUp(filler);
    const note = 'x'.repeat(3000);
    const answered: string[] = [];
    let refused: Outcome<unknown> | undefined;
    for (let count = 0; count < 2000 && !refused; count++) {
      const outcome = await books.sell(`t-${count}`, { note });
      if (outcome.ok) answered.push(`t-${count}`);
      else refused = outcome;
    }
    expect(refused).toMatchObject({ ok: false, code: expect.stringMatching(/disk_full|outcome_unknown/) });
    expect(books.storage.books.record('product', 'coffee')?.fields['/name']).toBe('Coffee');
    expect(answered.filter((id) => !books.storage.books.ticket(id))).toEqual([]);
    rmSync(filler);
    await until('it writes again', async () => (await books.sell('after')).ok);
    const again = books.reopen();
    expect([...answered, 'after'].filter((id) => !again.storage.books.ticket(id))).toEqual([]);
    again.close();
    expect(rows(again.path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  });
});
