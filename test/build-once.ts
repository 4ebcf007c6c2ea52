// Builds dist/tillmesh.mjs before the tests that run it, so that they never speak of an older one.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export default function buildOnce(): void {
  const root = join(import.meta.dirname, '..');
  execFileSync(process.execPath, ['build.ts'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 120_000,
  });
}
