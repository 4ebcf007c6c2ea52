// Small file systems of a test's own, to be full or read-only. Only where this user may mount; elsewhere a test that
// needs one skips, saying so.

import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export type Mounted = { readonly folder: string; remount(options: string): void };

/** A tmpfs, unmounted after the test; undefined where none can be had. */
export function mountTmpfs(options: string): Mounted | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-mounted-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status !== 0) return undefined;
  onTestFinished(() => void spawnSync('umount', ['-l', folder]));
  const remount = (changes: string): void => {
    const { status, stderr } = spawnSync('mount', ['-o', `remount,${changes}`, folder], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };
  return { folder, remount };
}

/** Writes until the disk has no byte left. */
export function fillUp(path: string): void {
  const descriptor = openSync(path, 'w');
  try {
    for (let size = 65_536; size >= 1; size = Math.floor(size / 2)) {
      try {
        for (;;) writeSync(descriptor, Buffer.alloc(size));
      } catch {
        // What is left is smaller.
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

export const cannotMount = 'no file system can be mounted here';
