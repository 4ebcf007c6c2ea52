// The files of snapshots beside the database, and the swap of one database for another. Between any two of its steps a
// power cut leaves the old books or the new, whole: what was not yet renamed is not there, and a log of the old database
// is never left beside the new one.

import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { snapshotSpareBytes } from '../core/limits.ts';
import type { Bulk } from '../ports.ts';

/** A snapshot that we made; one that comes; its manifest; the old books while the new ones are opened. */
export const madePath = (databasePath: string): string => `${databasePath}.snapshot`;
export const incomingPath = (databasePath: string): string => `${databasePath}.incoming`;
const manifestPath = (databasePath: string): string => `${databasePath}.incoming.json`;
export const asidePath = (databasePath: string): string => `${databasePath}.aside`;

const withLogs = (path: string): string[] => [path, `${path}-wal`, `${path}-shm`, `${path}-journal`];

/** Throws as node:fs does. */
export const hasRoomFor = (bulk: Bulk, databasePath: string, bytes: number): boolean =>
  bulk.freeBytes(dirname(databasePath)) >= bytes + snapshotSpareBytes;

export function removeDatabase(path: string): void {
  for (const file of withLogs(path)) rmSync(file, { force: true });
}

export type SwapStep = { readonly name: string; readonly run: () => void };

/** In this order. The old database is closed, its log empty; the new one is on disk and closed. Throws as node:fs does. */
export function swapSteps(databasePath: string): readonly SwapStep[] {
  const syncFolder = (): void => syncFolderOf(databasePath);
  return [
    { name: 'logs of both are gone', run: () => removeLogs(databasePath) },
    { name: 'the old books have a second name', run: () => linkAside(databasePath) },
    { name: 'that is on disk', run: syncFolder },
    { name: 'the new books have the name', run: () => renameSync(incomingPath(databasePath), databasePath) },
    { name: 'that is on disk, too', run: syncFolder },
  ];
}

function removeLogs(databasePath: string): void {
  for (const path of [databasePath, incomingPath(databasePath)])
    for (const log of withLogs(path).slice(1)) rmSync(log, { force: true });
}

/** After a cut while the snapshot was being adopted: what was changed in it then must not be read into it later. */
export function dropIncomingLogs(databasePath: string): void {
  for (const log of withLogs(incomingPath(databasePath)).slice(1)) rmSync(log, { force: true });
}

function linkAside(databasePath: string): void {
  rmSync(asidePath(databasePath), { force: true });
  linkSync(databasePath, asidePath(databasePath));
}

/** After the new books have opened. Nothing may be written to them before this: a start may still go back to the old. */
export function dropAside(databasePath: string): void {
  if (!existsSync(asidePath(databasePath))) return;
  rmSync(asidePath(databasePath), { force: true });
  syncFolderOf(databasePath);
}

/** The new books did not open. False when there are none to go back to. */
export function takeBackAside(databasePath: string): boolean {
  if (!existsSync(asidePath(databasePath))) return false;
  removeLogs(databasePath);
  renameSync(asidePath(databasePath), databasePath);
  syncFolderOf(databasePath);
  return true;
}

function syncFolderOf(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** What is needed to go on with a snapshot after a restart. */
export type PartText = { readonly manifest: string; readonly signature: string };

export function keepPart(databasePath: string, part: PartText): void {
  writeFileSync(manifestPath(databasePath), JSON.stringify(part), { mode: 0o600 });
}

/** Undefined where there is none, or nothing that can be read: then it is begun anew. */
export function readPart(databasePath: string): PartText | undefined {
  if (!existsSync(incomingPath(databasePath))) return undefined;
  try {
    const { manifest, signature } = JSON.parse(readFileSync(manifestPath(databasePath), 'utf8')) as Partial<PartText>;
    return typeof manifest === 'string' && typeof signature === 'string' ? { manifest, signature } : undefined;
  } catch {
    return undefined;
  }
}

export function removePart(databasePath: string): void {
  removeDatabase(incomingPath(databasePath));
  rmSync(manifestPath(databasePath), { force: true });
}
