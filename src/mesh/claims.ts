// Claims that are not honoured. A peer that says it holds more of a replica's ops than we do is asked for them; one that
// says so and sends nothing would be asked for ever, and others with less but real ops would not. So such a claim lapses
// for a while.

import { missingCount, ofReplica } from '../core/heads.ts';
import { resendMs } from '../core/limits.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';

export type Claims = {
  /** Looks at what is wanted and does not come; true when a claim has lapsed or come back. */
  review(): boolean;
  /** Replicas for which this link's claims do not count now. */
  lapsed(link: Link): string[];
};

/** Without a single op, after being asked again once. */
const honourMs = 2 * resendMs;
const lapseMs = 60_000;

export function createClaims({ ports, storage, config, links }: MeshParts): Claims {
  /** For each link and wanted replica: how many of its ops we held when that last changed, and when that was. */
  const waits = new WeakMap<Link, Map<string, { held: number; since: number }>>();
  const lapses = new WeakMap<Link, Map<string, number>>();

  function review(): boolean {
    const now = ports.clock.monotonic();
    let hasChanged = false;
    for (const link of links.values()) {
      for (const [replica, until] of lapsesOf(link))
        if (now >= until) hasChanged = lapsesOf(link).delete(replica) || hasChanged;
      for (const replica of link.session().wants) hasChanged = reviewOne(link, replica, now) || hasChanged;
    }
    return hasChanged;
  }

  function reviewOne(link: Link, replica: string, now: number): boolean {
    const of = waits.get(link) ?? new Map<string, { held: number; since: number }>();
    waits.set(link, of);
    const ours = ofReplica(storage.books.heads(), replica);
    const missing = missingCount(ours, ofReplica(link.session().peerHeads, replica));
    const held = missingCount({}, ours);
    const wait = of.get(replica);
    if (missing === 0 || held !== wait?.held) {
      of.set(replica, { held, since: now });
      return false;
    }
    // The author is always asked: what it writes next comes from nowhere else. Our own past is looked for elsewhere.
    if (now - wait.since < honourMs || replica === link.peerKeyId || replica === config.replicaId) return false;
    of.delete(replica);
    lapsesOf(link).set(replica, now + lapseMs);
    ports.log.warn('a peer claims to hold what it does not send', { peer: link.peerKeyId, replica, missing });
    return true;
  }

  function lapsesOf(link: Link): Map<string, number> {
    const of = lapses.get(link) ?? new Map<string, number>();
    lapses.set(link, of);
    return of;
  }

  return { review, lapsed: (link) => [...lapsesOf(link).keys()] };
}
