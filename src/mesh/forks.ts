// What came broken, and what shows a fork. Broken commits are kept as evidence, and their origin is no longer taken from
// that peer: others go on. A fork is looked into (past.ts) and mended by its author (strays.ts); what an author has called
// void goes as soon as we hear it.

import { type Heads, replicaOf } from '../core/heads.ts';
import { refusalsPerLinkMax } from '../core/limits.ts';
import type { StraysMessage } from '../core/message.ts';
import type { CommitsFrame } from '../protocol/frames.ts';
import { addEvidence, compareBranch, discardBranch, voidPart } from '../storage/branch.ts';
import type { CommitRefusal, Received } from '../storage/receive.ts';
import type { OriginState } from '../storage/state.ts';
import type { Unit } from '../storage/unit.ts';
import { isVoid, readStatement, writtenAgainBy } from '../storage/voids.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';
import { createPast, isForkOf } from './past.ts';
import { createStrays } from './strays.ts';

export type Forks = {
  /** A frame has been dealt with, and this became of its commits. */
  settled(link: Link, frame: CommitsFrame, results: readonly Received[]): void;
  /** Looks for forks in heads and chain hashes that a peer tells. */
  compare(link: Link, heads: Heads, hashes: Readonly<Record<string, string>>): void;
  /** A link has ended: its search ends with it. The next one begins anew. */
  forget(link: Link): void;
  /** Every second. */
  expire(): void;
  /** Replicas whose past is looked for on this link, so that they are wanted from it; and where to ask from. */
  searchedOn(link: Link): string[];
  askFrom(link: Link): Heads;
  /** Commits came that were found by a peer elsewhere, for us or for their author behind us. */
  strays(link: Link, message: StraysMessage): void;
  /** A peer cannot place what we wrote under these origins, though we see no fork: have it send its own history of them. */
  complained(link: Link, origins: readonly string[]): void;
  /** Books and heads are equal on this link: whatever had parted is one again. */
  level(link: Link): void;
  /** Lets go of branches that their authors call void. */
  follow(statements: Unit['forkStatements']): void;
  /** The same for all that was said before, and had to wait. */
  followAll(): void;
};

const dropEveryMs = 30_000;

export function createForks(parts: MeshParts): Forks {
  const { ports, storage, config, alarms, links } = parts;
  const droppedAt = new Map<string, number>();
  /** What was refused on each link. */
  const evidenceOf = new WeakMap<Link, Set<string>>();
  /** Chain heads that each link's peer told last. */
  const toldBy = new WeakMap<Link, Readonly<Record<string, string>>>();
  const strays = createStrays(parts);
  const past = createPast(parts, strays, quarantine);
  const isOwn = (origin: string): boolean => replicaOf(origin) === config.replicaId;

  function settled(link: Link, frame: CommitsFrame, results: readonly Received[]): void {
    results.forEach(({ result }, index) => {
      const isLookedInto = isForkOf(result) && (isOwn(frame.origin) || past.isSearched(link, frame.origin));
      const isHere = result === 'applied' || result === 'held';
      if (!isHere && result !== 'gap' && !isLookedInto) refused(link, frame, index, result);
    });
    past.arrived(link, frame, results);
  }

  function refused(link: Link, frame: CommitsFrame, index: number, refusal: CommitRefusal): void {
    const commit = frame.commits[index]?.commit;
    const replica = replicaOf(frame.origin);
    if (!commit) return;
    if (isForkOf(refusal)) {
      if (dropVoidBranch(frame.origin)) return;
      // Its holder has not heard yet what the author said: until then this origin is not taken from there.
      if (isVoid(storage.state(), frame.origin, commit.seal.last)) return setAside(link, frame.origin);
    }
    const shown = evidenceOf.get(link) ?? new Set();
    evidenceOf.set(link, shown);
    // One of each is evidence; a thousand would only fill the disk.
    if (shown.has(`${refusal} ${replica}`)) return quarantine(link, frame.origin, refusal);
    if (shown.size >= refusalsPerLinkMax) return link.close('too much of what it sent was broken');
    shown.add(`${refusal} ${replica}`);
    keepEvidence(frame, index, refusal);
    quarantine(link, frame.origin, refusal);
  }

  function setAside(link: Link, origin: string): void {
    if (link.forked.has(origin)) return;
    link.forked.add(origin);
    parts.replan();
  }

  /** A fork concerns one origin: what its author says under its next epoch must still come through. */
  function quarantine(link: Link, origin: string, refusal: CommitRefusal): void {
    const replica = replicaOf(origin);
    const [set, name] = isForkOf(refusal) ? [link.forked, origin] : [link.refused, replica];
    if (set.has(name)) return;
    set.add(name);
    const [from, author] = [link.peer?.name ?? link.peerKeyId, parts.peers.get(replica)?.name ?? replica];
    // What bears no good seal may name anybody: it says something of the sender alone.
    const cause = refusal === 'key_mismatch' || refusal === 'seal_broken' ? link.peerKeyId : replica;
    alarms.raise(
      `${refusal} ${cause}`,
      refusal,
      `What ${author} wrote came ${words[refusal]} from ${from}: it is kept aside, all else goes on.`,
    );
    ports.log.error('commits were refused', { refusal, author: replica, from: link.peerKeyId });
    parts.replan();
  }

  function keepEvidence(frame: CommitsFrame, index: number, refusal: CommitRefusal): void {
    const item = frame.commits[index];
    if (!item) return;
    storage.note(({ statements }) =>
      addEvidence(statements, ports.clock.now(), frame.origin, item.commit.seal.last, refusal, item.bytes),
    );
  }

  function compare(link: Link, heads: Heads, hashes: Readonly<Record<string, string>>): void {
    followAll();
    const toldBefore = toldBy.get(link) ?? {};
    toldBy.set(link, hashes);
    for (const [origin, hash] of Object.entries(hashes)) {
      const number = heads[origin] ?? 0;
      // It holds something else now than what could not be placed.
      if (link.forked.has(origin) && toldBefore[origin] !== hash) link.forked.delete(origin);
      const known = storage.state().origins.get(origin);
      if (!known || (known.head === 0 && !isVoid(storage.state(), origin, 1))) continue;
      const isNews = toldBefore[origin] !== hash;
      if (isOwn(origin)) compareOwn(link, known, number, hash, isNews);
      else compareOther(link, known, number, hash, isNews);
    }
  }

  function compareOwn(link: Link, known: OriginState, number: number, hash: string, isNews: boolean): void {
    const { origin, head } = known;
    const relation = compareBranch(storage.handle().statements, known, number, hash);
    if (relation === 'same') return past.same(link, origin);
    // It will hear what we said of that, or has been asked for all of it.
    if (writtenAgainBy(storage.state(), origin, hash)) return setAside(link, origin);
    if (link.forked.has(origin) && !isNews) return;
    const isOurEndUnsure = isVoid(storage.state(), origin, head);
    const isMore = number > head && (isVoid(storage.state(), origin, number) || !past.isProven(link, origin));
    if (relation === 'fork' || isMore || isOurEndUnsure) past.look(link, origin, number);
  }

  function compareOther(link: Link, known: OriginState, number: number, hash: string, isNews: boolean): void {
    const { origin } = known;
    if (writtenAgainBy(storage.state(), origin, hash)) return setAside(link, origin);
    const isFork = compareBranch(storage.handle().statements, known, number, hash) === 'fork';
    if (isFork) quarantine(link, origin, 'fork');
    else if (isVoid(storage.state(), origin, number)) setAside(link, origin);
    else if (!link.forked.has(origin)) return;
    // Its author may be linked to both of us: only what stays so is passed on.
    if (!isNews) past.look(link, origin, number);
  }

  function follow(said: Unit['forkStatements']): void {
    for (const { payload } of said) {
      const origin = readStatement(payload)?.origin;
      if (origin === undefined) continue;
      const replica = replicaOf(origin);
      if (isOwn(origin)) heed(origin);
      else dropVoidBranch(origin);
      alarms.clear(`fork ${replica}`);
      for (const link of links.values())
        for (const other of link.forked) if (replicaOf(other) === replica) link.forked.delete(other);
      parts.replan();
    }
  }

  function followAll(): void {
    const origins = new Set(storage.state().forks.map(({ origin }) => origin));
    for (const origin of origins) isOwn(origin) ? heed(origin) : dropVoidBranch(origin);
  }

  function heed(origin: string): void {
    if (!strays.heed(origin)) return;
    parts.replan();
    for (const link of links.values()) link.dispatch({ kind: 'askAgain' });
  }

  /** Lets go of what we hold of another's origin and its author has written again. Tells whether it did. */
  function dropVoidBranch(origin: string): boolean {
    const known = storage.state().origins.get(origin);
    if (!known || isOwn(origin) || !writtenAgainBy(storage.state(), origin, known.hash)) return false;
    // Each time the whole state is folded anew: an author that calls one branch after another void must wait.
    const now = ports.clock.monotonic();
    if (now - (droppedAt.get(replicaOf(origin)) ?? Number.NEGATIVE_INFINITY) < dropEveryMs) return false;
    let common = -1;
    const written = storage.write((unit) => {
      const kept = voidPart(unit, known);
      if (!kept) return;
      discardBranch(unit, known, kept);
      common = kept.number;
    });
    if (!written.ok || common < 0) return false;
    droppedAt.set(replicaOf(origin), now);
    ports.log.warn('a branch is void by the word of its author', { origin, common });
    for (const link of links.values()) link.forked.delete(origin);
    parts.replan();
    for (const link of links.values())
      if (link.session().wants.includes(replicaOf(origin))) link.dispatch({ kind: 'askAgain' });
    return true;
  }

  return {
    settled,
    compare,
    follow,
    followAll,
    forget: past.forget,
    expire: past.expire,
    searchedOn: past.searchedOn,
    askFrom: past.askFrom,
    strays: strays.told,
    complained(link, origins) {
      for (const origin of origins) past.look(link, origin, link.session().peerHeads[origin] ?? 1, true);
    },
    level(link) {
      past.level(link);
      if (link.forked.size === 0) return;
      const origins = [...link.forked];
      link.forked.clear();
      for (const origin of origins) {
        const isOver = ![...links.values()].some((other) => other.forked.has(origin));
        if (isOver) alarms.clear(`fork ${replicaOf(origin)}`);
      }
      // Now, while there is nothing to send again.
      parts.replan();
    },
  };
}

const words: Record<CommitRefusal, string> = {
  gap: 'with a gap',
  fork: 'in two different histories (a copied or restored disk)',
  seal_broken: 'with a broken seal',
  chain_broken: 'altered',
  key_mismatch: 'under a wrong key',
  facts_withheld: 'with sales missing',
  op_malformed: 'unreadable',
  too_many_origins: 'as one writer too many',
};
