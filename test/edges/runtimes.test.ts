// The edges bundled as the build does, run by Node and by Bun, and each speaking to the other.

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frameBytesMax } from '../../src/core/limits.ts';
import { bun, node, type Runtime } from '../built-file.ts';
import { bundleProgram, startProgram } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tillmesh-runtimes-'));
const prebuilds = join(createRequire(import.meta.url).resolve('better-sqlite3/package.json'), '../prebuilds');
const addonFile = join(prebuilds, `${process.platform}-${process.arch}.node`);

let program = '';
beforeAll(async () => {
  program = await bundleProgram('pair-program', folder);
});
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
  const { line, end } = startProgram(runtime, program, [role, data, addonFile, ...(address ? [address] : [])]);
  return {
    line,
    /** Exit code, once what it printed last says that it came to its end. */
    async ended(): Promise<unknown> {
      const code = end();
      expect(await line()).toEqual({ ended: true });
      return code;
    },
  };
}
