// Live messages and the client on the built file, on both runtimes: the same messages by WebSocket and by polling; a till in
// Node and in Bun that loses and doubles no sale, whatever becomes of its appliance or of itself.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  admin,
  adminToken,
  ask,
  makeTill,
  product,
  runtimes,
  sale,
  startTarget,
  type Target,
} from './attacks/target.ts';
import { byPolling, byWebSocket } from './http/live-readers.ts';
import { type Program, programOf } from './lab/lab.ts';
import { until } from './waiting.ts';

const url = ({ port }: Target): string => `http://127.0.0.1:${port}`;

describe.each(runtimes)('an appliance on $name', (runtime) => {
  let target: Target;
  beforeAll(async () => {
    target = await startTarget(runtime);
  });
  afterAll(async () => target?.stop());

  test('tells the same by WebSocket and by polling, and goes on from a cursor of either', async () => {
    const place = { port: target.port, url: url(target) };
    const till = await makeTill(target, { name: 'Till', user: 'ada' });
    const live = await byWebSocket.open(place, { token: till.token });
    const start = live.cursor();
    for (let n = 0; n < 10; n++) {
      await ask(target, '/api/v1/products', admin(product(`p-${n}`)));
      await ask(target, '/api/sync/broadcast', admin({ type: 'note', payload: n, userId: 'user:ada' }));
      await ask(target, '/api/sync/broadcast', admin({ type: 'note', payload: n, userId: 'user:eve' }));
    }
    await live.has(20);
    const polled = await byPolling.open(place, { token: till.token, after: start });
    await polled.has(20);
    expect(polled.messages).toEqual(live.messages);
    const rest = await byWebSocket.open(place, { token: till.token, after: polled.messages[9]?.cursor ?? '' });
    await rest.has(10);
    expect(rest.messages).toEqual(live.messages.slice(10));
    expect([...live.lost, ...polled.lost, ...rest.lost]).toEqual([]);
  });

  test('serves the client and its types, and the till to try', async () => {
    const script = await ask(target, '/client.js');
    expect([script.status, script.headers['content-type']]).toEqual([200, 'text/javascript; charset=utf-8']);
    expect(script.text).toContain('getConnectionManager');
    expect((await ask(target, '/client.d.ts')).text).toContain('getConnectionManager');
    const page = await ask(target, '/till.html');
    expect([page.status, page.text.includes('/till.js')]).toEqual([200, true]);
    expect(page.headers['content-security-policy']).toMatch(/default-src 'none'.*connect-src 'self'/);
    expect(page.headers['content-security-policy']).not.toMatch(/unsafe|\*/);
  });
});

describe.each(runtimes)('a till on $name', (runtime) => {
  let folder = '';
  let bar: Target;
  let cellar: Target;
  const shopKey = randomBytes(32).toString('base64url');
  const env = { TILLMESH_ADMIN_TOKEN: adminToken, TILLMESH_SHOP_KEY: shopKey };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tillmesh-till-'));
    bar = await startTarget(runtimes[0] ?? runtime, [], env);
    cellar = await startTarget(runtime, ['--peer', `127.0.0.1:${bar.meshPort}`], env);
    writeFileSync(join(folder, 'client.mjs'), (await ask(bar, '/client.js')).text);
    await until('they are linked', async () => (await ask(bar, '/api/v1/p2p/status', admin())).json.connected === 1);
  });
  afterAll(async () => {
    await bar?.stop();
    await cellar?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  type Till = Program & { readonly child: ChildProcess };
  const ofKind = (till: Till, kind: string) => till.lines.flatMap((line) => (kind in line ? [line[kind]] : []));

  function start(
    token: string,
    prefix: string,
    count: number,
    more: { outbox?: string; isPatient?: boolean } = {},
  ): Till {
    const { outbox = `${prefix}.jsonl`, isPatient = false } = more;
    const program = join(import.meta.dirname, 'till-program.ts');
    const words = [join(folder, 'client.mjs'), token, `${url(bar)},${url(cellar)}`, join(folder, outbox), prefix];
    const args = [program, ...words, String(count), ...(isPatient ? ['patient'] : [])];
    const child = spawn(runtime.path, args, { cwd: folder, timeout: 90_000, killSignal: 'SIGKILL' });
    onTestFinished(() => void child.kill('SIGKILL'));
    return { ...programOf(child), child };
  }

  async function arrived(at: Target, prefix: string): Promise<string[]> {
    const ids: string[] = [];
    for (let after = ''; ; ) {
      const { json } = await ask(at, `/api/v1/tickets?limit=1000${after && `&after=${after}`}`, admin());
      ids.push(...json.data.map(({ id }: { id: string }) => id));
      if (json.next === null) return ids.filter((id) => id.startsWith(`${prefix}-`));
      after = json.next;
    }
  }
  const all = (prefix: string, count: number) => Array.from({ length: count }, (_, number) => `${prefix}-${number}`);

  test('sells, hears what another sells, and ends when it is told to, with nothing left running', async () => {
    const { token } = await makeTill(bar);
    const till = start(token, 'plain', 20);
    expect(await till.ended).toBe(0);
    expect(ofKind(till, 'stored')).toEqual(all('plain', 20));
    expect(await arrived(bar, 'plain')).toEqual(all('plain', 20));
    const listening = start(token, 'none', 0, { isPatient: true });
    await until('it is connected by WebSocket', () =>
      ofKind(listening, 'state').some((state) => (state as { transport: string }).transport === 'websocket'),
    );
    await ask(cellar, '/api/v1/tickets', admin(sale('sold-in-the-cellar')));
    await until('it hears of the sale', () =>
      ofKind(listening, 'message').some((message) => JSON.stringify(message).includes('sold-in-the-cellar')),
    );
    listening.child.stdin?.end();
    expect(await listening.ended).toBe(0);
  });

  test('B1 B2 killed with sales that are not sent yet, it sends them when it is started again, in order, once', async () => {
    const { token } = await makeTill(bar);
    const deaf = start('till_nobody.nothing', 'killed', 50, { outbox: 'killed.jsonl', isPatient: true });
    await until('all are written down', () => ofKind(deaf, 'sold').length === 50);
    expect(ofKind(deaf, 'stored')).toEqual([]);
    deaf.kill('SIGKILL');
    await deaf.ended;
    expect(await arrived(bar, 'killed')).toEqual([]);
    const again = start(token, 'more', 1, { outbox: 'killed.jsonl' });
    expect(await again.ended).toBe(0);
    expect(ofKind(again, 'stored')).toEqual([...all('killed', 50), 'more-0']);
    expect(await arrived(bar, 'killed')).toEqual(all('killed', 50));
  });

  test('B2 B7 its appliance is killed while it sells: all arrive once at the other, in order, and it says where it is', async () => {
    const { token } = await makeTill(bar);
    await until(
      'the till is known in the cellar',
      async () => (await ask(cellar, '/version', { token })).status === 200,
    );
    await until('it may sell there', async () => (await ask(cellar, '/api/v1/stock', { token })).status === 200);
    const till = start(token, 'moved', 200);
    await until('some are stored', () => ofKind(till, 'stored').length >= 20);
    await bar.stop();
    expect(await till.ended).toBe(0);
    expect(ofKind(till, 'stored')).toEqual(all('moved', 200));
    const inCellar = await arrived(cellar, 'moved');
    expect(inCellar).toEqual(all('moved', 200));
    const places = ofKind(till, 'state').map((state) => (state as { appliance: string }).appliance);
    expect(places).toContain(url(cellar));
    const open = ofKind(till, 'state').filter((state) => (state as { state: string }).state !== 'closed');
    expect(open.at(-1)).toMatchObject({ state: 'online', pending: 0, isAway: true });
  });
});
