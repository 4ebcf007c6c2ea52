// Appliances of the built file in hosts of the lab, as a shop has them: each on a host of its own, at the ports that every
// appliance has, asked over HTTP from inside its host.

import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { MeshStatus, PeerStatus } from '../../src/mesh/mesh.ts';
import { type Ended, emptyFolderWithFile, node, type Runtime } from '../built-file.ts';
import { until } from '../waiting.ts';
import { createLab, type Lab, type Line, type Program, programOf, whyNot } from './lab.ts';

export type Status = Pick<MeshStatus, 'replicaId' | 'shop' | 'connected' | 'alarms' | 'peers' | 'discovery'>;

/** The host's disk: what an appliance leaves there is found by the next one that starts on it. */
export type Place = {
  readonly host: number;
  readonly name: string;
  start(...words: string[]): Promise<Appliance>;
  /** A command of the console, to its end. */
  console(...words: string[]): Promise<Ended>;
};

export type Appliance = {
  readonly host: number;
  readonly name: string;
  readonly replicaId: string;
  /** When it said that it is ready (monotonic milliseconds). */
  readonly readyAt: number;
  /** Lines of its log so far. */
  readonly log: readonly Line[];
  status(): Promise<Status>;
  digest(): Promise<Record<string, unknown>>;
  sell(ticketId: string): Promise<void>;
  hasTicket(ticketId: string): Promise<boolean>;
  /** The signal is sent when this returns; `ended` then waits. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): void;
  readonly ended: Promise<number | null>;
};

export type PlaceOptions = { readonly shopKey?: string | null; readonly runtime?: Runtime };

export type LabShop = {
  readonly lab: Lab;
  /** With an empty disk; what runs on it ends with the test, or with `clear`. */
  place(host: number, name: string, options?: PlaceOptions): Place;
  /** HOST:PORT of a host's mesh port. */
  meshOf(host: number): string;
  /** Ends all that runs on places, and undoes every fault; done after each test. */
  clear(): Promise<void>;
};

export const shopKey = 'the key of the shop in the lab, long enough';
/** The admin token of every appliance in the lab. */
export const token = 'a-token-for-the-tests-in-the-lab';

/** Why there is no lab here, or null. */
export const labMissing = whyNot();
export const titled = (title: string): string => (labMissing ? `${title} (skipped: ${labMissing})` : title);

/** A lab for all tests of a `describe`; `shop` may be used from its first test on. */
export function useLab(hostCount: number, network: string): LabShop {
  let lab: Lab;
  let asks: ((question: object) => Promise<Answer>)[] = [];
  let built: ReturnType<typeof emptyFolderWithFile>;
  let placeCount = 0;
  let running: Program[] = [];
  beforeAll(() => {
    built = emptyFolderWithFile();
    lab = createLab(hostCount, { name: `tmlab${network.replaceAll('.', '-')}p${process.pid}`, network });
    asks = Array.from({ length: hostCount }, (_, index) => openAsker(lab, index + 1));
  }, 30_000);
  afterAll(() => {
    lab?.down();
    built?.remove();
  }, 30_000);

  function place(host: number, name: string, options: PlaceOptions = {}): Place {
    const { path } = options.runtime ?? node;
    const data = join(built.folder, `${name}-${placeCount++}`);
    const key = options.shopKey === undefined ? shopKey : options.shopKey;
    const env = { TILLMESH_ADMIN_TOKEN: token, ...(key === null ? {} : { TILLMESH_SHOP_KEY: key }) };
    const run = (words: readonly string[]): Program => {
      const program = programOf(lab.spawn(host, [path, built.file, ...words, '--data', data], env));
      running.push(program);
      return program;
    };
    const ask = (question: object) => {
      const asking = asks[host - 1];
      if (!asking) throw new Error(`no host ${host}`);
      return asking(question);
    };
    return {
      host,
      name,
      async start(...words) {
        const program = run(['start', '--name', name, ...words]);
        const ready = program.line(({ text }) => String(text).startsWith('ready http://'));
        const first = await Promise.race([ready, program.ended]);
        const readyAt = performance.now();
        if (first === null || typeof first === 'number')
          throw new Error(`${name} did not start: ${JSON.stringify(program.lines)}`);
        return applianceOf({ host, name, readyAt, program }, ask);
      },
      async console(...words) {
        const program = run(words);
        const code = await program.ended;
        return { code, stdout: program.lines.map(({ text }) => text).join('\n'), stderr: '' };
      },
    };
  }

  async function clear(): Promise<void> {
    await Promise.all(running.map(end));
    running = [];
    lab.fault('heal-all');
  }
  afterEach(clear, 30_000);

  return {
    get lab() {
      return lab;
    },
    place,
    meshOf: (host) => `${lab.address(host)}:3031`,
    clear,
  };
}

const graceMs = 8_000;

async function end(program: Program): Promise<void> {
  const grace = setTimeout(() => program.kill('SIGKILL'), graceMs);
  program.kill('SIGTERM');
  await program.ended;
  clearTimeout(grace);
}

type Answer = { readonly id: number; readonly status?: number; readonly answer?: unknown; readonly failure?: string };

function openAsker(lab: Lab, host: number): (question: object) => Promise<Answer> {
  const child = lab.spawn(host, [node.path, join(import.meta.dirname, 'asker-program.ts'), token]);
  const waiting = new Map<number, (answer: Answer) => void>();
  let count = 0;
  child.stderr?.resume();
  if (child.stdout)
    createInterface({ input: child.stdout }).on('line', (text) => {
      const answer = JSON.parse(text) as Answer;
      waiting.get(answer.id)?.(answer);
      waiting.delete(answer.id);
    });
  return (question) =>
    new Promise((resolve) => {
      const id = count++;
      waiting.set(id, resolve);
      child.stdin?.write(`${JSON.stringify({ ...question, id })}\n`);
    });
}

type Started = { readonly host: number; readonly name: string; readonly readyAt: number; readonly program: Program };

async function applianceOf(
  { program, ...facts }: Started,
  ask: (question: object) => Promise<Answer>,
): Promise<Appliance> {
  async function get<Got>(path: string): Promise<Got> {
    const { status, answer, failure } = await ask({ method: 'GET', path });
    if (status === 200) return answer as Got;
    throw new Error(`${facts.name} answered ${path} with ${status ?? failure}`);
  }
  const status = () => get<Status>('/api/v1/p2p/status');
  const { replicaId } = await status();
  return {
    ...facts,
    replicaId,
    log: program.lines,
    status,
    digest: () => get('/api/v1/digest'),
    async sell(id) {
      const { status, failure } = await ask({ method: 'POST', path: '/api/v1/tickets', body: sale(id) });
      if (status !== 201) throw new Error(`${facts.name} answered a sale with ${status ?? failure}`);
    },
    hasTicket: async (id) => (await ask({ method: 'GET', path: `/api/v1/tickets/${id}` })).status === 200,
    signal: (signal) => program.kill(signal),
    ended: program.ended,
  };
}

const sale = (id: string) => ({
  id,
  currency: 'EUR',
  lines: [{ productId: 'coffee', name: 'Coffee', quantity: 1, unitPrice: 250, total: 250 }],
  payments: [{ method: 'cash', amount: 250 }],
  total: 250,
});

// What tests look for

type Known = Pick<Appliance, 'replicaId'>;

export const peerIn = ({ peers }: Status, { replicaId }: Known): PeerStatus | undefined =>
  peers.find(({ id }) => id === replicaId);

export const isLinkedIn = (status: Status, other: Known): boolean =>
  ['connected', 'syncing'].includes(peerIn(status, other)?.state ?? '');

export const isLinked = async (one: Appliance, other: Known): Promise<boolean> => isLinkedIn(await one.status(), other);

export const alarmIn = ({ alarms }: Status, code: string) => alarms.find((alarm) => alarm.code === code);

/** Each of them with each. */
export const allLinked = async (...all: Appliance[]): Promise<boolean> => {
  const statuses = await Promise.all(all.map((one) => one.status()));
  return statuses.every((status) =>
    all.every((other) => other.replicaId === status.replicaId || isLinkedIn(status, other)),
  );
};

/** Waits until all of them hold the same books. */
export const equal = (...all: Appliance[]): Promise<void> =>
  until(
    `equal books at ${all.map(({ name }) => name).join(', ')}`,
    async () => {
      const digests = await Promise.all(all.map((one) => one.digest()));
      const texts = digests.map(({ heads, ...parts }) =>
        JSON.stringify([Object.entries(heads as object).sort(), parts]),
      );
      return new Set(texts).size === 1;
    },
    30_000,
  );
