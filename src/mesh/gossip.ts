// The same exchange by plain HTTP, for peers and tools: sealed commits by cursor, and back.

import { failure, type Outcome } from '../core/command.ts';
import { type Heads, numberAt, parseHeads } from '../core/heads.ts';
import { parseHeader } from '../core/op.ts';
import { decodeCommit } from '../protocol/commit-codec.ts';
import { protocolRange } from '../protocol/version.ts';
import { headsAtTime } from '../storage/journal.ts';
import { appendRemote } from '../storage/receive.ts';
import type { Storage } from '../storage/storage.ts';
import type { EncodedCommit } from '../storage/unit.ts';
import type { GossipCommit, Mesh } from './mesh.ts';
import type { MeshParts } from './parts.ts';

/** Bytes of commits in one answer, before base64. */
const answerBytesMax = 2 * 1024 * 1024;

export function createGossip({ storage, config, links }: MeshParts): Mesh['gossip'] {
  return {
    info: () => ({
      id: config.replicaId,
      name: config.name,
      shop: config.shop,
      version: config.version,
      protocol: protocolRange,
      heads: storage.books.heads(),
      counts: storage.books.counts(),
    }),
    changes(since, limit) {
      const from = positionOf(storage, since);
      if (!from)
        return failure(
          'cursor_malformed',
          '`since` is the `next` of an earlier answer, or a time such as 2026-11-20T08:00:00Z.',
        );
      return { ok: true, result: changesFrom(storage, from, limit) };
    },
    apply: (commits) => ({ results: commits.map((commit) => applyOne(storage, commit)) }),
    sync() {
      for (const link of links.values()) link.dispatch({ kind: 'syncRequested', bidirectional: false });
      return { asked: links.size };
    },
  };
}

/** Heads that a cursor or a time stands for. A time may give more than was asked for, never less. */
function positionOf(storage: Storage, since: string | undefined): Heads | undefined {
  if (since === undefined || since === '') return {};
  const timeMs = Date.parse(since);
  if (/^\d{4}-\d\d-\d\d/.test(since) && !Number.isNaN(timeMs)) return headsAtTime(storage.handle(), timeMs);
  if (/^\d{12,14}$/.test(since)) return headsAtTime(storage.handle(), Number(since));
  const entries = since.split(',').map((entry) => entry.split(':'));
  return parseHeads(Object.fromEntries(entries.map(([origin, number]) => [origin, Number(number)])));
}

function changesFrom(storage: Storage, from: Heads, limit: number): { commits: GossipCommit[]; next: string } {
  const heads = storage.books.heads();
  const next: Record<string, number> = { ...from };
  const commits: GossipCommit[] = [];
  let bytes = 0;
  for (const origin of Object.keys(heads).sort()) {
    while (numberAt(next, origin) < numberAt(heads, origin)) {
      const room = Math.min(limit - commits.length, 64);
      if (room <= 0 || bytes >= answerBytesMax) return { commits, next: cursorOf(next) };
      const read = storage.readCommits(origin, numberAt(next, origin), answerBytesMax - bytes).slice(0, room);
      if (read.length === 0) break;
      for (const commit of read) {
        commits.push(gossipCommit(commit));
        next[origin] = commit.last;
        bytes += commit.bytes.length;
      }
    }
  }
  return { commits, next: cursorOf(next) };
}

const cursorOf = (heads: Heads): string =>
  Object.keys(heads)
    .sort()
    .map((origin) => `${origin}:${heads[origin]}`)
    .join(',');

function gossipCommit({ origin, publicKey, last, bytes }: EncodedCommit): GossipCommit {
  const ops = decodeCommit(origin, bytes)?.ops ?? [];
  const entities = ops.flatMap((op) => {
    const header = op.kind === 'pruned' ? 'pruned' : parseHeader(op.header);
    return typeof header === 'string' ? [] : [header.entity];
  });
  return {
    origin,
    publicKey: Buffer.from(publicKey).toString('base64'),
    commit: Buffer.from(bytes).toString('base64'),
    entities: [...new Set(entities)],
    last,
  };
}

function applyOne(storage: Storage, item: GossipCommit): ReturnType<Mesh['gossip']['apply']>['results'][number] {
  const bytes = Buffer.from(item.commit, 'base64');
  const commit = decodeCommit(item.origin, bytes);
  if (!commit) return failure('commit_malformed', 'This is not a commit of a journal.');
  const publicKey = Buffer.from(item.publicKey, 'base64');
  let received: Outcome<number> = failure('storage_unavailable', 'Nothing can be written now.');
  const written = storage.write((unit) => {
    const { result, ...rest } = appendRemote(unit, commit, publicKey);
    if (result === 'applied') received = { ok: true, result: 'ops' in rest ? rest.ops : 0 };
    else if (result === 'held') received = { ok: true, result: 0 };
    else received = failure(result, refusals[result]);
  });
  if (!written.ok) return failure(written.code, written.detail);
  const outcome = received as Outcome<number>;
  return outcome.ok ? { ok: true, applied: outcome.result } : outcome;
}

const refusals = {
  gap: 'Earlier commits of this origin are missing here: send them first.',
  fork: 'This origin has written something else under the same numbers: a copied or restored disk.',
  seal_broken: 'The seal is not that of the origin: the commit was altered or belongs to another shop.',
  chain_broken: 'The ops do not belong to the seal: something was altered, dropped or reordered.',
  key_mismatch: 'The key is not that of the origin.',
  facts_withheld: 'The seal counts sales that are missing here: somebody on the way dropped them.',
  op_malformed: 'An op in this commit cannot be read.',
  too_many_origins: 'There is no room for another writer in this journal.',
};
