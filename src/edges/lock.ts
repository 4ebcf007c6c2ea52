// One instance per data folder: an exclusive transaction on a database of its own, held for as long as the process lives.
// It is a lock of the operating system underneath, so that a killed process leaves nothing behind to clean up.

import { join } from 'node:path';
import type { OpenDatabase } from '../ports.ts';

export type Lock = { release(): void };

/** Undefined while another process holds the folder. Throws when the folder cannot be written. */
export function lockFolder(folder: string, openDatabase: OpenDatabase): Lock | undefined {
  const database = openDatabase(join(folder, 'lock.db'), { readonly: false });
  try {
    database.pragma('busy_timeout = 0');
    database.exec('BEGIN EXCLUSIVE');
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'SQLITE_BUSY' || error.code === 'SQLITE_LOCKED');
