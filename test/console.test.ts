// The console asks the appliance of its folder and believes nobody else: whatever has the port by now, and says there.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askRunning, openConsoleDoor } from '../src/cli/console.ts';
import { joinShop } from '../src/cli/join.ts';
import { changeTrust, makeJoinCode, readShopKey, renewIdentity } from '../src/cli/membership.ts';
import { readStatus } from '../src/cli/status.ts';
import type { Settings } from '../src/config.ts';

const replicaId = 'crydzat7hkdwpd3yibvozap2ki';

/** A folder whose console.json leads to somebody who answers everything with this. */
async function folderAnswered(status: number, text: string): Promise<{ folder: string; asked: string[] }> {
  const asked: string[] = [];
  const { folder } = await folderAnsweredBy((path, method) => {
    asked.push(`${method} ${path}`);
    return [status, text];
  });
  return { folder, asked };
}

type Answer = readonly [status: number, body: string | object];

/** A folder whose console.json leads to somebody who answers so; undefined is a connection that breaks. */
async function folderAnsweredBy(
  answer: (path: string, method: string) => Answer | undefined,
): Promise<{ folder: string }> {
  const server = createServer(({ method = '', url = '', socket }, response) => {
    const [status, body] = answer(url, method) ?? [];
    if (status === undefined) return void socket.destroy();
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-console-'));
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  openConsoleDoor(folder, { url, token: 'of the console', pid: 1, replicaId });
  return { folder };
}

test('a join that is granted is waited for however long the books take; meanwhile nobody answers', async () => {
  const peer = { id: 'dbydzat7hkdwpd3yibvozap2ki', address: '10.0.0.9:3031', trust: 'trusted' };
  let stage: 'asked' | 'away' | 'joined' = 'asked';
  const { folder } = await folderAnsweredBy((path, method) => {
    if (stage === 'away') return undefined;
    if (path === '/api/v1/peers') return [201, {}];
    if (path === '/api/v1/gossip/info') return [200, { counts: { tickets: 1 } }];
    if (path === '/api/v1/join' && method === 'POST') {
      // Longer than it would stay if it had been let in by nobody.
      setTimeout(() => (stage = 'away'), 1_000);
      setTimeout(() => (stage = 'joined'), 8_000);
      return [202, { state: 'asked', peer: peer.id, words: 'a b c d e f' }];
    }
    const isIn = stage === 'joined';
    const peers = [{ ...peer, verifiedEqualAt: isIn ? 'now' : null }];
    return [200, { replicaId, shop: isIn ? 'theirs' : 'ours', asked: null, peers }];
  });
  const words = { code: undefined, peer: peer.address, bringBooks: true };
  const told = await joinShop({ data: folder } as Settings, words, () => {});
  expect(told).toEqual({ ok: true, text: 'Joined. This appliance holds the whole books: 1 tickets.' });
});

const commands = [
  readStatus,
  makeJoinCode,
  readShopKey,
  renewIdentity,
  (folder: string) => changeTrust(folder, 'Bar', 'revoked'),
];

test.each([
  [200, '{"replicaId":"dbydzat7hkdwpd3yibvozap2ki","peers":[]}'],
  [200, 'null'],
  [200, '["replicaId"]'],
  [200, '<html></html>'],
  [200, ''],
  [401, `{"replicaId":"${replicaId}","detail":"This token is not known here."}`],
  [200, `{"replicaId":"${replicaId}","filler":"${'x'.repeat(2_000_000)}"}`],
])('B9 who answers with %i %.60s is not the appliance of the folder, and is asked no more', async (status, text) => {
  const { folder, asked } = await folderAnswered(status, text);
  for (const command of commands) {
    expect(await command(folder)).toMatchObject({ ok: false, detail: expect.stringMatching(/^no appliance runs on /) });
  }
  expect(new Set(asked)).toEqual(new Set(['GET /api/v1/p2p/status']));
});

test.each([
  [200, `{"replicaId":"${replicaId}"}`],
  [200, `{"replicaId":"${replicaId}","peers":{}}`],
  [503, '{"detail":"Not ready."}'],
])('the appliance that answers with %i %s is understood, or that is said', async (status, text) => {
  const { folder } = await folderAnswered(status, text);
  expect(await askRunning(folder, 'GET', '/api/v1/p2p/status')).toMatchObject({ ok: status === 200 });
  for (const command of [readStatus, (at: string) => changeTrust(at, 'Bar', 'revoked')]) {
    expect(await command(folder)).toMatchObject({ ok: false, detail: expect.stringContaining('the appliance') });
  }
});
