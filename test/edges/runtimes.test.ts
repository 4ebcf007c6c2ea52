// The edges bundled as the build does, run by Node and by Bun, and each speaking to the other.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { frameBytesMax } from '../../src/core/limits.ts';
import { bun, node, type Runtime } from '../built-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'tillmesh-runtimes-'));
const program = join(folder, 'pair-program.mjs');
const prebuilds = join(createRequire(import.meta.url).resolve('better-sqlite3/package.json'), '../prebuilds');
const addonFile = join(prebuilds, `${process.platform}-${process.arch}.node`);

beforeAll(() =>
  build({
    entryPoints: [join(import.meta.dirname, 'pair-program.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
    logLevel: 'warning',
  }),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.for([
  { server: node, dialer: node },
  { server: bun, dialer: node },
  { server: node, dialer: bun },
  { server: bun, dialer: bun },
])('$dialer.name dials $server.name: one channel, frames, a flood, a frame too large', async (pair, { skip }) => {
  const { server, dialer } = pair;
  if (!server.isHere || !dialer.isHere) skip('no Bun here');
  const serving = start(server, 'serve');
  const { address, publicKey: serverKey, sql: serverSql } = await serving.line();
  const dialing = start(dialer, 'dial', String(address));
  const { publicKey: dialerKey, sql: dialerSql } = await dialing.line();
  const [atDialer, atServer] = [await dialing.line(), await serving.line()];
  expect(atDialer).toEqual({
    peerKey: serverKey,
    binding: atServer.binding,
    text: 'één',
    isLargeEqual: true,
    drained: true,
    closed: 'enough',
  });
  expect(atServer).toEqual({ peerKey: dialerKey, binding: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(await serving.line()).toEqual({ closed: 'connection lost' });
  expect(await dialing.line()).toEqual({ frames: 0, closed: 'the peer refused a frame as too large' });
  expect(await serving.line()).toMatchObject({ peerKey: dialerKey });
  expect(await serving.line()).toEqual({ closed: `a frame of more than ${frameBytesMax} bytes came` });
  expect([serverSql, dialerSql]).toEqual([42, 42]);
  expect(await dialing.ended()).toBe(0);
  expect(await serving.ended()).toBe(0);
});

function start(runtime: Runtime, ...words: [role: string, address?: string]) {
  const [role, address] = words;
  const data = mkdtempSync(join(folder, `${runtime.name}-${role}-`));
  const args = [program, role, data, addonFile, ...(address ? [address] : [])];
  const child = spawn(runtime.path, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const line = lineQueue(createInterface({ input: child.stdout }));
  return {
    line,
    /** Exit code, once what it printed last says that it came to its end. */
    async ended(): Promise<unknown> {
      child.stdin.end();
      expect(await line()).toEqual({ ended: true });
      return (await exited)[0];
    },
  };
}

/** One line of JSON after the other; an empty object when the program is gone. */
function lineQueue(lines: Interface): () => Promise<Record<string, unknown>> {
  const iterator = lines[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await iterator.next();
    return done ? {} : JSON.parse(value);
  };
}
