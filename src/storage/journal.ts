// Reads of the journal as commits, for peers. What was just written is served from memory, so that a live push to several
// peers reads nothing from disk and encodes nothing twice.

import type { Origin } from '../core/heads.ts';
import { recentCommitBytesMax } from '../core/limits.ts';
import type { Commit, Op } from '../core/op.ts';
import { encodeCommit } from '../protocol/commit-codec.ts';
import type { Handle } from './open.ts';
import type { OriginState } from './state.ts';
import type { CommitRow, OpRow } from './statements.ts';
import { type EncodedCommit, indexOfKey, keyOf, lastKeyOf, numberOfKey } from './unit.ts';

export type RecentCommits = {
  add(commit: EncodedCommit): void;
  get(origin: Origin, first: number): EncodedCommit | undefined;
  clear(): void;
};

/** The latest commits, oldest out first when `recentCommitBytesMax` is reached. */
export function createRecentCommits(): RecentCommits {
  const commits = new Map<string, EncodedCommit>();
  let bytes = 0;
  return {
    add(commit) {
      const key = `${commit.origin}#${commit.first}`;
      if (commits.has(key)) return;
      commits.set(key, commit);
      bytes += commit.bytes.length;
      for (const [oldest, { bytes: old }] of commits) {
        if (bytes <= recentCommitBytesMax) break;
        commits.delete(oldest);
        bytes -= old.length;
      }
    },
    get: (origin, first) => commits.get(`${origin}#${first}`),
    clear() {
      commits.clear();
      bytes = 0;
    },
  };
}

/** Commits of one origin after number `after`, in order: at least one if there is any, then up to `bytesMax`. */
export function readCommits(
  handle: Handle,
  recent: RecentCommits,
  origin: OriginState,
  after: number,
  bytesMax: number,
): EncodedCommit[] {
  const commits: EncodedCommit[] = [];
  let bytes = 0;
  for (let number = after; number < origin.head && (commits.length === 0 || bytes < bytesMax); ) {
    const commit = recent.get(origin.origin, number + 1) ?? readCommit(handle, origin, number);
    if (!commit) break;
    commits.push(commit);
    bytes += commit.bytes.length;
    number = commit.last;
  }
  return commits;
}

function readCommit(handle: Handle, origin: OriginState, after: number): EncodedCommit | undefined {
  const { statements } = handle;
  const row = statements.commitFrom.get(keyOf(origin.index, after + 1), lastKeyOf(origin.index));
  if (!row) return undefined;
  const commit = commitOf(
    origin,
    row,
    after,
    row.live === 0 ? [] : statements.opsBetween.all(keyOf(origin.index, row.first), row.key),
  );
  const { first, last } = commit.seal;
  return { origin: origin.origin, publicKey: origin.publicKey, first, last, bytes: encodeCommit(commit) };
}

/** A commit from its rows; `after` is the number up to which the reader already holds everything. */
export function commitOf(origin: OriginState, row: CommitRow, after: number, ops: readonly OpRow[]): Commit {
  return {
    from: Math.min(after + 1, row.first),
    seal: {
      origin: origin.origin,
      first: row.first,
      last: numberOfKey(row.key),
      facts: row.facts,
      before: row.before,
      after: row.after,
      signature: row.signature,
    },
    ops: ops.map(opOf),
  };
}

export function opOf(row: OpRow): Op {
  if (row.header !== null && typeof row.payload === 'string')
    return { kind: 'whole', header: row.header, payload: row.payload };
  const bytes = row.payload as Buffer;
  if (row.header !== null) return { kind: 'erased', header: row.header, payloadHash: bytes };
  return { kind: 'pruned', headerHash: bytes.subarray(0, 32), payloadHash: bytes.subarray(32, 64) };
}

/** Heads as they were before anything that arrived at or after a time (Unix milliseconds, as this appliance told it). */
export function headsAtTime(handle: Handle, timeMs: number): Record<string, number> {
  const { state, statements } = handle;
  const heads: Record<string, number> = {};
  for (const origin of state.origins.values()) if (origin.head > 0) heads[origin.origin] = origin.head;
  // Arrival times never go back, so the first row of the range is found by halving.
  let [low, high] = [1, state.seq + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = statements.changesAfter.all(middle - 1, 1);
    if (row && row.at < timeMs) low = row.seq + 1;
    else high = middle;
  }
  if (low === 1) return {};
  for (let after = low - 1; ; ) {
    const rows = statements.changesAfter.all(after, 1000);
    for (const row of rows) {
      const origin = state.originsByIndex.get(indexOfKey(row.op))?.origin;
      if (origin) heads[origin] = Math.min(heads[origin] ?? 0, numberOfKey(row.op) - 1);
      after = row.seq;
    }
    if (rows.length < 1000) break;
  }
  return Object.fromEntries(Object.entries(heads).filter(([, number]) => number > 0));
}
