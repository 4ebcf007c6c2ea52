// The move into another shop, on disk: books made beside the present ones take their place, and those are kept. Each step
// is whole, and a power cut between two of them is made up for at the next start, so that the appliance is of the one
// shop or of the other, with the books of that one.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepShop } from '../edges/identity.ts';

const pathsIn = (folder: string) => ({
  books: join(folder, 'books.db'),
  /** Made by the appliance while it was of the other shop. */
  prepared: join(folder, 'books-joining.db'),
  /** Says which shop the prepared books are of; there from when they are whole until the move is done. */
  note: join(folder, 'joining.json'),
});

export const preparedPath = (folder: string): string => pathsIn(folder).prepared;

/** What an attempt that broke off has left is of no use, and as large as the books. */
export function clearPrepared(folder: string): void {
  const { prepared, note } = pathsIn(folder);
  rmSync(note, { force: true });
  removeDatabase(prepared);
}

/** The prepared books are whole and closed: from here on the move happens, at the latest with the next start. */
export function beginMove(folder: string, from: string, to: string): void {
  const { note } = pathsIn(folder);
  writeFileSync(`${note}.partial`, `${JSON.stringify({ from, to })}\n`, { mode: 0o600 });
  sync(`${note}.partial`);
  renameSync(`${note}.partial`, note);
  sync(folder);
}

/**
 * Carries out a move that was begun, and clears away what was prepared for one that was not. The appliance must not be
 * running. A failure leaves the move to be finished by the next start.
 */
export function finishMove(folder: string): { readonly detail: string } | undefined {
  const { books, prepared, note } = pathsIn(folder);
  const move = readNote(note);
  if (!move) {
    // On a disk that cannot be written it does no harm.
    try {
      clearPrepared(folder);
    } catch {}
    return undefined;
  }
  if (existsSync(prepared)) {
    // The old ones first: their write-ahead log must go with them.
    if (existsSync(books)) renameDatabase(books, keptPath(folder, move.from));
    renameDatabase(prepared, books);
    sync(folder);
  }
  const failure = keepShop(folder, move.to);
  if (failure) return failure;
  rmSync(note, { force: true });
  sync(folder);
  return undefined;
}

/** Where the books of the shop that was left are kept; never over other books. */
function keptPath(folder: string, shop: string): string {
  for (let count = 1; ; count++) {
    const path = join(folder, `books-of-${shop}${count === 1 ? '' : `-${count}`}.db`);
    if (!existsSync(path)) return path;
  }
}

const companions = ['-wal', '-shm'] as const;

function renameDatabase(from: string, to: string): void {
  for (const companion of companions) if (existsSync(from + companion)) renameSync(from + companion, to + companion);
  renameSync(from, to);
}

function removeDatabase(path: string): void {
  for (const companion of ['', ...companions]) rmSync(path + companion, { force: true });
}

function readNote(path: string): { from: string; to: string } | undefined {
  if (!existsSync(path)) return undefined;
  const { from, to } = JSON.parse(readFileSync(path, 'utf8')) as { from: string; to: string };
  return { from, to };
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
