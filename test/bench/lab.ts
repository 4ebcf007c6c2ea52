// Everything that a bench starts, and its end: child processes get SIGTERM, then SIGKILL after a grace time; data lies on
// a real disk and is removed.

import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Api, type ApplianceProcess, createApi, startAppliance } from '../../src/demo/appliance-process.ts';
import type { Order, Outcome } from './load.ts';

export type Runtime = { readonly name: string; readonly path: string };

export type BenchAppliance = ApplianceProcess & {
  readonly admin: Api;
  readonly adminToken: string;
  readonly port: number;
  readonly folder: string;
  /** From the start of the process to its ready line. */
  readonly readyMs: number;
  /** When that line came, as performance.now() tells it. */
  readonly readyAt: number;
};

export type StartOptions = {
  readonly runtime?: Runtime;
  /** Of an appliance that was stopped; else a new one. */
  readonly folder?: string;
  /** Mesh addresses. */
  readonly peers?: readonly string[];
  readonly meshPort?: number;
};

export type Lab = {
  /** Path of a new data folder; nobody has made it yet. */
  folder(): string;
  start(name: string, options?: StartOptions): Promise<BenchAppliance>;
  /** Runs a module of this folder; `said` is its first message. */
  child(module: string, args: readonly string[]): Promise<{ said: unknown }>;
  /** Rejects when any ticket is answered with anything but 201. */
  load(order: Omit<Order, 'run'>): Promise<Outcome>;
  readonly shopKey: string;
  readonly adminToken: string;
  /** What every appliance runs. */
  readonly file: string;
  /** Ends what still runs; the folders stay until `close`. */
  stopAll(): Promise<void>;
  close(): Promise<void>;
};

const graceMs = 3_000;
/** Of statfs(2). */
const tmpfsType = 0x01021994;

/** `nodeArgs` go to every appliance on Node, such as --cpu-prof. */
export function createLab(builtFile: string, nodeArgs: readonly string[]): Lab {
  const root = mkdtempSync(join(process.env.TILLMESH_BENCH_DIR ?? tmpdir(), 'tillmesh-bench-'));
  if (statfsSync(root).type === tmpfsType) {
    rmSync(root, { recursive: true });
    throw new Error(`${root} is in memory, where an fsync costs nothing: name a folder on disk in TILLMESH_BENCH_DIR`);
  }
  // A copy: tests may build the file anew meanwhile.
  const file = join(root, 'tillmesh.mjs');
  copyFileSync(builtFile, file);
  const shopKey = randomBytes(32).toString('base64url');
  const adminToken = randomBytes(24).toString('base64url');
  let stops: (() => Promise<unknown>)[] = [];
  let loader: ChildProcess | undefined;
  let folderCount = 0;
  let orderCount = 0;

  const folder = (): string => join(root, `data-${++folderCount}`);

  async function start(name: string, options: StartOptions = {}): Promise<BenchAppliance> {
    const { runtime, peers = [], meshPort = 0 } = options;
    const data = options.folder ?? folder();
    const args = ['--data', data, '--port', '0', '--mesh-port', String(meshPort), '--no-mdns', '--rate-limit', 'off'];
    args.push('--log-level', 'warn', ...peers.flatMap((peer) => ['--peer', peer]));
    const env = { TILLMESH_SHOP_KEY: shopKey, TILLMESH_ADMIN_TOKEN: adminToken };
    const executable = [runtime?.path ?? process.execPath, ...(runtime ? [] : nodeArgs), file] as const;
    const startedAt = performance.now();
    const appliance = await startAppliance(executable, name, args, env, root);
    const readyAt = performance.now();
    stops.push(appliance.stop);
    const admin = createApi(appliance.url, adminToken);
    const port = Number(new URL(appliance.url).port);
    return { ...appliance, admin, adminToken, port, folder: data, readyMs: readyAt - startedAt, readyAt };
  }

  function run(module: string, args: readonly string[]): ChildProcess {
    const child = fork(join(import.meta.dirname, module), [...args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    stops.push(() => end(child));
    return child;
  }

  async function load(order: Omit<Order, 'run'>): Promise<Outcome> {
    loader ??= run('load.ts', []);
    orderCount += 1;
    loader.send({ ...order, run: orderCount });
    const { outcome, error } = (await firstMessage(loader, 'load.ts')) as { outcome?: Outcome; error?: string };
    if (!outcome) throw new Error(`the load generator failed: ${error}`);
    if (outcome.others > 0) throw new Error(`${outcome.others} tickets were not answered with 201`);
    return outcome;
  }

  async function stopAll(): Promise<void> {
    await Promise.allSettled(stops.map((stop) => stop()));
    stops = [];
    loader = undefined;
  }

  return {
    folder,
    start,
    load,
    file,
    shopKey,
    adminToken,
    child: async (module, args) => ({ said: await firstMessage(run(module, args), module) }),
    stopAll,
    async close() {
      await stopAll();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function firstMessage(child: ChildProcess, name: string): Promise<unknown> {
  const ended = new AbortController();
  const said = once(child, 'message', { signal: ended.signal });
  const exit = once(child, 'exit', { signal: ended.signal }).then(([code]) => Promise.reject(`${name} ended: ${code}`));
  try {
    const [message] = (await Promise.race([said, exit])) as unknown[];
    return message;
  } finally {
    said.catch(() => {});
    exit.catch(() => {});
    ended.abort();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(timer);
}
