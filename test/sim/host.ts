// One machine with one appliance: its disk, clock and key, and the process that runs, stops, is killed, loses power.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Appliance, type ApplianceConfig, createAppliance } from '../../src/appliance.ts';
import { replicaIdOf } from '../../src/core/identity.ts';
import type { Ports, Signer } from '../../src/ports.ts';
import type { Dice } from './dice.ts';
import { createDisk, type Disk, ProcessEnded } from './disk.ts';
import type { Keyring } from './keys.ts';
import { createProcess, type Loop, type Process } from './loop.ts';
import type { Network, Station } from './network.ts';
import type { Trace } from './trace.ts';

/** Wall clock of a machine, as a function of true time. */
export type HostClock = { offsetMs: number; driftPerMs: number };

/** True time at the beginning: 20 November 2026. */
export const epochMs = Date.UTC(2026, 10, 20, 8);

export type Host = {
  readonly name: string;
  readonly address: string;
  readonly disk: Disk;
  readonly clock: HostClock;
  readonly signer: Signer;
  readonly replicaId: string;
  /** Null while nothing runs. */
  appliance(): Appliance | null;
  process(): Process;
  /** Runs and is not stopped. */
  isUp(): boolean;
  /** Is up, and its database is open. */
  isReady(): boolean;
  start(): void;
  /** SIGTERM, SIGKILL, or the plug pulled. */
  end(how: 'stop' | 'kill' | 'power'): void;
  pause(): void;
  resume(): void;
  /** It is taken away for good and never starts again. */
  retire(): void;
  isRetired(): boolean;
  /** Must be called after each event: cleans up after a process that ended inside a commit. */
  bury(): void;
  /** A slow disk: each commit takes the process's one thread for so long. */
  setCommitMs(milliseconds: number): void;
  /** How often a commit of the running process went through: rises with each. */
  commitCount(): number;
  startCount(): number;
  /** True time when the disk last did wrong. */
  diskFailedAt(): number;
  onEnded: (how: 'stop' | 'kill' | 'power', lostUnsynced: boolean) => void;
};

/** The service manager starts again what could not start. */
const restartMs = 2_000;

export type HostSetup = {
  name: string;
  address: string;
  /** Whose key it has: a cloned card has that of another host. */
  keyOf: string;
  isCopy: boolean;
  /** Starts are counted, and it is known where the last one was. */
  tells: boolean;
  folder: string;
  dice: Dice;
  loop: Loop;
  trace: Trace;
  network: Network;
  keyring: Keyring;
  config: Pick<ApplianceConfig, 'shop' | 'shopKey' | 'version' | 'migrations' | 'staticPeers'>;
};

export function createHost(setup: HostSetup): Host {
  const { name, address, dice, loop, trace, network, keyring } = setup;
  mkdirSync(setup.folder, { recursive: true });
  const disk = createDisk(join(setup.folder, 'books.db'));
  const clock: HostClock = { offsetMs: 0, driftPerMs: 0 };
  const signer = keyring.createSigner(dice.fork(`key of ${setup.keyOf}`));
  const chance = dice.fork(`random of ${name}`);
  let process = createProcess(name);
  let appliance: Appliance | null = null;
  let buried = true;
  let isRetired = false;
  let commits = 0;
  let commitMs = 0;
  let starts = 0;
  let diskFailedAt = Number.NEGATIVE_INFINITY;
  process.state = 'dead';

  const portsFor = (station: Station): Ports => ({
    clock: {
      now: () => Math.round(epochMs + loop.now() * (1 + clock.driftPerMs) + clock.offsetMs),
      monotonic: () => loop.now() + 1000,
    },
    timers: {
      after: (delayMs, run) => loop.at(loop.now() + Math.max(0, delayMs), station.process, run),
      soon: (run) => loop.soon(station.process, run),
    },
    random: { bytes: chance.bytes, fraction: chance.fraction },
    crypto: keyring.crypto,
    signer,
    log: {
      debug: () => {},
      info: (message) => trace.note(loop.now(), name, `log: ${message}`),
      warn: (message, facts) => trace.note(loop.now(), name, `warning: ${message} ${JSON.stringify(facts ?? {})}`),
      error: (message, facts) => trace.note(loop.now(), name, `error: ${message} ${JSON.stringify(facts ?? {})}`),
    },
    transport: network.transportOf(station),
    openDatabase: disk.openerFor({
      happened: (kind) => {
        diskFailedAt = loop.now();
        trace.count(loop.now(), name, `disk: ${kind}`);
      },
      ended: () => {
        station.process.state = 'dead';
      },
      committed: () => {
        commits += 1;
        if (commitMs > 0) station.process.busyUntil = loop.now() + commitMs;
      },
    }),
  });

  const start = (): void => {
    if (process.state !== 'dead' || !buried || isRetired) return;
    process = createProcess(name);
    const running: Station = {
      host: name,
      process,
      publicKey: signer.publicKey,
      accept: (connection) => appliance?.accept(connection),
    };
    starts += 1;
    buried = false;
    trace.note(loop.now(), name, 'starts');
    try {
      const made = createAppliance(portsFor(running), {
        ...setup.config,
        databasePath: disk.path,
        name,
        isFirstStart: starts === 1,
        formerId: null,
        starts: setup.tells ? starts : null,
        wroteUpTo: null,
        epoch: 0,
        home: setup.tells ? name : null,
        port: 3030,
        meshPort: 3031,
      });
      if ('detail' in made) {
        trace.note(loop.now(), name, `cannot start: ${made.detail}`);
        process.state = 'dead';
        loop.at(loop.now() + restartMs, null, start);
        return;
      }
      appliance = made;
      network.listen(address, running);
    } catch (error) {
      if (!(error instanceof ProcessEnded)) throw error;
    }
  };
  const end = (how: 'stop' | 'kill' | 'power'): void => {
    if (buried) return;
    trace.count(loop.now(), name, `process: ${how}`);
    if (how === 'stop' && process.state === 'running') appliance?.stop();
    appliance = null;
    process.state = 'dead';
    process.held = [];
    buried = true;
    network.listen(address, null);
    network.drop(process, how !== 'power');
    if (how !== 'power') disk.kill();
    const lost = how === 'power' && disk.powerCut();
    if (lost) trace.count(loop.now(), name, 'disk: unsynced commits lost');
    host.onEnded(how, lost);
  };
  const host: Host = {
    name,
    address,
    disk,
    clock,
    signer,
    replicaId: replicaIdOf(keyring.crypto.sha256, signer.publicKey),
    appliance: () => appliance,
    process: () => process,
    isUp: () => process.state === 'running' && appliance !== null,
    isReady: () => host.isUp() && appliance?.readiness().ready === true,
    start,
    end,
    pause: () => {
      if (process.state !== 'running') return;
      process.state = 'stopped';
      trace.count(loop.now(), name, 'process: stopped');
    },
    resume: () => {
      if (process.state === 'stopped') trace.note(loop.now(), name, 'process: goes on');
      loop.resume(process);
    },
    retire: () => {
      isRetired = true;
      end('power');
    },
    isRetired: () => isRetired,
    bury: () => {
      if (!buried && process.state === 'dead') end(dice.chance(0.5) ? 'power' : 'kill');
    },
    setCommitMs: (milliseconds) => {
      commitMs = milliseconds;
    },
    commitCount: () => commits,
    startCount: () => starts,
    diskFailedAt: () => diskFailedAt,
    onEnded: () => {},
  };
  return host;
}
