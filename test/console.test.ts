// The console asks the appliance of its folder and believes nobody else: whatever has the port by now, and says there.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askRunning, openConsoleDoor } from '../src/cli/console.ts';
import { changeTrust, makeJoinCode, readShopKey, renewIdentity } from '../src/cli/membership.ts';
import { readStatus } from '../src/cli/status.ts';

const replicaId = 'crydzat7hkdwpd3yibvozap2ki';

/** A folder whose console.json leads to somebody who answers everything with this. */
async function folderAnswered(status: number, text: string): Promise<{ folder: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    response.writeHead(status).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-console-'));
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  openConsoleDoor(folder, { url, token: 'of the console', pid: 1, replicaId });
  return { folder, asked };
}

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
