// The built file at the console: what a person reads when something is wrong, with which exit code, and that nothing was
// changed by it; the tokens and the status of a running appliance.

import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, test } from 'vitest';
import { type ApplianceProcess, createApi, startAppliance, until } from '../src/demo/appliance-process.ts';
import { type Ended, emptyFolderWithFile, node, runToEnd } from './built-file.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

const freePorts = ['--port', '0', '--mesh-port', '0'];

function newFolder() {
  const { folder, file, remove } = emptyFolderWithFile();
  cleanUp.push(remove);
  const run = (args: string[], env: Record<string, string> = {}): Promise<Ended> =>
    runToEnd([node.path, file, ...args], { folder, env });
  const start = async (args: string[] = freePorts, env: Record<string, string> = {}): Promise<ApplianceProcess> => {
    const appliance = await startAppliance([node.path, file], 'till', args, env, folder);
    cleanUp.push(() => appliance.stop());
    return appliance;
  };
  return { folder, file, data: join(folder, 'tillmesh-data'), run, start };
}

/** One line that says what to do, the code, and nothing on standard output. */
function expectRefusal(ended: Ended, code: 1 | 2, ...words: string[]): void {
  expect(ended).toMatchObject({ code, stdout: '' });
  expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  for (const word of words) expect(ended.stderr).toContain(word);
}

async function occupyPort(): Promise<number> {
  const server = createServer();
  cleanUp.push(() => new Promise((resolve) => server.close(resolve)));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return (server.address() as AddressInfo).port;
}

type Ready = { child: ChildProcess; url: string; stdout: string; ended: Promise<number | null> };

async function untilReady(child: ChildProcess): Promise<Ready> {
  cleanUp.push(() => child.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let stdout = '';
  if (child.stdout) {
    for await (const line of createInterface({ input: child.stdout })) {
      stdout += `${line}\n`;
      const url = /^ready (\S+)$/.exec(line)?.[1];
      if (url) return { child, url, stdout, ended };
    }
  }
  throw new Error(`ended before it was ready: ${stdout}`);
}

/** A small file system that forbids running code; undefined where this user may not mount one. */
function newNoexecFolder(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-noexec-'));
  cleanUp.push(() => rmSync(folder, { recursive: true, force: true }));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,noexec', 'tmpfs', folder]);
  if (mounted.status !== 0) return undefined;
  cleanUp.push(() => spawnSync('umount', ['-l', folder]));
  return folder;
}

describe('refused with one line, and nothing is changed', () => {
  test.each([
    ['an unknown command', ['fly'], 2, '"fly" is no command'],
    ['an unknown option', ['--fast'], 2, '--fast is no option'],
    ['a word too many', ['status', 'now'], 2, 'tillmesh status'],
    ['a bad value', ['--port', 'http'], 1, '--port: the value "http"'],
    ['a host that is not ours', ['--host', '203.0.113.7'], 1, 'correct --host'],
    ['the same port twice', ['--port', '45678', '--mesh-port', '45678'], 1, '--mesh-port'],
  ] as const)('%s', async (_what, args, code, words) => {
    const { folder, run } = newFolder();
    expectRefusal(await run([...args]), code, words);
    expect(readdirSync(folder)).toEqual(['tillmesh.mjs']);
  });

  test.each(['--port', '--mesh-port'])('%s in use', async (flag) => {
    const { folder, run } = newFolder();
    const port = String(await occupyPort());
    expectRefusal(await run([...freePorts, flag, port]), 1, `port ${port} is in use`, flag);
    expect(readdirSync(folder)).toEqual(['tillmesh.mjs']);
  });

  test('a data folder that is a file', async () => {
    const { folder, run } = newFolder();
    writeFileSync(join(folder, 'books'), 'mine');
    expectRefusal(await run([...freePorts, '--data', 'books']), 1, 'books', '--data');
    expect(readFileSync(join(folder, 'books'), 'utf8')).toBe('mine');
  });

  test('a data folder that cannot be written', async () => {
    const { run } = newFolder();
    expectRefusal(await run([...freePorts, '--data', '/proc/tillmesh']), 1, '/proc/tillmesh', '--data');
  });

  test('a config.json with a member that nobody knows', async () => {
    const { data, run } = newFolder();
    mkdirSync(data);
    writeFileSync(join(data, 'config.json'), '{"prot": 1}');
    expectRefusal(await run(freePorts), 1, '"prot" is no option');
    expect(readdirSync(data)).toEqual(['config.json']);
  });

  test('a second instance on the data folder, while the first goes on', async () => {
    const { data, run, start } = newFolder();
    const first = await start();
    const before = readFileSync(join(data, 'identity.json'), 'utf8');
    expectRefusal(await run(freePorts), 1, 'another instance', '--data');
    expect(readFileSync(join(data, 'identity.json'), 'utf8')).toBe(before);
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
  });

  test('a database of a newer version', async () => {
    const { data, run, start } = newFolder();
    await (await start()).stop();
    const database = new Database(join(data, 'books.db'));
    database.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)').run('9999_later', 9e12);
    database.close();
    expectRefusal(await run([...freePorts, '--log-level', 'silent']), 1, 'newer version');
  });

  test('a damaged database; it is left as it is', async () => {
    const { data, run, start } = newFolder();
    await (await start()).stop();
    writeFileSync(join(data, 'books.db'), 'this is no database, it only says so at some length');
    expectRefusal(await run([...freePorts, '--log-level', 'silent']), 1, 'books.db', 'backup');
    expect(readFileSync(join(data, 'books.db'), 'utf8')).toContain('no database');
  });

  test('an identity that was lost while the books are there', async () => {
    const { data, run, start } = newFolder();
    await (await start()).stop();
    rmSync(join(data, 'identity.json'));
    expectRefusal(await run([...freePorts, '--log-level', 'silent']), 1, 'identity.json');
    expect(existsSync(join(data, 'identity.json'))).toBe(false);
  });

  const old = spawnSync('/usr/bin/node', ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? '';
  const isOld = /^v(1[89]|20|21)\./.test(old);
  if (!isOld) console.warn('no old Node at /usr/bin/node: what the file says to one is not tried');
  test.skipIf(!isOld)('a Node that is too old', async () => {
    const { folder, file } = newFolder();
    expectRefusal(await runToEnd(['/usr/bin/node', file], { folder }), 1, 'needs Node', 'this is Node');
  });
});

describe('starting and stopping', () => {
  test('B10 a claim code is shown until it was used, and none where a token is configured', async () => {
    const { folder, file, data } = newFolder();
    const args = [file, ...freePorts, '--log-level', 'silent'];
    const run = () => untilReady(spawn(node.path, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] }));
    const codeIn = ({ stdout }: Ready) => /^Claim code, to make the first admin with: (\S+)$/m.exec(stdout)?.[1];
    const stopped = async ({ child, ended }: Ready) => {
      child.kill('SIGINT');
      expect(await ended).toBe(0);
    };
    const first = await run();
    const code = codeIn(first);
    expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
    expect(first.stdout.trimEnd().split('\n').at(-1)).toBe(`ready ${first.url}`);
    expect(readFileSync(join(data, 'claim-code'), 'utf8')).toBe(`${code}\n`);
    expect(statSync(join(data, 'claim-code')).mode & 0o777).toBe(0o600);
    await stopped(first);

    const second = await run();
    expect(codeIn(second)).toBe(code);
    const claim = (url: string) =>
      fetch(`${url}/api/v1/claim`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ code: code?.toLowerCase().replaceAll('0', 'o'), password: 'a good long password' }),
      });
    expect((await claim(second.url)).status).toBe(200);
    expect((await claim(second.url)).status).toBe(409);
    expect(existsSync(join(data, 'claim-code'))).toBe(false);
    await stopped(second);

    const third = await run();
    expect(third.stdout).toBe(`ready ${third.url}\n`);
    expect((await claim(third.url)).status).toBe(409);
    await stopped(third);

    const other = await untilReady(spawn(node.path, [...args, '--data', 'other'], configured(folder)));
    expect(other.stdout).toBe(`ready ${other.url}\n`);
    expect(existsSync(join(folder, 'other', 'claim-code'))).toBe(false);
    await stopped(other);
  });

  test('the claim code stays good when the appliance takes another identity', async () => {
    const { data, run, start } = newFolder();
    const { url } = await start();
    const code = readFileSync(join(data, 'claim-code'), 'utf8').trim();
    const renewed = await run(['renew-identity']);
    const [, replicaId] = /^This appliance is (\S+) from now on/.exec(renewed.stdout) ?? [];
    await until('it serves again', 10_000, async () => (await run(['status'])).stdout.includes(`(${replicaId})`));
    expect(readFileSync(join(data, 'claim-code'), 'utf8').trim()).toBe(code);
    const claimed = await fetch(`${url}/api/v1/claim`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code, password: 'a good long password' }),
    });
    expect(claimed.status).toBe(200);
  });

  const configured = (folder: string): SpawnOptions => ({
    cwd: folder,
    env: { ...process.env, TILLMESH_ADMIN_TOKEN: 'configured-admin-token' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });

  test('SIGTERM while a till waits for changes: it is answered, exit 0 within 5 s', async () => {
    const { start } = newFolder();
    const appliance = await start(freePorts, { TILLMESH_ADMIN_TOKEN: 'configured-admin-token' });
    const admin = createApi(appliance.url, 'configured-admin-token');
    const { next } = await admin.get<{ next: string }>('/api/v1/changes');
    const waiting = admin.get(`/api/v1/changes?wait=50&after=${encodeURIComponent(next)}`).catch((error) => error);
    const startedAt = performance.now();
    // Its own connection shows that the wait above has been taken in.
    await admin.get('/api/v1/digest');
    expect(await appliance.stop()).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(await waiting).toMatchObject({ data: [] });
  });

  test('a second signal ends it at once, though somebody is being answered', async () => {
    const { folder, file } = newFolder();
    const { child, url, ended } = await untilReady(
      spawn(node.path, [file, ...freePorts, '--log-level', 'silent'], configured(folder)),
    );
    const port = Number(new URL(url).port);
    const slow = connect(port, '127.0.0.1');
    cleanUp.push(() => slow.destroy());
    slow.on('error', () => {});
    slow.write('POST /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer configured-admin-token\r\n');
    slow.write('Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n');
    await new Promise((resolve) => slow.once('data', resolve));
    child.kill('SIGTERM');
    await until('the port closed', 5000, () =>
      fetch(`${url}/healthz`).then(
        () => false,
        () => true,
      ),
    );
    expect(child.exitCode).toBe(null);
    child.kill('SIGTERM');
    expect(await ended).toBe(1);
  });

  test('what it keeps is for its user alone', async () => {
    const { data, start } = newFolder();
    await start();
    for (const name of ['.', ...readdirSync(data)])
      expect([name, statSync(join(data, name)).mode & 0o077]).toEqual([name, 0]);
  });

  test('an addon that was tampered with is not loaded but written again', async () => {
    const { data, start } = newFolder();
    await (await start()).stop();
    const [name = ''] = readdirSync(join(data, 'addon'));
    const file = join(data, 'addon', name);
    const original = readFileSync(file);
    chmodSync(file, 0o700);
    writeFileSync(file, 'not what it was');
    const appliance = await start();
    expect((await fetch(`${appliance.url}/readyz`)).status).toBe(200);
    expect(readFileSync(file).equals(original)).toBe(true);
  });

  test('a data folder that forbids running code sends the addon elsewhere', async ({ skip }) => {
    const noexec = newNoexecFolder();
    if (!noexec) return skip('no file system can be mounted here');
    const { start } = newFolder();
    const appliance = await start([...freePorts, '--data', join(noexec, 'data')]);
    expect((await fetch(`${appliance.url}/readyz`)).status).toBe(200);
  });
});

describe('at the console of a running appliance', () => {
  test('status tells how it is; without one, how to start it', async () => {
    const { run, start } = newFolder();
    expectRefusal(await run(['status']), 1, 'no appliance runs', 'tillmesh start');
    const appliance = await start([...freePorts, '--name', 'Bar']);
    const status = await run(['status']);
    expect(status).toMatchObject({ code: 0, stderr: '' });
    for (const words of ['Bar', 'takes sales  yes', '0 tickets', 'no peers']) expect(status.stdout).toContain(words);
    appliance.kill();
    await appliance.stop();
    expectRefusal(await run(['status']), 1, 'no appliance runs');
    // Its port is another's by now.
    await newFolder().start(['--port', new URL(appliance.url).port, '--mesh-port', '0']);
    expectRefusal(await run(['revoke', 'Bar']), 1, 'no appliance runs');
    expect(await run(['token', 'admin'])).toMatchObject({ code: 0, stderr: '' });
  });

  test('B10 token admin: the one before is no longer good, running or stopped; the console’s own goes with the stop', async () => {
    const { data, run, start } = newFolder();
    expectRefusal(await run(['token', 'admin']), 1, 'no appliance was ever started');
    const appliance = await start();
    const ask = async ({ url }: ApplianceProcess, token: string) =>
      (await fetch(`${url}/api/v1/terminals`, { headers: { authorization: `Bearer ${token}` } })).status;
    const make = async () => (await run(['token', 'admin'])).stdout.trim();
    const [first, second] = [await make(), await make()];
    expect([await ask(appliance, first), await ask(appliance, second)]).toEqual([401, 200]);
    const kept = readdirSync(data)
      .map((name) => join(data, name))
      .filter((path) => statSync(path).isFile());
    for (const path of kept) expect(readFileSync(path, 'latin1')).not.toContain(second);

    const door = readFileSync(join(data, 'console.json'), 'utf8');
    expect(await ask(appliance, JSON.parse(door).token)).toBe(200);
    await appliance.stop();
    expect(existsSync(join(data, 'console.json'))).toBe(false);

    const third = await make();
    const again = await start();
    expect([await ask(again, second), await ask(again, third)]).toEqual([401, 200]);
    expect(await ask(again, JSON.parse(door).token)).toBe(401);
  });

  test('token terminal NAME: through the running appliance, or on the books of a stopped one', async () => {
    const { run, start } = newFolder();
    const first = await start();
    const made = await run(['token', 'terminal', 'Bar']);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const sell = (appliance: ApplianceProcess, token: string) =>
      createApi(appliance.url, token).post('/api/v1/tickets', { lines: [], total: 0 });
    await sell(first, made.stdout.trim());
    await first.stop();

    const madeOff = await run(['token', 'terminal', 'Terrace']);
    expect(madeOff).toMatchObject({ code: 0, stderr: '' });
    const second = await start();
    await sell(second, madeOff.stdout.trim());
    await sell(second, made.stdout.trim());
  });

  test('verify: while it runs and when it is stopped; says what was changed by hand; leaves no copy', async () => {
    const { data, run, start } = newFolder();
    expectRefusal(await run(['verify']), 1, 'no books', '--data');
    const appliance = await start(freePorts, { TILLMESH_ADMIN_TOKEN: 'configured-admin-token' });
    const lines = [{ productId: 'coffee', quantity: 2, unitPrice: 250, total: 500 }];
    await createApi(appliance.url, 'configured-admin-token').post('/api/v1/tickets', { lines, total: 500 });
    const whole = { code: 0, stderr: '', stdout: expect.stringMatching(/1 ops[\s\S]*1 tickets, 1 movements/) };
    expect(await run(['verify'])).toMatchObject(whole);
    await appliance.stop();
    expect(await run(['verify'])).toMatchObject(whole);

    const database = new Database(join(data, 'books.db'));
    database.prepare("INSERT INTO stock VALUES ('coffee', 1000, 1, 0)").run();
    database.close();
    const changed = await run(['verify']);
    expect(changed).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/fold: .*stock/) });
    expect(readdirSync(data).filter((name) => name.startsWith('verify-'))).toEqual([]);
  });

  test('config shows where each value came from, secrets masked, and writes nothing', async () => {
    const { folder, run } = newFolder();
    const env = { TILLMESH_SHOP_KEY: 'a-key-that-nobody-should-ever-read', PORT: '4000' };
    const { code, stdout } = await run(['config', '--name', 'Bar'], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}name +Bar +--name$/m);
    expect(stdout).toMatch(/^ {2}port +4000 +PORT$/m);
    expect(stdout).toMatch(/^ {2}shopKey +\*{8} +TILLMESH_SHOP_KEY$/m);
    expect(stdout).not.toContain('nobody-should-ever-read');
    expect(readdirSync(folder)).toEqual(['tillmesh.mjs']);
  });
});
