// The move into another shop that breaks off, or meets a full disk: it is made up for, and nothing is half done or left.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { beginMove, finishMove } from '../src/cli/move.ts';
import { openIdentity } from '../src/edges/identity.ts';
import { createSystemCrypto, systemRandom } from '../src/edges/system.ts';
import { cannotMount, fillUp, mountTmpfs } from './mounted.ts';

const [from, to] = ['cellarcellarcellarcellarce', 'barbarbarbarbarbarbarbarba'];

test('B1 a disk that is full while the move is finished leaves it to be finished', ({ skip }) => {
  const mounted = mountTmpfs('size=256k');
  if (!mounted) return skip(cannotMount);
  const { folder } = mounted;
  const sources = { random: systemRandom, sha256: createSystemCrypto().sha256 };
  const shopNow = () => {
    const opened = openIdentity(folder, sources, { mayCreate: false });
    return opened.ok ? opened.identity.joinedShop : undefined;
  };
  expect(openIdentity(folder, sources, { mayCreate: true }).ok).toBe(true);
  writeFileSync(join(folder, 'books.db'), 'of the shop that is left');
  writeFileSync(join(folder, 'books-joining.db'), 'of the shop that lets it in');
  beginMove(folder, from, to);
  const filler = join(folder, 'filler');
  fillUp(filler);
  expect(finishMove(folder)?.detail).toContain('free some space');
  expect([shopNow(), existsSync(join(folder, 'joining.json'))]).toEqual([null, true]);
  rmSync(filler);
  expect(finishMove(folder)).toBeUndefined();
  expect([shopNow(), existsSync(join(folder, 'joining.json'))]).toEqual([to, false]);
  expect(readFileSync(join(folder, 'books.db'), 'utf8')).toBe('of the shop that lets it in');
  expect(readFileSync(join(folder, `books-of-${from}.db`), 'utf8')).toBe('of the shop that is left');
});

test('books that were being prepared when it broke off are cleared away, and those in use stay', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-move-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [inUse, left] = [
    ['books.db', 'books.db-wal'],
    ['books-joining.db', 'books-joining.db-wal', 'books-joining.db-shm'],
  ];
  for (const name of [...inUse, ...left]) writeFileSync(join(folder, name), 'some of it');
  expect(finishMove(folder)).toBeUndefined();
  expect(readdirSync(folder).sort()).toEqual(inUse);
});
