// The way from the console to the running appliance: console.json in the data folder, readable by its owner alone, says
// who serves where and holds an admin token that is good until it stops. Whoever can read it could read the books anyway.

import { once } from 'node:events';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { consoleAnswerCharsMax } from '../core/limits.ts';

export type ConsoleDoor = {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly replicaId: string;
};

const pathIn = (folder: string): string => join(folder, 'console.json');

export function openConsoleDoor(folder: string, door: ConsoleDoor): void {
  const partial = `${pathIn(folder)}.partial`;
  rmSync(partial, { force: true });
  writeFileSync(partial, `${JSON.stringify(door)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(partial, pathIn(folder));
}

export const closeConsoleDoor = (folder: string): void => rmSync(pathIn(folder), { force: true });

type Answered = { readonly status: number; readonly answer: object };

export type Asked =
  | ({ readonly ok: true } & Answered)
  /** No door; or nobody behind it, which is not running (a killed appliance leaves its door open). */
  | { readonly ok: false; readonly isRunning: boolean; readonly detail: string };

/** Said of an answer that is not as this file knows it. */
export const ofAnotherVersion = 'the appliance tells its status as another version does: start it again';

const answerMsMax = 10_000;
const statusPath = '/api/v1/p2p/status';

/** Asks the appliance that runs on the folder, and no other that has its port by now. */
export async function askRunning(
  folder: string,
  method: 'GET' | 'POST' | 'PATCH',
  path: string,
  body?: unknown,
  msMax = answerMsMax,
): Promise<Asked> {
  const door = readDoor(folder);
  const notRunning = { ok: false, isRunning: false, detail: `no appliance runs on ${folder}` } as const;
  if (!door) return notRunning;
  const silent = {
    ok: false,
    isRunning: true,
    detail: `the appliance at ${door.url} does not answer; see its log`,
  } as const;
  const signal = AbortSignal.timeout(msMax);
  try {
    const status = await askAt(door, 'GET', statusPath, undefined, signal);
    if (status.status >= 500) return silent;
    if (!isOf(door, status)) return notRunning;
    return { ok: true, ...(path === statusPath ? status : await askAt(door, method, path, body, signal)) };
  } catch {
    return signal.aborted ? silent : notRunning;
  }
}

const isOf = ({ replicaId }: ConsoleDoor, { status, answer }: Answered): boolean =>
  status === 200 && 'replicaId' in answer && answer.replicaId === replicaId;

/** Not by fetch, and with an agent of its own: the token is for this machine, whatever proxy the environment names. */
async function askAt(
  door: ConsoleDoor,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<Answered> {
  const headers = { authorization: `Bearer ${door.token}`, 'content-type': 'application/json' };
  const request = httpRequest(door.url + path, { method, headers, agent: false, signal });
  // After the answer has begun, the reading of it tells.
  request.on('error', () => {});
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response.setEncoding('utf8')) {
    text += part;
    if (text.length > consoleAnswerCharsMax) throw new Error('too long for an answer of ours');
  }
  const answer: unknown = text === '' ? {} : JSON.parse(text);
  return { status: response.statusCode ?? 0, answer: typeof answer === 'object' && answer !== null ? answer : {} };
}

function readDoor(folder: string): ConsoleDoor | undefined {
  try {
    const door: Partial<ConsoleDoor> = JSON.parse(readFileSync(pathIn(folder), 'utf8'));
    const { url, token, pid, replicaId } = door;
    const isWhole = [url, token, replicaId].every((word) => typeof word === 'string') && typeof pid === 'number';
    return isWhole ? (door as ConsoleDoor) : undefined;
  } catch {
    return undefined;
  }
}
