// A real appliance as a child process of the same executable, and the HTTP API of it as a person or a till uses it.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** The executable and its first arguments, such as ["node", "dist/tillmesh.mjs"]. */
export type Executable = readonly [string, ...string[]];

export type ApplianceProcess = {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** Asks for it to stop, kills it after a grace time; its exit code, null when it was killed. */
  stop(): Promise<number | null>;
  /** Ends it as a power cut would; `stop` then waits for the end. */
  kill(): void;
};

const readyMsMax = 30_000;
const graceMs = 8_000;

/** Starts one in `folder` and waits until it serves. Rejects, with what it said on standard error, when it does not. */
export async function startAppliance(
  executable: Executable,
  name: string,
  args: readonly string[],
  env: Record<string, string>,
  folder: string = process.cwd(),
): Promise<ApplianceProcess> {
  const [command, ...words] = executable;
  const child = spawn(command, [...words, 'start', '--name', name, '--host', '127.0.0.1', ...args], {
    env: { ...process.env, ...env },
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-4000);
  });
  const url = await readyUrl(child);
  if (url === undefined) {
    child.kill('SIGKILL');
    throw new Error(`${name} did not start. It said:\n${said || '(nothing)'}`);
  }
  return { name, url, pid: child.pid ?? 0, stop: () => stop(child), kill: () => void child.kill('SIGKILL') };
}

async function readyUrl(child: ChildProcess): Promise<string | undefined> {
  if (!child.stdout) return undefined;
  const lines = createInterface({ input: child.stdout });
  const tooLong = AbortSignal.timeout(readyMsMax);
  tooLong.addEventListener('abort', () => lines.close());
  for await (const line of lines) {
    const [, url] = /^ready (http:\/\/\S+)$/.exec(line) ?? [];
    if (url === undefined) continue;
    child.stdout.resume();
    return url;
  }
  return undefined;
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const grace = sleep(graceMs, undefined, { ref: false }).then(() => child.kill('SIGKILL'));
  const code = await exited;
  void grace;
  return code;
}

export type Api = {
  get<Answer>(path: string): Promise<Answer>;
  /** Sends again, with the same body, while nobody answers: ids make that harmless. */
  post<Answer>(path: string, body: unknown): Promise<Answer>;
};

const attemptsMax = 50;
const retryMs = 100;

export function createApi(url: string, token: string): Api {
  async function ask(method: string, path: string, body: string | null): Promise<Response> {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === null ? {} : { 'content-type': 'application/json' }),
    };
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(url + path, { method, headers, body, signal: AbortSignal.timeout(20_000) });
        if (response.status !== 503 || attempt === attemptsMax) return response;
        await response.body?.cancel();
      } catch (error) {
        if (attempt === attemptsMax) throw error;
      }
      await sleep(retryMs);
    }
  }
  async function answer<Answer>(method: string, path: string, body: string | null): Promise<Answer> {
    const response = await ask(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text.slice(0, 500)}`);
    return (text === '' ? null : JSON.parse(text)) as Answer;
  }
  return {
    get: (path) => answer('GET', path, null),
    post: (path, body) => answer('POST', path, JSON.stringify(body)),
  };
}

/** Every row of a list of the API. */
export async function getAll<Row>(api: Api, path: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const page: { data: Row[]; next: string | null } = await api.get(
      `${path}?limit=1000${after ? `&after=${encodeURIComponent(after)}` : ''}`,
    );
    rows.push(...page.data);
    after = page.next;
  }
  return rows;
}

/** Asks again until `isTrue`; rejects, saying what was waited for, after `msMax`. */
export async function until(what: string, msMax: number, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(msMax);
  while (!(await isTrue())) {
    if (deadline.aborted) throw new Error(`waited ${msMax / 1000} s in vain: ${what}`);
    await sleep(20);
  }
}
