// Strays: commits of a forked origin that only one side of the fork holds. Their author closes the origin at the last
// common number and writes what followed, theirs and its own, again under new epochs, each branch under one of its own,
// for neither had seen the other. Anybody else passes them on towards the author.

import { observe } from '../core/clock.ts';
import { replicaOf } from '../core/heads.ts';
import { straysHopsMax } from '../core/limits.ts';
import type { StraysMessage } from '../core/message.ts';
import { type Draft, hex, type Op } from '../core/op.ts';
import { decodeCommit } from '../protocol/commit-codec.ts';
import type { CommitsFrame } from '../protocol/frames.ts';
import { appendLocal, beginEpoch } from '../storage/append.ts';
import { boundaryBefore, commonPastAt, compareBranch, discardBranch, draftsOf, hashAt } from '../storage/branch.ts';
import { type CommitRefusal, opsOf } from '../storage/receive.ts';
import type { OriginState } from '../storage/state.ts';
import type { Unit } from '../storage/unit.ts';
import { type ForkStatement, isVoid, statementDrafts, writtenAgainBy } from '../storage/voids.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';

export type Found = Pick<CommitsFrame, 'origin' | 'publicKey' | 'commits'> & {
  /** What we hold up to here, the holder of these commits holds, too. */
  readonly common: number;
};

export type Strays = {
  /** A peer holds these, and we do not. Tells why nothing was done: 'gap' when it may be another time. */
  found(link: Link, found: Found): CommitRefusal | undefined;
  /** The same from afar. */
  told(link: Link, message: StraysMessage): void;
  /** Whether there is anybody to pass them to, who has not just got them. */
  isWorthIt(link: Link, origin: string): boolean;
  /** Our own word from a life that this disk does not remember: what it calls void goes here, too. */
  heed(origin: string): boolean;
};

const againMs = 30_000;
const closeEveryMs = 20_000;
const messageBytesMax = 512 * 1024;

export function createStrays({ ports, storage, config, alarms, links }: MeshParts): Strays {
  const { clock, log } = ports;
  /** When strays of an origin were last passed on for what each link's peer holds. */
  const passedAt = new WeakMap<Link, Map<string, number>>();
  const isOwn = (origin: string): boolean => replicaOf(origin) === config.replicaId;
  /** Of each origin, the last commit of a branch that we have dealt with: the next may follow on it. */
  const dealtWith = new Map<string, { number: number; facts: number }>();
  let closedAt = Number.NEGATIVE_INFINITY;

  /** The author, or from where its ops come. */
  function towards(origin: string, from: Link): Link | undefined {
    const author = replicaOf(origin);
    const next =
      links.get(author) ?? [...links.values()].find((link) => link.session().wants.includes(author) && link !== from);
    return next === from ? undefined : next;
  }

  function found(link: Link, one: Found): CommitRefusal | undefined {
    if (isOwn(one.origin)) return close(one);
    const next = towards(one.origin, link);
    const known = storage.state().origins.get(one.origin);
    const hash = known && hashOf(known, one.common);
    if (!next || hash === undefined) return 'gap';
    const of = passedAt.get(link) ?? new Map<string, number>();
    passedAt.set(link, of.set(one.origin, clock.monotonic()));
    const { origin, common } = one;
    const publicKey = Buffer.from(one.publicKey).toString('base64');
    let commits: string[] = [];
    let bytes = 0;
    const send = (): void => {
      if (commits.length > 0)
        next.dispatch({
          kind: 'tell',
          message: { type: 'strays', origin, common, hash, publicKey, commits, hops: straysHopsMax },
        });
      [commits, bytes] = [[], 0];
    };
    for (const item of one.commits) {
      if (bytes + item.bytes.length > messageBytesMax) send();
      commits.push(Buffer.from(item.bytes).toString('base64'));
      bytes += item.bytes.length;
    }
    send();
    return undefined;
  }

  /** Chain head at one of our numbers, hex; undefined where no seal tells it. */
  function hashOf(known: OriginState, number: number): string | undefined {
    if (number === 0) return '0'.repeat(64);
    return number === known.head ? hex(known.hash) : hashAt(storage.handle(), known, number);
  }

  function told(link: Link, message: StraysMessage): void {
    const { origin, common, hash, hops } = message;
    if (!isOwn(origin)) {
      if (hops > 1) towards(origin, link)?.dispatch({ kind: 'tell', message: { ...message, hops: hops - 1 } });
      return;
    }
    const known = storage.state().origins.get(origin);
    if (!known || storage.doubted.has(origin)) return;
    // Whoever passed it on holds more of ours than we do, or something else: that is looked into first.
    if (hashOf(known, common) !== hash) return;
    // Each origin that is closed has all others fold their books anew: not at the word of others as often as they like.
    const now = clock.monotonic();
    if (!isVoid(storage.state(), origin, common + 1)) {
      if (now - closedAt < closeEveryMs) return;
      closedAt = now;
    }
    const commits = message.commits.flatMap((text) => {
      const bytes = new Uint8Array(Buffer.from(text, 'base64'));
      const commit = decodeCommit(origin, bytes);
      return commit ? [{ commit, bytes }] : [];
    });
    const publicKey = new Uint8Array(Buffer.from(message.publicKey, 'base64'));
    const refusal = close({ origin, common, publicKey, commits });
    if (refusal) log.warn('strays of ours were refused', { origin, from: link.peerKeyId, refusal });
  }

  /** Closes an origin of ours at the common past, or leaves it closed there, and writes again what is not yet. */
  function close(one: Found): CommitRefusal | undefined {
    const { origin, common } = one;
    let count = 0;
    let refusal: CommitRefusal | undefined;
    const written = storage.write((unit) => {
      const known = unit.state.origins.get(origin);
      // A number whose seal we hold: what cannot be shown cannot be the end.
      const past = known && commonPastAt(unit, known, boundaryBefore(unit, known, common, 0));
      if (!known || !past) return;
      const read = newsOf(unit, known, one);
      if (typeof read === 'string') {
        refusal = read;
        return;
      }
      const ours = known.head > past.number ? discardBranch(unit, known, past) : { drafts: [], discarded: [] };
      const statement = { origin, common: past.number, hash: hex(past.hash), facts: past.facts };
      writeAgain(unit, ours.drafts, { ...statement, discarded: ours.discarded });
      writeAgain(unit, draftsOf(read.ops, origin, past.number), { ...statement, discarded: read.heads });
      count = ours.discarded.length + read.heads.length;
    });
    if (!written.ok) log.error('a fork of our own origin could not be mended', { origin, detail: written.detail });
    const last = one.commits.at(-1)?.commit.seal;
    if (written.ok && !refusal && last) dealtWith.set(origin, { number: last.last, facts: last.facts });
    if (!written.ok || count === 0) return refusal;
    alarms.raise(
      `fork ${origin}`,
      'fork',
      'This appliance ran twice from copies of one disk: what both wrote is kept, the younger part under new epochs.',
    );
    log.warn('a fork of our own origin was mended', { origin, common, commits: count });
    return undefined;
  }

  /** Ops and chain heads of what is neither ours nor written again, if it is whole: its holder lets go of it then. */
  function newsOf(
    unit: Unit,
    known: OriginState,
    { origin, publicKey, common, commits }: Found,
  ): { ops: Op[]; heads: string[] } | CommitRefusal {
    const [first] = commits;
    const news = { ops: [] as Op[], heads: [] as string[] };
    if (!first) return news;
    const before = dealtWith.get(origin);
    const start = first.commit.from <= common + 1 ? commonPastAt(unit, known, common) : before;
    if (!start || first.commit.from > start.number + 1) return 'gap';
    let { facts } = start;
    for (const { commit } of commits) {
      const ops = opsOf(unit, commit, publicKey, facts);
      if (typeof ops === 'string') return ops;
      const { seal } = commit;
      facts = seal.facts;
      const isOurs = compareBranch(unit.statements, known, seal.last, hex(seal.after)) === 'same';
      if (isOurs || writtenAgainBy(unit.state, origin, seal.after)) continue;
      news.ops.push(...ops);
      news.heads.push(hex(seal.after).slice(0, 16));
    }
    return news;
  }

  /**
   * Under an epoch of its own: of two ops of one origin the later counts as having seen the earlier. The statement comes
   * last in it: whoever has heard that a branch is void holds what is written in its place.
   */
  function writeAgain(unit: Unit, drafts: readonly Draft[], statement: ForkStatement): void {
    if (statement.discarded.length === 0) return;
    beginEpoch(unit);
    for (const draft of drafts) {
      if (draft.written) unit.state.clock = observe(unit.state.clock, draft.written.stamp);
      appendLocal(unit, draft);
    }
    for (const draft of statementDrafts(statement)) appendLocal(unit, draft);
    beginEpoch(unit);
  }

  return {
    found,
    told,
    isWorthIt(link, origin) {
      const isFresh = clock.monotonic() - (passedAt.get(link)?.get(origin) ?? Number.NEGATIVE_INFINITY) < againMs;
      return !isFresh && towards(origin, link) !== undefined;
    },
    heed(origin) {
      const known = storage.state().origins.get(origin);
      const end = storage.state().voids[origin];
      const word = storage.state().forks.findLast((said) => said.origin === origin && said.common === end);
      if (!known || end === undefined || !word || known.head <= end) return false;
      // Else this disk has parted from that life before: whoever holds that one will show it.
      const isThatLife = end === 0 || hashAt(storage.handle(), known, end) === word.hash;
      if (isThatLife) close({ origin, common: end, publicKey: new Uint8Array(), commits: [] });
      return isThatLife;
    },
  };
}
