// What the machine allows, measured beside the figures: appends with fsync; a bare WebSocket inside TLS 1.3 to another
// process; a bare idle process; and how busy the machine is without us.

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { WebSocket } from 'ws';
import type { Lab } from './lab.ts';
import { medianOf } from './statistics.ts';

/** Appends of `bytes` to one file, each with an fsync, for about `ms`. */
export function appendsPerSecond(lab: Lab, bytes: number, ms: number): number {
  const folder = lab.folder();
  mkdirSync(folder);
  const file = openSync(join(folder, 'appends'), 'a');
  const block = randomBytes(bytes);
  const startedAt = performance.now();
  let count = 0;
  for (; performance.now() - startedAt < ms; count++) {
    writeSync(file, block);
    fsyncSync(file);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  closeSync(file);
  return count / seconds;
}

export type BareLink = {
  /** 1 KB there, fsynced, and an answer back: milliseconds of each, sorted. */
  roundTripsWithFsync(count: number): Promise<number[]>;
  /** Milliseconds for a new connection to carry `bytes`, until they are fsynced and that is answered. Median of five. */
  transferMs(bytes: number): Promise<number>;
  /** Milliseconds from dialing to the first answer over a new connection. Median of five. */
  handshakeMs(): Promise<number>;
};

const frameBytes = 64 * 1024;
const onlyAnswer = Buffer.from([2]);

export async function createBareLink(lab: Lab): Promise<BareLink> {
  const folder = lab.folder();
  mkdirSync(folder);
  const { said } = await lab.child('echo-server.ts', [folder]);
  const { port } = said as { port: number };
  return {
    async roundTripsWithFsync(count) {
      const block = randomBytes(1024);
      block[0] = 1;
      const webSocket = await openWebSocket(port);
      const times: number[] = [];
      for (let index = 0; index < count; index++) {
        const startedAt = performance.now();
        await answerTo(webSocket, [block]);
        times.push(performance.now() - startedAt);
      }
      webSocket.terminate();
      return times.sort((a, b) => a - b);
    },
    transferMs(bytes) {
      const frames = Array.from({ length: Math.ceil(bytes / frameBytes) }, () => randomBytes(frameBytes));
      frames.forEach((frame, index) => {
        frame[0] = index === frames.length - 1 ? 1 : 0;
      });
      return medianOfFive(port, frames);
    },
    handshakeMs: () => medianOfFive(port, [onlyAnswer]),
  };
}

async function medianOfFive(port: number, frames: readonly Buffer[]): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < 5; index++) {
    const startedAt = performance.now();
    const webSocket = await openWebSocket(port);
    await answerTo(webSocket, frames);
    times.push(performance.now() - startedAt);
    webSocket.terminate();
  }
  return medianOf(times);
}

function openWebSocket(port: number): Promise<WebSocket> {
  const socket = connect({ port, host: '127.0.0.1', minVersion: 'TLSv1.3', rejectUnauthorized: false, servername: '' });
  const webSocket = new WebSocket('wss://bare/', { perMessageDeflate: false, createConnection: () => socket });
  return new Promise((resolve, reject) => {
    webSocket.once('error', reject);
    webSocket.once('open', () => resolve(webSocket));
  });
}

const answerTo = (webSocket: WebSocket, frames: readonly Buffer[]): Promise<void> =>
  new Promise((resolve) => {
    webSocket.once('message', () => resolve());
    for (const frame of frames) webSocket.send(frame);
  });

/** Share of all cores that others take while we do nothing, 0 to 1. */
export async function busyShare(ms: number): Promise<number> {
  const before = machineTimes();
  await sleep(ms);
  const after = machineTimes();
  return 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);
}

/** In ticks, of all cores together. */
function machineTimes(): { idle: number; all: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const fields = line.split(/\s+/).slice(1, 9).map(Number);
  return { idle: (fields[3] ?? 0) + (fields[4] ?? 0), all: fields.reduce((sum, field) => sum + field, 0) };
}

/** CPU time of all threads of a process so far, in milliseconds. */
export function cpuMsOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const times = tasks.map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]));
  return times.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6;
}

export const residentMiBOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
