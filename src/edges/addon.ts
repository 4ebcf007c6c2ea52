// Loads the SQLite addon that the executable carries. It must lie in a file to be loaded: a private one, named by its
// hash, which is checked before each load. A folder that forbids running code (noexec) sends it on to the next one.

import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import type { PackedAddon } from '../assets.ts';

/** What better-sqlite3 takes as `nativeBinding`. */
export type Addon = object;
export type LoadedAddon = { ok: true; addon: Addon } | { ok: false; detail: string };

/** Tries `dataFolder` (it must exist), where the file stays for the next start, then folders in memory and temporary ones. */
export function loadAddon(packed: PackedAddon, dataFolder: string): LoadedAddon {
  const reasons: string[] = [];
  const kept = join(dataFolder, 'addon');
  for (const place of [() => kept, inFolder('/dev/shm'), inFolder(tmpdir())]) {
    let folder: string | undefined;
    try {
      folder = place();
      const addon = loadFrom(folder, packed);
      return { ok: true, addon };
    } catch (error) {
      reasons.push(`${folder ?? 'a temporary folder'}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      // What is loaded stays mapped without its file, and nobody else would find or remove it.
      if (folder && folder !== kept) rmSync(folder, { recursive: true, force: true });
    }
  }
  return { ok: false, detail: `the SQLite addon could be loaded from no folder (${reasons.join('; ')})` };
}

/** A folder of ours alone: a name that others can foresee could be taken before us. */
const inFolder = (folder: string) => (): string => mkdtempSync(join(folder, 'tillmesh-'));

function loadFrom(folder: string, packed: PackedAddon): Addon {
  const file = join(folder, `sqlite-${packed.sha256.slice(0, 16)}.node`);
  if (hashOfFile(file) !== packed.sha256) writeAddon(folder, file, packed);
  const loaded: { exports: Addon } = { exports: {} };
  process.dlopen(loaded, file);
  return loaded.exports;
}

function writeAddon(folder: string, file: string, packed: PackedAddon): void {
  const bytes = zstdDecompressSync(Buffer.from(packed.zstd, 'base64'));
  if (hashOf(bytes) !== packed.sha256) throw new Error('the executable is damaged: copy it here again');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const partial = `${file}.partial-${process.pid}`;
  try {
    writeFileSync(partial, bytes, { mode: 0o600 });
    chmodSync(partial, 0o500);
    renameSync(partial, file);
  } catch (error) {
    // On a full disk it would take what little is left.
    rmSync(partial, { force: true });
    throw error;
  }
}

function hashOfFile(file: string): string | undefined {
  try {
    return hashOf(readFileSync(file));
  } catch {
    return undefined;
  }
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
