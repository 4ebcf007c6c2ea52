// Who is asked for what. Each replica's ops are wanted from one link only, so that an op is not sent to us twice: from
// their author when we are linked to it, else from a peer that has more of them than we do.

import { type Heads, missingCount, ofReplica, replicaOf } from './heads.ts';

export type LinkView = {
  readonly peerId: string;
  readonly heads: Heads;
  /** Replicas wanted from this link as things stand; those whose ops it sent broken, so never wanted from it again. */
  readonly wanted: readonly string[];
  readonly refused: readonly string[];
};

/** For each link, the replicas to want from it, sorted. Our own replica is among them when a peer holds more of it. */
export function planSubscriptions(ownId: string, ours: Heads, links: readonly LinkView[]): Map<string, string[]> {
  const plan = new Map<string, string[]>(links.map((link) => [link.peerId, []]));
  const replicas = new Set(links.map((link) => link.peerId));
  for (const link of links) for (const origin in link.heads) replicas.add(replicaOf(origin));
  for (const replica of [...replicas].sort()) {
    const able = links.filter((link) => !link.refused.includes(replica));
    for (const chosen of chooseLinks(replica, replica === ownId, ours, able)) plan.get(chosen.peerId)?.push(replica);
  }
  return plan;
}

/** One link, or two: the author's, and that of a peer which has more, after the author has lost some of its own. */
function chooseLinks(replica: string, isOwn: boolean, ours: Heads, links: readonly LinkView[]): LinkView[] {
  const lacking = (link: LinkView) => missingCount(ofReplica(ours, replica), ofReplica(link.heads, replica));
  const ahead = links.filter((link) => lacking(link) > 0);
  const [most] = byOffer(ahead, lacking);
  if (isOwn) return most ? [most] : [];
  const author = links.find((link) => link.peerId === replica);
  if (author) return most && !ahead.includes(author) ? [author, most] : [author];
  const current = links.find((link) => link.wanted.includes(replica));
  if (current && (!most || ahead.includes(current))) return [current];
  const holders = links.filter((link) => Object.keys(link.heads).some((origin) => replicaOf(origin) === replica));
  return (most ? [most] : byOffer(holders, lacking)).slice(0, 1);
}

/** The link with most to offer first; of equals the first by id. */
const byOffer = (links: readonly LinkView[], offer: (link: LinkView) => number): LinkView[] =>
  [...links].sort((a, b) => offer(b) - offer(a) || (a.peerId < b.peerId ? -1 : 1));
