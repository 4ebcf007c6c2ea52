// The way from the console to the running appliance: console.json in the data folder, readable by its owner alone, says
// where it serves and holds an admin token that is good until it stops. Whoever can read it could read the books anyway.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type ConsoleDoor = { readonly url: string; readonly token: string; readonly pid: number };

const pathIn = (folder: string): string => join(folder, 'console.json');

export function openConsoleDoor(folder: string, door: ConsoleDoor): void {
  const partial = `${pathIn(folder)}.partial`;
  rmSync(partial, { force: true });
  writeFileSync(partial, `${JSON.stringify(door)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(partial, pathIn(folder));
}

export const closeConsoleDoor = (folder: string): void => rmSync(pathIn(folder), { force: true });

export type Asked =
  | { readonly ok: true; readonly status: number; readonly answer: unknown }
  /** No door; or nobody behind it, which is not running (a killed appliance leaves its door open). */
  | { readonly ok: false; readonly isRunning: boolean; readonly detail: string };

const answerMsMax = 10_000;

/** Asks the appliance that runs on the folder. */
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
  try {
    const response = await fetch(door.url + path, {
      method,
      headers: { authorization: `Bearer ${door.token}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(msMax),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { ok: true, status: response.status, answer: await response.json() };
  } catch (error) {
    const isTimeout = error instanceof Error && error.name === 'TimeoutError';
    const detail = `the appliance at ${door.url} does not answer; see its log`;
    return isTimeout ? { ok: false, isRunning: true, detail } : notRunning;
  }
}

function readDoor(folder: string): ConsoleDoor | undefined {
  try {
    const door: Partial<ConsoleDoor> = JSON.parse(readFileSync(pathIn(folder), 'utf8'));
    const { url, token, pid } = door;
    return typeof url === 'string' && typeof token === 'string' && typeof pid === 'number'
      ? { url, token, pid }
      : undefined;
  } catch {
    return undefined;
  }
}
