// The move into another shop on a disk that is full: it is made up for when there is room again, and nothing is half done.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
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
