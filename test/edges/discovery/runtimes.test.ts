// Discovery bundled as the build does, run by Node and by Bun in an empty folder under a fuzz of packets, and from source.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { candidatesMax } from '../../../src/core/limits.ts';
import { bun, node, runToEnd } from '../../built-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'tillmesh-fuzz-'));
const source = join(import.meta.dirname, 'fuzz-program.ts');
const bundled = join(folder, 'fuzz-program.mjs');

beforeAll(() =>
  build({
    entryPoints: [source],
    outfile: bundled,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  }),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const packetCount = 20_000;

test.for([
  { runtime: node, program: bundled, title: 'Node, bundled' },
  { runtime: node, program: source, title: 'Node, from source' },
  { runtime: bun, program: bundled, title: 'Bun, bundled' },
])(
  'E10 20,000 mutated packets on $title: it lives, and sees who comes and goes afterwards',
  { timeout: 90_000 },
  async (given, { skip }) => {
    const { runtime, program } = given;
    if (!runtime.isHere) skip('no Bun here');
    const ended = await runToEnd([runtime.path, program, '20260', String(packetCount)], { folder, msMax: 60_000 });
    // No deprecation is warned of either.
    expect(ended.stderr).toBe('');
    expect(ended.code).toBe(0);
    const told = JSON.parse(ended.stdout);
    expect(told.packetsHeard).toBeGreaterThanOrEqual(packetCount);
    expect(told).toMatchObject({ lastError: null });
    // The fuzz got past the first look as well as into it.
    expect(told.packetsDropped).toBeGreaterThan(packetCount / 10);
    expect(told.wasSeen).toBeGreaterThan(10);
    expect(told.seen).toBeLessThanOrEqual(candidatesMax);
  },
);
