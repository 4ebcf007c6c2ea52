// Everything that the client has from where it runs (a browser, Node, Bun), in one place that tests can replace: time, chance,
// network, and what can be written to. The only file of this room that touches globals which differ or do I/O.

import { createFileMedium } from './file-medium.ts';
import { openFiles } from './files.ts';
import type { DatabaseFactory } from './indexed-db.ts';
import { createIndexedDbMedium } from './indexed-db-medium.ts';
import { createMemoryMedium, type OutboxMedium } from './outbox-medium.ts';
import { uuidV7 } from './uuid.ts';

export type Socket = {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(code?: number): void;
};

/** To the other pages of the same origin. */
export type Channel = {
  post(message: unknown): void;
  close(): void;
};

export type Cancel = () => void;

export type Environment = {
  /** Wall clock, Unix milliseconds. */
  now(): number;
  /** For durations, milliseconds. */
  monotonic(): number;
  after(delayMs: number, run: () => void): Cancel;
  /** Uniform in [0, 1). */
  fraction(): number;
  randomBytes(count: number): Uint8Array;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Throws for a URL that it may not speak to. */
  openSocket(url: string, protocols: readonly string[]): Socket;
  /** Where this script and the page came from. */
  readonly servedFrom: readonly string[];
  /** A page, which has cookies; one that came by HTTPS may speak HTTPS only. */
  readonly isPage: boolean;
  readonly isSecurePage: boolean;
  /** The most durable there is; a medium that cannot be opened says so when it is loaded. */
  createMedium(name: string | undefined): OutboxMedium;
  /** What to use when that one cannot be opened; null where there is a remedy that a person should take instead. */
  createSpareMedium(): OutboxMedium | null;
  openChannel(name: string, hear: (message: unknown) => void): Channel | null;
  /** The device has a network again. */
  onNetwork(run: () => void): Cancel;
  /** Mistakes in the code of listeners. */
  report(error: unknown): void;
};

type Globals = {
  readonly indexedDB?: DatabaseFactory;
  readonly location?: { readonly href: string; readonly protocol: string };
  readonly document?: unknown;
  readonly process?: { readonly pid: number; readonly versions?: Record<string, string | undefined> };
  readonly addEventListener?: (type: string, run: () => void) => void;
  readonly removeEventListener?: (type: string, run: () => void) => void;
};

const fileSystemModule = 'node:fs/promises';
const databaseNameDefault = 'tillmesh';
const fileNameDefault = 'tillmesh-outbox.jsonl';

export function createEnvironment(): Environment {
  const globals = globalThis as unknown as Globals;
  const versions = globals.process?.versions;
  const isProgram = versions?.node !== undefined || versions?.bun !== undefined;
  const href = globals.location?.href;
  const randomBytes = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
  const createKey = (): string => uuidV7(Date.now(), randomBytes(16));

  function createMedium(name: string | undefined): OutboxMedium {
    if (globals.indexedDB) return createIndexedDbMedium(globals.indexedDB, name ?? databaseNameDefault, createKey);
    if (!isProgram) return createMemoryMedium(createKey);
    const opening = openFiles(fileSystemModule, globals.process?.pid ?? 0);
    // Whoever writes hears of it.
    opening.catch(() => undefined);
    return createFileMedium({ files: () => opening, createKey }, name ?? fileNameDefault);
  }

  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    fraction: () => Math.random(),
    randomBytes,
    fetch: (url, init) => fetch(url, init),
    openSocket: (url, protocols) => new WebSocket(url, [...protocols]) as Socket,
    servedFrom: [import.meta.url, href ?? ''].filter((url) => /^https?:/.test(url)),
    isPage: href !== undefined && !isProgram,
    isSecurePage: globals.location?.protocol === 'https:',
    createMedium,
    createSpareMedium: () => (isProgram ? null : createMemoryMedium(createKey)),
    openChannel: (name, hear) => (isProgram ? null : openChannel(name, hear)),
    onNetwork(run) {
      globals.addEventListener?.('online', run);
      return () => globals.removeEventListener?.('online', run);
    },
    report: (error) => console.error('tillmesh client:', error),
  };
}

/** Null where there is none: pages then notice each other's tickets by and by. */
function openChannel(name: string, hear: (message: unknown) => void): Channel | null {
  if (typeof BroadcastChannel === 'undefined') return null;
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }: { data: unknown }) => hear(data);
  return { post: (message) => channel.postMessage(message), close: () => channel.close() };
}
