// What is attacked: the built file, started as a shop would, with its log kept; and requests as an attacker sends them,
// with any Host, from any loopback address, over either port.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import { bun, emptyFolderWithFile, node, type Runtime } from '../built-file.ts';

/** Those of the two that are here. */
export const runtimes: readonly Runtime[] = [node, bun].filter(({ isHere }) => isHere);
if (!bun.isHere) console.warn('no Bun here: what is attacked runs on Node alone');

export const adminToken = 'the-admin-token-of-the-attacked-shop';
export const password = 'a good long password';

export type Target = {
  readonly port: number;
  readonly meshPort: number;
  readonly folder: string;
  readonly file: string;
  readonly data: string;
  /** All that it has said so far. */
  log(): string;
  stop(): Promise<void>;
};

const graceMs = 8_000;

export async function startTarget(
  runtime: Runtime,
  args: string[] = [],
  env?: Record<string, string>,
): Promise<Target> {
  const { folder, file, remove } = emptyFolderWithFile();
  const logPath = join(folder, 'said.log');
  const log = openSync(logPath, 'w');
  // On all interfaces, so that requests can come from several addresses of loopback.
  const all = ['--port', '0', '--mesh-port', '0', '--no-mdns', '--log-level', 'debug', '--name', 'target', ...args];
  const child = spawn(runtime.path, [file, 'start', ...all], {
    cwd: folder,
    env: { ...process.env, ...(env ?? { TILLMESH_ADMIN_TOKEN: adminToken }) },
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const grace = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await exited;
    clearTimeout(grace);
    process.off('exit', killWithUs);
    remove();
  };
  const url = await readyUrl(child.stdout);
  if (url === undefined) throw new Error(`the target did not start: ${readFileSync(logPath, 'utf8')}`);
  const said = (): string => readFileSync(logPath, 'utf8');
  const meshPort = Number(/"meshPort":([0-9]+)/.exec(said())?.[1]);
  const data = join(folder, 'tillmesh-data');
  return { port: Number(new URL(url).port), meshPort, folder, file, data, log: said, stop };
}

async function readyUrl(output: Readable | null): Promise<string | undefined> {
  if (!output) return undefined;
  for await (const line of createInterface({ input: output })) {
    const [, url] = /^ready (http:\/\/\S+)$/.exec(line) ?? [];
    if (url === undefined) continue;
    output.resume();
    return url;
  }
  return undefined;
}

export type Ask = {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  /** Sent as JSON, and said so. */
  readonly json?: unknown;
  readonly token?: string;
  /** Address that it comes from. */
  readonly from?: string;
  /** Over the TLS port. */
  readonly isTls?: boolean;
};

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export type Reply = { status: number; headers: http.IncomingHttpHeaders; text: string; json: any };

export function ask({ port, meshPort }: Target, path: string, asked: Ask = {}): Promise<Reply> {
  const { method = 'GET', json, token, from, isTls = false } = asked;
  const body = json === undefined ? asked.body : JSON.stringify(json);
  const headers: Record<string, string> = {};
  if (json !== undefined) headers['content-type'] = 'application/json';
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body));
  Object.assign(headers, asked.headers);
  const options = { host: '127.0.0.1', path, method, headers, agent: false, ...(from ? { localAddress: from } : {}) };
  return new Promise((resolve, reject) => {
    const request = isTls
      ? https.request({ ...options, port: meshPort, rejectUnauthorized: false })
      : http.request({ ...options, port });
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(replyOf(response, Buffer.concat(chunks).toString())));
    });
    request.on('error', reject);
    request.end(body);
  });
}

function replyOf({ statusCode = 0, headers }: http.IncomingMessage, text: string): Reply {
  const isJson = /json/.test(headers['content-type'] ?? '') && text !== '';
  return { status: statusCode, headers, text, json: isJson ? JSON.parse(text) : undefined };
}

/** Sends bytes as they are; resolves with all that comes back until the other end closes. */
export function talk({ port, meshPort }: Target, text: string, isTls = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = isTls
      ? tls.connect({ port: meshPort, host: '127.0.0.1', rejectUnauthorized: false })
      : net.connect(port, '127.0.0.1');
    socket.write(text);
    let heard = '';
    socket.on('data', (data: Buffer) => {
      heard += data.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(heard));
  });
}

/** A request to become a WebSocket; the status line of the answer. */
export async function upgrade(target: Target, path: string, headers: Record<string, string>, isTls = false) {
  const all = {
    Host: `127.0.0.1:${isTls ? target.meshPort : target.port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const heard = await talk(target, `GET ${path} HTTP/1.1\r\n${head.join('')}\r\n`, isTls);
  return { status: Number(heard.split(' ')[1]), text: heard };
}

export const admin = (json?: unknown): Ask => ({
  token: adminToken,
  ...(json === undefined ? {} : { method: 'POST', json }),
});

/** A till and its token. */
export const makeTill = async (
  target: Target,
  body: object = { name: 'Till 1' },
): Promise<{ id: string; token: string }> => (await ask(target, '/api/v1/terminals', admin(body))).json;

export const sale = (id: string) => ({
  id,
  lines: [{ name: 'Coffee', quantity: 1, unitPrice: 250, total: 250 }],
  total: 250,
});

export const product = (id: string, more: object = {}) => ({
  id,
  name: 'Coffee',
  price: 250,
  currency: 'EUR',
  ...more,
});

/** Logs somebody in, or tries to; what a browser would send from then on. */
export async function logIn(target: Target, more: Ask = {}, user = 'ada', word = password) {
  const reply = await ask(target, '/api/v1/session', { method: 'POST', json: { user, password: word }, ...more });
  const cookie = reply.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  return { ...reply, cookie, withCsrf: { cookie, 'x-csrf-token': String(reply.json?.csrfToken ?? '') } };
}
