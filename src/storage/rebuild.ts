// Books made anew from their own journal, in a file beside them: every commit whose seal and chain are good is folded again,
// in small transactions between other work. What is not good is left out, with all that follows on it of that origin:
// peers send it. Nothing here is changed but that file.

import type { Origin } from '../core/heads.ts';
import { batchBytesTarget } from '../core/limits.ts';
import type { Ports } from '../ports.ts';
import { decodeCommit } from '../protocol/commit-codec.ts';
import { appendRemote } from './receive.ts';
import type { StorageState } from './state.ts';
import type { EncodedCommit, Unit } from './unit.ts';

/** What is needed of a storage here. */
export type Journal = {
  state(): StorageState;
  readCommits(origin: Origin, after: number, bytesMax: number): EncodedCommit[];
  write(work: (unit: Unit) => void): { readonly ok: true } | { readonly ok: false; readonly detail: string };
  close(): void;
};

/** Calls `done` once, with why it could not be done, or undefined; not at all when `isStopped`. `fresh` is closed then. */
export function rebuildInto(
  { timers }: Ports,
  fresh: Journal,
  ours: Journal,
  isStopped: () => boolean,
  done: (failed: string | undefined) => void,
): void {
  const origins = [...ours.state().origins.keys()];

  function next(origin: string | undefined, after: number): void {
    if (isStopped()) return fresh.close();
    try {
      step(origin, after);
    } catch (error) {
      fresh.close();
      done(String(error));
    }
  }

  function step(origin: string | undefined, after: number): void {
    if (origin === undefined) {
      fresh.close();
      return done(undefined);
    }
    const last = copyFrom(origin, after);
    if (typeof last === 'string') throw new Error(last);
    const [goOn, from] = last > after ? [origin, last] : [origins.shift(), 0];
    timers.soon(() => next(goOn, from));
  }

  /** How far it got: no further than `after` when there is nothing more that is good. */
  function copyFrom(origin: string, after: number): number | string {
    let last = after;
    const commits = ours.readCommits(origin, after, batchBytesTarget);
    if (commits.length === 0) return last;
    const written = fresh.write((unit) => {
      for (const { bytes, publicKey, last: end } of commits) {
        const commit = decodeCommit(origin, bytes);
        const received = commit && appendRemote(unit, commit, publicKey);
        if (received?.result !== 'applied') return;
        last = end;
      }
    });
    return written.ok ? last : written.detail;
  }

  next(origins.shift(), 0);
}
