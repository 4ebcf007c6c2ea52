// Snapshots at the level of files: what one holds, that it is of one moment, and the swap of one database for another,
// cut between any two of its steps.

import { copyFileSync, cpSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assets } from '../../src/assets.ts';
import { snapshotSpareBytes } from '../../src/core/limits.ts';
import type { SnapshotFacts } from '../../src/core/snapshot.ts';
import { systemBulk } from '../../src/edges/bulk.ts';
import { adoptBooks } from '../../src/storage/adopt.ts';
import { appendLocal } from '../../src/storage/append.ts';
import { type Made, type MakeFailure, type Making, makeSnapshot } from '../../src/storage/make-snapshot.ts';
import type { OpenFailure } from '../../src/storage/open.ts';
import { asidePath, incomingPath, madePath, swapSteps } from '../../src/storage/snapshot-files.ts';
import { applianceTables, booksTables, tablesOf } from '../../src/storage/snapshot-tables.ts';
import { statementDrafts } from '../../src/storage/voids.ts';
import { createHeldBulk } from '../mesh/snapshots.ts';
import { until } from '../waiting.ts';
import {
  carry,
  edit,
  isOpened,
  newFolder,
  type OpenedBooks,
  openBooks,
  recheckAll,
  rows,
  shop,
  tryToOpen,
} from './opened.ts';

function begin(books: OpenedBooks, done: (made: Made | MakeFailure) => void): Making | MakeFailure {
  const { ports, storage, replicaId } = books;
  return makeSnapshot(ports, storage, { shop, replicaId, schema: storage.schema }, done);
}

function begun(books: OpenedBooks, done: (made: Made | MakeFailure) => void): Making {
  const making = begin(books, done);
  if ('ok' in making) throw new Error(making.detail);
  return making;
}

const made = (books: OpenedBooks): Promise<Made | MakeFailure> =>
  new Promise((resolve) => {
    const making = begin(books, resolve);
    if ('ok' in making) resolve(making);
  });

async function madeWell(books: OpenedBooks): Promise<Made> {
  const result = await made(books);
  if (!result.ok) throw new Error(result.detail);
  return result;
}

/** The snapshot of one, laid where another takes it from. */
async function handOver(from: OpenedBooks, to: OpenedBooks): Promise<Made> {
  const snapshot = await madeWell(from);
  copyFileSync(madePath(from.path), incomingPath(to.path));
  return snapshot;
}

/** What a newcomer does with it; undefined when it went well. */
async function taken(books: OpenedBooks, facts: SnapshotFacts, maker: string): Promise<OpenFailure | undefined> {
  const failed = await new Promise<OpenFailure | undefined>((resolve) => books.storage.inspect(facts, resolve));
  return failed ?? books.storage.replaceBooks(maker, 'anew');
}

async function sellMany(books: OpenedBooks, prefix: string, count = 50): Promise<void> {
  for (let index = 0; index < count; index++) await books.sell(`${prefix}-${index}`);
}

const ticketsOf = (books: OpenedBooks): number => books.storage.books.counts().tickets;

describe('B3 a snapshot', () => {
  test('knows of every table whether it is of the books or of one appliance', () => {
    const { storage } = openBooks();
    expect(tablesOf(storage.handle().database)).toEqual([...booksTables, ...applianceTables].sort());
  });

  test('is of one moment: what is sold and checkpointed while it is copied is not in it, and none of it waits', async () => {
    const books = openBooks();
    await sellMany(books, 'before');
    const digests = books.storage.books.digests();
    const making = madeWell(books);
    await sellMany(books, 'meanwhile', 500);
    books.storage.handle().database.pragma('wal_checkpoint(PASSIVE)');
    expect(ticketsOf(books)).toBe(550);
    const { facts, manifest } = await making;
    expect(facts.digests).toEqual(digests);
    expect(rows(madePath(books.path), 'SELECT id FROM tickets')).toHaveLength(50);
    expect(JSON.parse(manifest)).toMatchObject({ maker: books.replicaId, digests });
    expect(rows(books.path, 'SELECT id FROM tickets')).toHaveLength(550);
  });

  test('tells nothing of its maker alone, not even in pages that are free', async () => {
    const books = openBooks();
    await books.sell('sold');
    books.storage.note(({ database, statements }) => {
      database.prepare("INSERT INTO static_peers VALUES ('secret-place:3031')").run();
      statements.setMeta.run('mesh_enabled', '"secret-switch"');
      statements.addEvidence.run(0, 'o', 1, 'secret-reason', new Uint8Array(20_000));
    });
    await madeWell(books);
    const bytes = readFileSync(madePath(books.path)).toString('latin1');
    expect(bytes).toContain('sold');
    expect(bytes).not.toMatch(/secret/);
    expect(rows(books.path, 'SELECT address FROM static_peers')).toHaveLength(1);
  });

  test('is made again and again of a database that goes on being written, each of its own moment', async () => {
    const books = openBooks();
    for (let round = 1; round <= 3; round++) {
      await sellMany(books, `round-${round}`, 20);
      const { facts, file } = await madeWell(books);
      file.close();
      expect(Object.values(facts.heads)).toEqual([20 * round]);
    }
  });

  test('B8 tells how far it is in bytes of its file: twice as many, of the largest books, would be no message', async () => {
    const books = openBooks();
    await sellMany(books, 'sold');
    let making: Making | undefined;
    const result = await new Promise<Made | MakeFailure>((resolve) => {
      making = begun(books, resolve);
      expect(making.bytesDone()).toBe(0);
    });
    const { size } = statSync(books.path);
    expect(result).toMatchObject({ ok: true, bytes: size });
    expect([making?.bytes, making?.bytesDone()]).toEqual([size, size]);
  });

  test('B8 is not made where there is no room, nor two at once; nothing is left behind', async () => {
    const bulk = { ...systemBulk, freeBytes: () => snapshotSpareBytes };
    const books = openBooks({ bulk });
    expect(await made(books)).toMatchObject({ ok: false, detail: expect.stringContaining('no room') });
    expect(existsSync(madePath(books.path))).toBe(false);
    const other = openBooks();
    const first = madeWell(other);
    expect(await made(other)).toMatchObject({ ok: false });
    await first;
  });
});

describe('B7 a snapshot that is left in the making', () => {
  test('keeps the database frozen no longer, and what its disk answers late does not meet the next one', async () => {
    const held = createHeldBulk();
    const books = openBooks({ bulk: held.bulk });
    await sellMany(books, 'sold');
    held.hold(({ file }) => file.endsWith('.snapshot'));
    const left = begun(books, () => expect.unreachable('it was left'));
    await until('being written', () => held.heldCount() > 0);
    left.cancel();
    expect(existsSync(madePath(books.path))).toBe(false);
    const next = madeWell(books);
    held.goOn();
    const { facts } = await next;
    const newcomer = openBooks();
    copyFileSync(madePath(books.path), incomingPath(newcomer.path));
    expect(await taken(newcomer, facts, books.replicaId)).toBe(undefined);
    expect(ticketsOf(newcomer)).toBe(50);
  });
});

describe('B1 books that are replaced', () => {
  async function pair(): Promise<{ maker: OpenedBooks; newcomer: OpenedBooks }> {
    const [maker, newcomer] = [openBooks(), openBooks()];
    await sellMany(maker, 'maker');
    await newcomer.sell('own');
    return { maker, newcomer };
  }

  test('hold all of both, and count as unchecked until they were looked through, also after a restart', async () => {
    const { maker, newcomer } = await pair();
    const { facts } = await handOver(maker, newcomer);
    expect(await taken(newcomer, facts, maker.replicaId)).toBe(undefined);
    expect(ticketsOf(newcomer)).toBe(51);
    expect((await newcomer.sell('after')).ok).toBe(true);
    carry(newcomer, maker);
    expect(maker.storage.books.digests()).toEqual(newcomer.storage.books.digests());
    expect(newcomer.storage.handle().feedId).toBe('anew');
    const again = newcomer.reopen();
    expect(again.storage.uncheckedFrom()).toBe(maker.replicaId);
    expect(await new Promise((resolve) => again.storage.recheck(resolve))).toBe(undefined);
    expect(again.storage.uncheckedFrom()).toBe('');
    expect([existsSync(asidePath(again.path)), existsSync(incomingPath(again.path))]).toEqual([false, false]);
  });

  test('are not, when they do not show the history that is held here', async () => {
    const { maker, newcomer } = await pair();
    const folder = newFolder();
    carry(maker, newcomer);
    // The maker's disk is put back to before, and it goes on under the same numbers.
    const { signer } = maker;
    const other = openBooks({ folder, signer });
    await sellMany(other, 'otherwise', 60);
    const { facts } = await handOver(other, newcomer);
    const failed = await taken(newcomer, facts, maker.replicaId);
    expect(failed?.detail).toContain('does not show the history');
    expect(ticketsOf(newcomer)).toBe(51);
    expect((await newcomer.sell('goes-on')).ok).toBe(true);
  });

  test.each([
    ['no database', (path: string) => writeFileSync(path, 'x'.repeat(9000))],
    ['a file cut short', (path: string) => truncateSync(path, 16_384)],
    ['an empty file', (path: string) => writeFileSync(path, '')],
    ['books of another shop', (path: string) => edit(path, `UPDATE meta SET value = '"zzz"' WHERE key = 'shop'`)],
    [
      'one with a trigger in it',
      (path: string) => edit(path, 'CREATE TRIGGER t AFTER INSERT ON ops BEGIN DELETE FROM tickets; END'),
    ],
    [
      'one that closes an origin whose author has said nothing',
      (path: string) => edit(path, "INSERT OR REPLACE INTO meta SELECT 'voids', json_object(origin, 1) FROM origins"),
    ],
    ['a digest that is not that of the rows', (path: string) => edit(path, 'DELETE FROM tickets WHERE seq = 3')],
  ])('are not by %s', async (_what, spoil) => {
    const { maker, newcomer } = await pair();
    const { facts } = await handOver(maker, newcomer);
    spoil(incomingPath(newcomer.path));
    expect(await taken(newcomer, facts, maker.replicaId)).toBeDefined();
    expect(ticketsOf(newcomer)).toBe(1);
    expect((await newcomer.sell('goes-on')).ok).toBe(true);
    expect(newcomer.storage.handle().feedId).toBe('feed');
    expect(newcomer.reopen().storage.books.counts().tickets).toBe(2);
  });

  test('are not with a view in the place of a table: no row of them is asked for before that is seen', async () => {
    const { maker, newcomer } = await pair();
    const { facts } = await handOver(maker, newcomer);
    // Whoever asks it for a row is answered with an error, and could be kept waiting for ever.
    edit(incomingPath(newcomer.path), 'ALTER TABLE origins RENAME TO others');
    edit(incomingPath(newcomer.path), "CREATE VIEW origins AS SELECT * FROM others WHERE json('of no form')");
    const failed = await taken(newcomer, facts, maker.replicaId);
    expect(failed?.detail).toContain('its tables are not those of this version');
    expect((await newcomer.sell('goes-on')).ok).toBe(true);
  });

  test('cut by a power cut between any two steps are the old ones or the new, whole', async () => {
    const { maker, newcomer } = await pair();
    await handOver(maker, newcomer);
    const stages: string[] = [];
    const { length } = swapSteps(newcomer.path);
    // What is put into the new books before is not of the swap: here they are the maker's alone, to be told apart.
    const ready = newFolder();
    newcomer.close();
    cpSync(newcomer.folder, ready, { recursive: true });
    for (let cut = 0; cut <= length; cut++) {
      const folder = newFolder();
      cpSync(ready, folder, { recursive: true });
      const path = join(folder, 'books.db');
      for (const step of swapSteps(path).slice(0, cut)) step.run();
      const after = tryToOpen({ folder, signer: newcomer.signer });
      if (!isOpened(after)) throw new Error(after.detail);
      stages.push(ticketsOf(after) === 50 ? 'new' : ticketsOf(after) === 1 ? 'old' : 'neither');
      expect(recheckAll(path, newcomer.replicaId)).toBe(undefined);
      expect((await after.sell('goes-on')).ok).toBe(true);
      expect(existsSync(asidePath(path))).toBe(false);
      after.close();
    }
    expect(stages).toEqual(['old', 'old', 'old', 'old', 'new', 'new']);
  });

  test('are the old ones again when the new ones do not open after a cut', async () => {
    const { maker, newcomer } = await pair();
    await handOver(maker, newcomer);
    newcomer.close();
    for (const step of swapSteps(newcomer.path)) step.run();
    truncateSync(newcomer.path, 16_384);
    const again = newcomer.reopen();
    expect(ticketsOf(again)).toBe(1);
  });

  test('know of the forks that their authors told of', async () => {
    const { maker, newcomer } = await pair();
    const closed = `${maker.replicaId}.7`;
    const [draft] = statementDrafts({ origin: closed, common: 3, hash: '0'.repeat(64), facts: 3, discarded: [] });
    maker.storage.write((unit) => draft && appendLocal(unit, draft));
    const { facts } = await handOver(maker, newcomer);
    expect(await taken(newcomer, facts, maker.replicaId)).toBe(undefined);
    expect(newcomer.storage.state().voids).toEqual({ [closed]: 3 });
    // Who knows of one that the maker does not know of, takes no books from it.
    const other = openBooks();
    await handOver(other, newcomer);
    const failed = newcomer.storage.replaceBooks(other.replicaId, 'again');
    expect(failed?.detail).toContain('fork');
  });

  test('B2 are no copy where a power cut came right after they took their place', async () => {
    const maker = openBooks();
    await sellMany(maker, 'm');
    const config = { home: 'here', starts: 1 };
    const newcomer = openBooks({ config });
    await handOver(maker, newcomer);
    const { replicaId, path, ports, storage } = newcomer;
    const incoming = {
      path: incomingPath(path),
      migrations: assets.migrations,
      shop,
      replicaId,
      newFeedId: 'f',
      newEpoch: 1,
    };
    const ours = {
      state: storage.state(),
      path,
      marks: {},
      clockMs: 0,
      meshMs: 0,
      commitsAfter: () => [],
    };
    const rest = { ...config, wroteUpTo: null, epoch: 0, chance: 0 };
    expect(adoptBooks(ports, { ...incoming, ...rest }, ours, 'maker')).toBe(undefined);
    newcomer.close();
    for (const step of swapSteps(path)) step.run();
    const again = newcomer.reopen({ ...config, starts: 2 });
    expect([ticketsOf(again), again.storage.state().epoch]).toEqual([50, 1]);
  });

  test('keep their numbers, epoch and settings over it', async () => {
    const { maker, newcomer } = await pair();
    newcomer.storage.note(({ statements }) => statements.setMeta.run('mesh_enabled', 'false'));
    const { facts } = await handOver(maker, newcomer);
    await taken(newcomer, facts, maker.replicaId);
    await newcomer.sell('second');
    expect(newcomer.storage.books.heads()[`${newcomer.replicaId}.1`]).toBe(2);
    expect(rows(newcomer.path, "SELECT value FROM meta WHERE key = 'mesh_enabled'")).toEqual([{ value: 'false' }]);
  });
});

describe('C13 books that were found broken', () => {
  test('are made anew from what is good in them; what is not is left for peers, and numbers are not used twice', async () => {
    const first = openBooks();
    const peer = openBooks();
    await sellMany(peer, 'peer', 30);
    carry(peer, first);
    await sellMany(first, 'own', 30);
    // Nothing of it is left in memory.
    const books = first.reopen();
    books.storage.handle().database.pragma('wal_checkpoint(TRUNCATE)');
    for (const id of ['peer-20', 'own-25'])
      expect(
        edit(
          books.path,
          "UPDATE ops SET payload = replace(payload, 'Coffee', 'Tea') WHERE key = (SELECT op FROM tickets WHERE id = ?)",
          id,
        ),
      ).toBe(1);
    const found = await new Promise((resolve) => books.storage.recheck(resolve));
    expect(found).toMatch(/was altered/);
    const failed = await new Promise((resolve) => books.storage.rebuild('anew', resolve));
    expect(failed).toBe(undefined);
    expect(ticketsOf(books)).toBe(20 + 25);
    await books.sell('after');
    expect(books.storage.books.heads()).toMatchObject({ [`${books.replicaId}.1`]: 25, [`${books.replicaId}.2`]: 1 });
    carry(peer, books);
    expect(ticketsOf(books)).toBe(30 + 25 + 1);
    expect(recheckAll(books.path, books.replicaId)).toBe(undefined);
  });
});
