// The common past of a forked origin: an origin of which a peer holds another history than we do, after a disk was copied
// or an old copy put back. One search at a time for each origin asks a peer for its history, from earlier and earlier
// numbers, and compares commit by commit what comes with what we hold. It ends in one of three ways: the peer's history is
// ours as far as it goes; or it is ours and goes on, so the rest is taken; or the two part. Then the origin's author closes
// it there, and writes again what followed, on their side and on its own. Who is not the author passes to it what the
// peer holds and we do not.

import { type Heads, replicaOf } from '../core/heads.ts';
import { straysBytesMax } from '../core/limits.ts';
import { hex } from '../core/op.ts';
import type { CommitsFrame } from '../protocol/frames.ts';
import { boundaryBefore, boundaryBeforeLastFact, compareBranch, hashAt } from '../storage/branch.ts';
import type { CommitRefusal, Received } from '../storage/receive.ts';
import type { OriginState } from '../storage/state.ts';
import { isVoid } from '../storage/voids.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';
import type { Strays } from './strays.ts';

export type Past = {
  /** Looks for the common past, unless that is being done. `number`: one that is not the same here and there. */
  look(link: Link, origin: string, number: number, isComplaint?: boolean): void;
  /** A frame came from a peer, and this became of its commits. */
  arrived(link: Link, frame: CommitsFrame, results: readonly Received[]): void;
  /** The peer's history is ours as far as it goes. */
  same(link: Link, origin: string): void;
  isSearched(link: Link, origin: string): boolean;
  /** Every second: gives up where no answer comes. */
  expire(): void;
  /** Whether a peer has shown all that we hold of an origin of ours. */
  isProven(link: Link, origin: string): boolean;
  /** All is equal on this link. */
  level(link: Link): void;
  /** A link has ended. */
  forget(link: Link): void;
  /** Replicas whose origins are searched on a link, so that they are wanted from it; and where to ask from. */
  searchedOn(link: Link): string[];
  askFrom(link: Link): Heads;
};

type Search = {
  readonly link: Link;
  readonly origin: string;
  readonly tries: number;
  /** Asked from here; the peer has shown its history, without a gap, up to there. */
  readonly asked: number;
  shown: number;
  /** The last number shown that is the same here; -1 when none is. */
  common: number;
  /** What came since and cannot be compared, for it is pruned here; once their history has parted from ours, all of it. */
  theirs: CommitsFrame['commits'][number][];
  isParted: boolean;
  bytes: number;
  publicKey: Uint8Array;
  /** The peer says that it cannot place what we wrote: the second time, what we cannot compare counts as unequal. */
  readonly complaint: 'none' | 'once' | 'twice';
  /** Monotonic milliseconds of the last step. */
  at: number;
};

/** A search that gets no answer for so long is given up: while it lasts, what has seen this origin waits. */
const patienceMs = 15_000;
/** Until the next one for that origin on that link. */
const restMs = 30_000;

export function createPast(
  { ports, storage, config, links, replan }: MeshParts,
  strays: Strays,
  quarantine: (link: Link, origin: string, refusal: CommitRefusal) => void,
): Past {
  const { clock } = ports;
  const searches = new Map<string, Search>();
  /** Up to which number of each origin the peer of a link has shown our history. */
  const shownBy = new WeakMap<Link, Map<string, number>>();
  const restsUntil = new WeakMap<Link, Map<string, number>>();
  const stateOf = (origin: string): OriginState | undefined => storage.state().origins.get(origin);
  const isOwn = (origin: string): boolean => replicaOf(origin) === config.replicaId;
  const heldBy = (link: Link, origin: string): number => link.session().peerHeads[origin] ?? 0;

  /** Begins where the peer cannot have pruned everything: before our last fact. */
  function look(link: Link, origin: string, number: number, isComplaint = false): void {
    const known = stateOf(origin);
    if (!known || searches.has(origin) || (!isOwn(origin) && !strays.isWorthIt(link, origin))) return;
    if (clock.monotonic() < (restsUntil.get(link)?.get(origin) ?? 0) || links.get(link.peerKeyId) !== link) return;
    const limit = Math.min(number - 1, known.head);
    const asked = Math.min(
      boundaryBefore(storage.handle(), known, limit, 0),
      boundaryBeforeLastFact(storage.handle(), known),
    );
    begin(link, origin, asked, 0, isComplaint ? 'once' : 'none');
  }

  function begin(link: Link, origin: string, asked: number, tries: number, complaint: Search['complaint']): void {
    const [at, publicKey] = [clock.monotonic(), new Uint8Array()];
    const none = { shown: asked, common: -1, theirs: [], isParted: false, bytes: 0, publicKey, at };
    searches.set(origin, { link, origin, asked, tries, complaint, ...none });
    storage.doubted.add(origin);
    storage.proven.delete(origin);
    link.forked.delete(origin);
    replan();
    link.dispatch({ kind: 'askAgain' });
  }

  function end(origin: string): void {
    if (!searches.delete(origin)) return;
    lookAtWaiting(origin);
    // Its replica was wanted for the search; from now on only from who has more of it.
    replan();
  }

  /** No more doubt: what waited for this origin is looked at again. */
  function lookAtWaiting(origin: string): void {
    storage.doubted.delete(origin);
    if (storage.state().deferred > 0) storage.write((unit) => void unit.touchedOrigins.add(origin));
  }

  function arrived(link: Link, frame: CommitsFrame, results: readonly Received[]): void {
    const { origin } = frame;
    const known = stateOf(origin);
    const search = searches.get(origin);
    if (known && search?.link === link) return compareFrame(search, frame, results, known);
    // What has been dealt with may still be under way: asking for it anew would bring it anew, as fast as the link is.
    if (!isOwn(origin) || link.forked.has(origin)) return;
    const refused = results.findIndex(({ result }) => isForkOf(result));
    const parting = frame.commits[refused]?.commit;
    // What begins beyond our head now was under way when a search ended.
    if (known && parting && parting.from <= known.head + 1) look(link, origin, parting.seal.first);
  }

  function compareFrame(search: Search, frame: CommitsFrame, results: readonly Received[], known: OriginState): void {
    const { link, origin } = search;
    search.publicKey = frame.publicKey;
    for (const [index, item] of frame.commits.entries()) {
      const { from, seal } = item.commit;
      // Not in a row: it answers another question.
      if (from > search.shown + 1) break;
      if (search.isParted) {
        take(search, item);
        continue;
      }
      const result = results[index]?.result;
      if (isForkOf(result)) {
        if (!parted(search, item, known, result)) return;
        continue;
      }
      if (result !== 'held' && result !== 'applied') break;
      const isSame = compareBranch(storage.handle().statements, known, seal.last, hex(seal.after)) === 'same';
      if (!isSame && search.complaint === 'twice') {
        if (!parted(search, item, known, result)) return;
        continue;
      }
      take(search, item);
      if (isSame || result === 'applied') prove(search, seal.last);
      // Too much that cannot be compared: then it is as good as parted.
      search.isParted = search.common >= 0 && search.bytes >= straysBytesMax;
    }
    if (search.isParted) return search.shown >= heldBy(link, origin) ? finish(search) : drainIfFull(search);
    if (search.common === known.head && !isVoid(storage.state(), origin, known.head + 1)) follow(search);
    else if (search.shown >= heldBy(link, origin)) exhausted(search);
  }

  function prove(search: Search, number: number): void {
    search.common = Math.max(search.common, number);
    search.theirs = search.theirs.filter(({ commit }) => commit.seal.last > search.common);
    search.bytes = search.theirs.reduce((sum, { bytes }) => sum + bytes.length, 0);
    storage.proven.set(search.origin, search.common);
    const of = shownBy.get(search.link) ?? new Map<string, number>();
    shownBy.set(search.link, of.set(search.origin, search.common));
  }

  /** All of ours is theirs: whatever they hold beyond follows on it, and may have been refused for want of proof. */
  function follow({ link, origin }: Search): void {
    end(origin);
    link.dispatch({ kind: 'askAgain' });
  }

  /** They hold no more than was shown, and it did not part from ours. */
  function exhausted({ link, origin, common, complaint }: Search): void {
    if (complaint === 'once' && common < heldBy(link, origin)) begin(link, origin, Math.max(common, 0), 0, 'twice');
    else end(origin);
  }

  /** From this commit on their history is not ours, or cannot be told to be. Tells whether the search goes on as it is. */
  function parted(
    search: Search,
    item: CommitsFrame['commits'][number],
    known: OriginState,
    result: Received['result'] | undefined,
  ): boolean {
    const { link, origin, tries, asked, complaint } = search;
    const { seal } = item.commit;
    const before = seal.first - 1;
    if (before === 0 || asked === 0) search.common = Math.max(search.common, 0);
    else if (hashAt(storage.handle(), known, before) === hex(seal.before)) prove(search, before);
    if (search.common < 0) {
      begin(
        link,
        origin,
        boundaryBefore(storage.handle(), known, asked - 1, 2 ** (tries + 1) - 1),
        tries + 1,
        complaint,
      );
      return false;
    }
    if (search.common === known.head && !isVoid(storage.state(), origin, seal.last)) {
      prove(search, known.head);
      if (result !== 'facts_withheld') follow(search);
      else {
        end(origin);
        quarantine(link, origin, result);
      }
      return false;
    }
    search.isParted = true;
    take(search, item);
    return true;
  }

  function take(search: Search, item: CommitsFrame['commits'][number]): void {
    const { last } = item.commit.seal;
    search.at = clock.monotonic();
    if (last <= search.shown) return;
    search.shown = last;
    // What comes before anything that is common will be shown again.
    if (search.common < 0 && search.asked > 0) return;
    search.theirs.push({ commit: item.commit, bytes: item.bytes.slice() });
    search.bytes += item.bytes.length;
  }

  /** Dealt with in pieces; asked for again, for what is refused is never acknowledged and fills the window. */
  function drainIfFull(search: Search): void {
    if (search.bytes < straysBytesMax) return;
    if (!handOver(search)) return end(search.origin);
    search.theirs = [];
    search.bytes = 0;
    search.link.dispatch({ kind: 'askAgain' });
  }

  /** Nothing of it is wanted from there any more, until it holds something else. */
  function finish(search: Search): void {
    const { link, origin } = search;
    if (handOver(search)) link.forked.add(origin);
    end(origin);
  }

  function handOver({ link, origin, publicKey, common, theirs }: Search): boolean {
    const refusal = strays.found(link, { origin, publicKey, common, commits: theirs });
    if (refusal && refusal !== 'gap') quarantine(link, origin, refusal);
    return refusal === undefined;
  }

  return {
    look,
    arrived,
    same(link, origin) {
      if (searches.get(origin)?.link === link) end(origin);
    },
    isSearched: (link, origin) => searches.get(origin)?.link === link,
    expire() {
      const now = clock.monotonic();
      for (const [origin, { link, at }] of searches) {
        if (now - at < patienceMs) continue;
        const of = restsUntil.get(link) ?? new Map<string, number>();
        restsUntil.set(link, of.set(origin, now + restMs));
        end(origin);
      }
    },
    isProven: (link, origin) => {
      const head = stateOf(origin)?.head;
      return storage.proven.get(origin) === head && shownBy.get(link)?.get(origin) === head;
    },
    level(link) {
      for (const [origin, search] of searches) if (search.link === link) end(origin);
    },
    forget(link) {
      for (const [origin, search] of searches) {
        if (search.link !== link) continue;
        searches.delete(origin);
        lookAtWaiting(origin);
      }
    },
    searchedOn: (link) =>
      [...searches.values()].filter((search) => search.link === link).map(({ origin }) => replicaOf(origin)),
    askFrom: (link) =>
      Object.fromEntries(
        [...searches.values()].filter((search) => search.link === link).map(({ origin, shown }) => [origin, shown]),
      ),
  };
}

/** A fork whose earlier ops are pruned is seen by the count of facts alone. */
export const isForkOf = (result: Received['result'] | undefined): boolean =>
  result === 'fork' || result === 'facts_withheld';
