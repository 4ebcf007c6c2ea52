// An appliance for the tests of the HTTP edge: real storage in a folder of its own, no peers, no socket.

import crypto from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Appliance, createAppliance } from '../../src/appliance.ts';
import { assets } from '../../src/assets.ts';
import { createHttpApp, type HttpApp, type HttpOptions } from '../../src/edges/http/app.ts';
import { createClaim } from '../../src/edges/http/claim.ts';
import type { Visit } from '../../src/edges/http/origins.ts';
import {
  createOpenDatabase,
  createSystemCrypto,
  systemClock,
  systemRandom,
  systemTimers,
} from '../../src/edges/system.ts';
import type { Log, Ports, Signer } from '../../src/ports.ts';
import { claimCode } from './people.ts';

export const adminToken = 'admin-token-of-the-tests';

export type Logged = { level: string; message: string; facts: unknown };

export type TestShop = {
  appliance: Appliance;
  app: HttpApp;
  log: Logged[];
  folder: string;
  ports: Ports;
  /** As an admin, unless a token is given; null for none. */
  ask(method: string, path: string, body?: unknown, options?: AskOptions): Promise<Reply>;
  /** Makes a till and gives its token. */
  makeTill(name?: string): Promise<{ id: string; token: string }>;
};

export type AskOptions = {
  token?: string | null;
  headers?: Record<string, string>;
  /** Sent as it is, in place of JSON. */
  raw?: string | Uint8Array | ReadableStream;
  signal?: AbortSignal;
  /** From this machine, unless said otherwise. */
  visit?: Visit;
};

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export type Reply = { status: number; headers: Headers; text: string; json: any };

export type ShopOptions = { ports?: Partial<Ports>; http?: Partial<HttpOptions>; shop?: string };

export function openShop(options: ShopOptions = {}): TestShop {
  const folder = mkdtempSync(join(tmpdir(), 'tillmesh-http-'));
  const log: Logged[] = [];
  const ports: Ports = { ...systemPorts(recorder(log)), ...options.ports };
  const appliance = createAppliance(ports, {
    databasePath: join(folder, 'books.db'),
    shop: options.shop ?? 'abcdefghijklmnopqrstuvwxyz',
    shopKey: null,
    name: 'test',
    version: '0.0.0-test',
    staticPeers: [],
    isFirstStart: true,
    formerId: null,
    starts: null,
    home: null,
    wroteUpTo: null,
    epoch: 0,
    migrations: assets.migrations,
    port: 0,
    meshPort: 0,
  });
  if (!('books' in appliance)) throw new Error(appliance.detail);
  onTestFinished(() => {
    appliance.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const app = createHttpApp(appliance, {
    version: '0.0.0-test',
    clock: ports.clock,
    rateLimit: false,
    timers: ports.timers,
    random: ports.random,
    log: ports.log,
    adminTokenHashes: () => [crypto.hash('sha256', adminToken)],
    publicFiles: assets.publicFiles,
    claim: createClaim(claimCode, () => {}),
    certificatePem: 'a certificate',
    ...options.http,
  });
  const ask: TestShop['ask'] = (method, path, body, more) => request(app, method, path, body, more);
  const makeTill = async (name = 'Till 1') => (await ask('POST', '/api/v1/terminals', { name })).json;
  return { appliance, app, log, folder, ports, ask, makeTill };
}

async function request(app: HttpApp, method: string, path: string, body: unknown, options: AskOptions = {}) {
  const { token = adminToken, raw, signal, visit = { isFromHere: true } } = options;
  const headers: Record<string, string> = {};
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined || raw !== undefined) headers['Content-Type'] = 'application/json';
  Object.assign(headers, options.headers);
  const init: RequestInit & { duplex?: 'half' } = { method, headers, duplex: 'half' };
  const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  if (content !== undefined) init.body = content as string;
  if (signal) init.signal = signal;
  const response = await app.request(path, init, visit);
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '') && text !== '';
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
}

export function systemPorts(log: Log): Ports {
  return {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    crypto: createSystemCrypto(),
    signer: newSigner(),
    log,
    transport: { dial: (_address, done) => systemTimers.soon(() => done({ ok: false, reason: 'no network' })) },
    openDatabase: createOpenDatabase(),
  };
}

function newSigner(): Signer {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return {
    publicKey: spki.subarray(spki.length - 65),
    sign: (message) => crypto.sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

const recorder = (lines: Logged[]): Log => {
  const at = (level: string) => (message: string, facts?: unknown) => void lines.push({ level, message, facts });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};
