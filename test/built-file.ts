// The built file as a user has it: copied alone into an empty folder and run by one of the runtimes.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const bunPackage = `bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`;
const bunPath = join(root, 'node_modules/@oven', bunPackage, 'bin/bun');

export type Runtime = { readonly name: string; readonly path: string; readonly isHere: boolean };

export const node: Runtime = { name: 'Node', path: process.execPath, isHere: true };
export const bun: Runtime = { name: 'Bun', path: bunPath, isHere: existsSync(bunPath) };

/** An empty folder with nothing but the file in it; `remove` when done. */
export function emptyFolderWithFile(): { folder: string; file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-test-'));
  const file = join(folder, 'tillmesh.mjs');
  copyFileSync(join(root, 'dist/tillmesh.mjs'), file);
  return { folder, file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs to its end; killed, with code null, when it takes longer than `msMax`. */
export function runToEnd(
  command: readonly [string, ...string[]],
  options: { folder: string; env?: Record<string, string>; msMax?: number },
): Promise<Ended> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    cwd: options.folder,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.msMax ?? 30_000,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
