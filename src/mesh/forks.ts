// What came broken, and what shows a fork. Broken commits are kept as evidence, and their origin is no longer taken from
// that peer: others go on. A fork of our own origin we mend ourselves: look for the last number that both histories
// share, keep the history that peers hold, write our own younger ops again under a new epoch, and say so in an op.

import { type Heads, replicaOf } from '../core/heads.ts';
import { refusalsPerLinkMax } from '../core/limits.ts';
import { type Commit, hex } from '../core/op.ts';
import type { CommitsFrame } from '../protocol/frames.ts';
import { appendLocal } from '../storage/append.ts';
import {
  addEvidence,
  boundaryBefore,
  boundaryBeforeLastFact,
  type CommonPast,
  commonPastAt,
  compareBranch,
  discardBranch,
  type ForkStatement,
  hashAt,
  isOnVoidBranch,
  readStatement,
  statementDraft,
} from '../storage/branch.ts';
import type { Handle } from '../storage/open.ts';
import type { CommitRefusal } from '../storage/receive.ts';
import { type OriginState, readMeta, writeMeta } from '../storage/state.ts';
import type { Unit } from '../storage/unit.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';

export type Forks = {
  /** Commits of this frame are held now, or were already: proof of our own past, when they are of that. */
  settled(frame: CommitsFrame): void;
  refused(link: Link, frame: CommitsFrame, index: number, refusal: CommitRefusal): void;
  /** Every frame, as it comes: false when it is not to be taken. */
  heard(link: Link, frame: CommitsFrame): boolean;
  /** Looks for forks in heads and chain hashes that a peer tells. */
  compare(link: Link, heads: Heads, hashes: Readonly<Record<string, string>>): void;
  /** A link has ended: its search ends with it. The next one begins anew. */
  forget(link: Link): void;
  /** Whether we look for the common past of our own history on this link, and so want our own replica from it. */
  isSearching(link: Link): boolean;
  /** A peer cannot place what we wrote under these origins, though we see no fork: have it send its own history of them. */
  complained(link: Link, origins: readonly string[]): void;
  /** Books and heads are equal on this link: whatever had parted is one again. */
  level(link: Link): void;
  /** Lets go of branches that their authors call void. */
  follow(statements: Unit['forkStatements']): void;
};

/** Our own origins whose common past with a peer is being looked for: the number asked from, and how often. */
type Search = { readonly link: Link; readonly asked: number; readonly tries: number; isAnswered: boolean };

const statementsMax = 20;
const dropEveryMs = 60_000;

export function createForks(parts: MeshParts): Forks {
  const { ports, storage, config, alarms, links } = parts;
  const searches = new Map<string, Search>();
  let statements: ForkStatement[] | null = null;
  const droppedAt = new Map<string, number>();
  /** Frames that answer a search. */
  const answers = new WeakSet<CommitsFrame>();
  /** What was refused on each link. */
  const evidenceOf = new WeakMap<Link, Set<string>>();

  function refused(link: Link, frame: CommitsFrame, index: number, refusal: CommitRefusal): void {
    const commit = frame.commits[index]?.commit;
    const replica = replicaOf(frame.origin);
    if (!commit) return;
    if (refusal === 'fork' && replica === config.replicaId) return meetOwnBranch(link, frame, commit);
    if (refusal === 'fork' && dropVoidBranch(frame.origin)) return;
    const shown = evidenceOf.get(link) ?? new Set();
    evidenceOf.set(link, shown);
    // One of each is evidence; a thousand would only fill the disk.
    if (shown.has(`${refusal} ${replica}`)) return;
    if (shown.size >= refusalsPerLinkMax) return link.close('too much of what it sent was broken');
    shown.add(`${refusal} ${replica}`);
    keepEvidence(frame, index, refusal);
    quarantine(link, frame.origin, refusal);
  }

  /** A fork concerns one origin: what its author says under its next epoch must still come through. */
  function quarantine(link: Link, origin: string, refusal: CommitRefusal): void {
    const replica = replicaOf(origin);
    // Of a fork whose earlier ops are pruned only the count of facts tells.
    const isOfOrigin = refusal === 'fork' || refusal === 'facts_withheld';
    const [set, name] = isOfOrigin ? [link.forked, origin] : [link.refused, replica];
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
    for (const [origin, hash] of Object.entries(hashes)) {
      const known = storage.state().origins.get(origin);
      const number = heads[origin] ?? 0;
      if (!known || known.head === 0 || isVoid(origin, hash)) continue;
      const isOwn = replicaOf(origin) === config.replicaId;
      if (isOwn && number > known.head) proveTail(link, origin, known);
      if (compareBranch(storage.handle().statements, known, number, hash) !== 'fork') continue;
      if (isOwn) search(link, origin, Math.min(number, known.head) - 1, 0);
      else if (!dropVoidBranch(origin)) quarantine(link, origin, 'fork');
    }
  }

  /**
   * A peer has more of our own ops: before they follow on, it must show the last of ours as we hold them. From the last
   * commit with a fact on, for that one it cannot have pruned.
   */
  function proveTail(link: Link, origin: string, known: OriginState): void {
    if (searches.has(origin) || storage.proven.get(origin) === known.head) return;
    begin(link, origin, boundaryBeforeLastFact(storage.handle(), known), 0);
  }

  function settled(frame: CommitsFrame): void {
    const { origin } = frame;
    const current = searches.get(origin);
    const known = storage.state().origins.get(origin);
    if (!current || !known || storage.proven.get(origin) !== known.head) return;
    end(origin);
    // What came in between may have been refused for want of proof.
    current.link.dispatch({ kind: 'rewind', origin, number: known.head });
    // Our own replica was wanted for the search; from now on only from who has more of it.
    parts.replan();
  }

  /** No more doubt: what waited for this origin is looked at again. */
  function end(origin: string): void {
    searches.delete(origin);
    storage.doubted.delete(origin);
    if (storage.state().deferred > 0) storage.write((unit) => void unit.touchedOrigins.add(origin));
  }

  /** A commit, or a head, of a branch that its author has called void. `hash`: the chain head after it. */
  const isVoid = (origin: string, hash: string): boolean =>
    statementsOf().some((statement) => statement.origin === origin && statement.discarded.includes(hash.slice(0, 16)));

  /** Read once; every frame asks. */
  const statementsOf = (): ForkStatement[] => {
    statements ??= readMeta<ForkStatement[]>(storage.handle().statements, 'forks', []);
    return statements;
  };

  function remember(handle: Pick<Handle, 'statements'>, statement: ForkStatement): void {
    const known = readMeta<ForkStatement[]>(handle.statements, 'forks', []);
    writeMeta(handle.statements, 'forks', [...known, statement].slice(-statementsMax));
    statements = null;
  }

  function meetOwnBranch(link: Link, frame: CommitsFrame, { seal }: Commit): void {
    const { origin } = frame;
    const known = storage.state().origins.get(origin);
    if (!known || isVoid(origin, hex(seal.after))) return;
    const before = seal.first - 1;
    if (before === 0 || hashAt(storage.handle(), known, before) === hex(seal.before))
      return resolve(link, origin, before);
    const current = searches.get(origin);
    if (!current || !isOpen(current.link)) return search(link, origin, Math.min(known.head, before), 0);
    if (!answers.has(frame)) return;
    const proven = storage.proven.get(origin) ?? 0;
    if (proven >= Math.max(current.asked, 1)) resolve(link, origin, proven);
    // From the very start, and what came before is pruned on one side: nothing of ours can be told to be common.
    else if (current.asked === 0) resolve(link, origin, 0);
    else search(link, origin, current.asked - 1, current.tries + 1);
  }

  function heard(link: Link, frame: CommitsFrame): boolean {
    // Frames that were under way when a search began say nothing of it: its answer begins where it asked.
    const current = searches.get(frame.origin);
    if (current?.link === link) {
      if (frame.commits[0]?.commit.from === current.asked + 1) current.isAnswered = true;
      if (current.isAnswered) answers.add(frame);
    }
    const isVoidHere = frame.commits.some(({ commit }) => isVoid(frame.origin, hex(commit.seal.after)));
    if (!isVoidHere || replicaOf(frame.origin) === config.replicaId) return true;
    // Its holder has not heard yet what the author said: until then this origin is not taken from there.
    link.forked.add(frame.origin);
    parts.replan();
    return false;
  }

  function forget(link: Link): void {
    for (const [origin, current] of searches) if (current.link === link) end(origin);
  }

  const isOpen = (link: Link): boolean => links.get(link.peerKeyId) === link;

  /** Asks for the peer's history of our origin from an earlier number: 1, 2, 4 … commits back. */
  function search(link: Link, origin: string, number: number, tries: number): void {
    const known = storage.state().origins.get(origin);
    if (!known) return;
    begin(link, origin, number < 1 ? 0 : boundaryBefore(storage.handle(), known, number, 2 ** tries - 1), tries);
  }

  function begin(link: Link, origin: string, asked: number, tries: number): void {
    searches.set(origin, { link, asked, tries, isAnswered: false });
    storage.doubted.add(origin);
    storage.proven.delete(origin);
    parts.replan();
    link.dispatch({ kind: 'rewind', origin, number: asked });
  }

  function resolve(link: Link, origin: string, number: number): void {
    searches.delete(origin);
    storage.doubted.delete(origin);
    const written = storage.write((unit) => {
      const known = unit.state.origins.get(origin);
      const common = known && commonPastAt(unit, known, number);
      if (!known || !common) return;
      const { drafts, discarded } = discardBranch(unit, known, common);
      unit.state.epoch += 1;
      writeMeta(unit.statements, 'epoch', unit.state.epoch);
      for (const draft of drafts) appendLocal(unit, draft);
      const statement: ForkStatement = {
        origin,
        common: number,
        hash: hex(common.hash),
        facts: common.facts,
        discarded,
      };
      appendLocal(unit, statementDraft(statement));
      remember(unit, statement);
    });
    if (!written.ok) return;
    storage.proven.set(origin, number);
    alarms.raise(
      `fork ${origin}`,
      'fork',
      'This appliance ran twice from copies of one disk: what both wrote is kept, the younger part under a new epoch.',
    );
    ports.log.warn('a fork of our own origin was mended', { origin, common: number });
    link.dispatch({ kind: 'rewind', origin, number });
  }

  function follow(said: Unit['forkStatements']): void {
    for (const { author, payload } of said) {
      const statement = readStatement(payload);
      const replica = replicaOf(author);
      if (!statement || replicaOf(statement.origin) !== replica || replica === config.replicaId) continue;
      storage.note((handle) => remember(handle, statement));
      dropVoidBranch(statement.origin);
      alarms.clear(`fork ${replica}`);
      for (const link of links.values())
        for (const origin of link.forked) if (replicaOf(origin) === replica) link.forked.delete(origin);
      parts.replan();
    }
  }

  /** Lets go of our history of another's origin, if that author has called it void. Tells whether it did. */
  function dropVoidBranch(origin: string): boolean {
    const known = storage.state().origins.get(origin);
    const statement =
      known && statementsOf().find((one) => one.origin === origin && isOnVoidBranch(storage.handle(), known, one));
    if (!statement || replicaOf(origin) === config.replicaId) return false;
    // Each time the whole state is folded anew: an author that calls one branch after another void must wait.
    const now = ports.clock.monotonic();
    if (now - (droppedAt.get(replicaOf(origin)) ?? Number.NEGATIVE_INFINITY) < dropEveryMs) return false;
    droppedAt.set(replicaOf(origin), now);
    ports.log.warn('a branch is void by the word of its author', { origin, common: statement.common });
    const written = storage.write((unit) => {
      const current = unit.state.origins.get(origin);
      if (current) discardBranch(unit, current, commonPastOf(statement));
    });
    for (const link of links.values()) link.forked.delete(origin);
    parts.replan();
    for (const link of links.values())
      if (link.session().wants.includes(replicaOf(origin)))
        link.dispatch({ kind: 'rewind', origin, number: statement.common });
    return written.ok;
  }

  return {
    refused,
    settled,
    forget,
    heard,
    compare,
    follow,
    complained(link, origins) {
      for (const origin of origins) if (!searches.has(origin)) search(link, origin, 0, 0);
    },
    level(link) {
      forget(link);
      for (const origin of link.forked) {
        link.forked.delete(origin);
        const isOver = ![...links.values()].some((other) => other.forked.has(origin));
        if (isOver) alarms.clear(`fork ${replicaOf(origin)}`);
      }
    },
    isSearching: (link) => [...searches.values()].some((current) => current.link === link),
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

const commonPastOf = ({ common, hash, facts }: ForkStatement): CommonPast => ({
  number: common,
  hash: new Uint8Array(Buffer.from(hash, 'hex')),
  facts,
});
