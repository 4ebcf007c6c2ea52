// Who is of the shop, told from what its appliances have said of each other: a pure function of those statements, so that
// whoever holds the same ones comes to the same answer, in whatever order they came.
//
// Everybody begins with himself. Whom a member calls trusted is a member; whom a member calls revoked is out, for as long
// as nobody takes that very revocation back. What a revoked one said of others counts up to where its revoker held its
// writing: what it says later, to whom it may, lets nobody in. A revocation itself counts whoever of the shop said it,
// for it is better to approve an appliance twice than to keep a stolen one in.

import { type Heads, parseHeads, replicaOf } from './heads.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { pardonsMax, peerNameCharsMax, revokedEpochsMax, statementsPerAuthorMax } from './limits.ts';
import { compareOps, type Dot } from './op.ts';

export type Trust = 'pending' | 'trusted' | 'revoked';

/** Entity of the ops that say so: facts, in no digest of the books. */
export const trustEntity = 'trust';

export type TrustWord =
  /** `pardons`: ids of the revocations of `subject` that are taken back. */
  | {
      readonly verdict: 'trusted';
      readonly subject: string;
      readonly pardons: readonly string[];
      /** As its author knew it, for people. */
      readonly name?: string;
    }
  /** `upTo`: what the author held of what `subject` wrote. */
  | { readonly verdict: 'revoked'; readonly subject: string; readonly upTo: Heads }
  /** The shop key from now on. `covers`: ids of all revocations, so that no revoked one can know it. */
  | { readonly verdict: 'shop_key'; readonly key: string; readonly covers: readonly string[] };

/** A word, and who said it where. `id` is the same when it is written again under another epoch. */
export type TrustStatement = TrustWord & Dot & { readonly id: string; readonly stamp: string };

export type Membership = {
  trustOf(replica: string): Trust;
  readonly members: ReadonlySet<string>;
  readonly revoked: ReadonlySet<string>;
  /** Ids of the revocations that hold. */
  readonly revocations: readonly string[];
  /** Whether an op was written before its author was revoked, if it is, or is our own. */
  isInTime(op: Dot): boolean;
  /** Ids of those of one appliance, for whoever takes them back. */
  revocationsOf(replica: string): string[];
  /** What proves membership to those who do not know us yet; 'none' when somebody who was revoked may know it. */
  readonly shopKey:
    | { readonly kind: 'configured' }
    | { readonly kind: 'rotated'; readonly key: string }
    | { readonly kind: 'none' };
};

/**
 * `self` is where trust begins: the replica id of whoever asks. What it says itself always counts for it, so that a shop in
 * which all were revoked by one that had gone bad can be put together again.
 */
export function membershipOf(self: string, statements: readonly TrustStatement[]): Membership {
  const everTrusted = reached(self, statements.filter(isTrusted));
  const revocations = statements.filter(isRevocation).filter(({ origin }) => everTrusted.has(replicaOf(origin)));
  // Every pardon that counts can only make more pardons count, so this ends, and in the same place whatever the order.
  const all = bySubject(revocations);
  let pardoned: ReadonlySet<string> = new Set();
  for (;;) {
    const holding = bySubject(revocations.filter(({ id }) => !pardoned.has(id)));
    const isInTime = (op: Dot): boolean => replicaOf(op.origin) === self || isBeforeAll(op, holding);
    const counting = statements.filter(isInTime);
    const known = reached(self, counting.filter(isTrusted));
    const now = pardonsOf(counting, known, all);
    if (now.size > pardoned.size) {
      pardoned = now;
      continue;
    }
    return membership(known, [...holding.values()].flat(), counting, isInTime);
  }
}

/** As above, worked out once for each list of statements. */
export function rememberMembership(self: string): (statements: readonly TrustStatement[]) => Membership {
  let known: { statements: readonly TrustStatement[]; membership: Membership } | undefined;
  return (statements) => {
    if (known?.statements !== statements) known = { statements, membership: membershipOf(self, statements) };
    return known.membership;
  };
}

function membership(
  known: ReadonlySet<string>,
  holding: readonly Revocation[],
  counting: readonly TrustStatement[],
  isInTime: (op: Dot) => boolean,
): Membership {
  const revoked = new Set(holding.map(({ subject }) => subject));
  const members = new Set([...known].filter((replica) => !revoked.has(replica)));
  const revocations = [...new Set(holding.map(({ id }) => id))];
  return {
    trustOf: (replica) => (revoked.has(replica) ? 'revoked' : members.has(replica) ? 'trusted' : 'pending'),
    members,
    revoked,
    revocations,
    isInTime,
    revocationsOf: (replica) => [...new Set(holding.filter(({ subject }) => subject === replica).map(({ id }) => id))],
    shopKey: shopKeyOf(known, revocations, counting),
  };
}

type Revocation = Extract<TrustStatement, { verdict: 'revoked' }>;
type Trusting = Extract<TrustStatement, { verdict: 'trusted' }>;
type Rotation = Extract<TrustStatement, { verdict: 'shop_key' }>;

const isTrusted = (statement: TrustStatement): statement is Trusting => statement.verdict === 'trusted';
const isRevocation = (statement: TrustStatement): statement is Revocation => statement.verdict === 'revoked';
const isRotation = (statement: TrustStatement): statement is Rotation => statement.verdict === 'shop_key';

type BySubject = ReadonlyMap<string, readonly Revocation[]>;

const bySubject = (revocations: readonly Revocation[]): BySubject => Map.groupBy(revocations, ({ subject }) => subject);

/** Said before its author was revoked, by the reckoning of everybody who did. */
const isBeforeAll = ({ origin, number }: Dot, revocations: BySubject): boolean =>
  (revocations.get(replicaOf(origin)) ?? []).every(({ upTo }) => number <= (upTo[origin] ?? 0));

/** Whom trust leads to from `self`. */
function reached(self: string, edges: readonly Trusting[]): ReadonlySet<string> {
  const subjectsByAuthor = new Map<string, string[]>();
  for (const { origin, subject } of edges) {
    const author = replicaOf(origin);
    const subjects = subjectsByAuthor.get(author);
    if (subjects) subjects.push(subject);
    else subjectsByAuthor.set(author, [subject]);
  }
  const found = new Set([self]);
  for (const replica of found) for (const subject of subjectsByAuthor.get(replica) ?? []) found.add(subject);
  return found;
}

function pardonsOf(
  counting: readonly TrustStatement[],
  known: ReadonlySet<string>,
  revocations: BySubject,
): ReadonlySet<string> {
  const pardoned = new Set<string>();
  for (const statement of counting) {
    if (!isTrusted(statement) || !known.has(replicaOf(statement.origin))) continue;
    // Nobody takes back his own.
    if (statement.subject === replicaOf(statement.origin)) continue;
    for (const { id } of revocations.get(statement.subject) ?? []) if (statement.pardons.includes(id)) pardoned.add(id);
  }
  return pardoned;
}

function shopKeyOf(
  known: ReadonlySet<string>,
  revocations: readonly string[],
  counting: readonly TrustStatement[],
): Membership['shopKey'] {
  const rotations = counting.filter(isRotation).filter(({ origin }) => known.has(replicaOf(origin)));
  const latest = rotations.sort(compareOps).at(-1);
  if (!latest) return revocations.length === 0 ? { kind: 'configured' } : { kind: 'none' };
  const isSafe = revocations.every((id) => latest.covers.includes(id));
  return isSafe ? { kind: 'rotated', key: latest.key } : { kind: 'none' };
}

/** A statement as its op has it, or undefined when it is none. */
export function readTrustWord(payload: JsonObject): TrustWord | undefined {
  const { verdict, subject, pardons = [], name, upTo, key, covers = [] } = payload;
  if (verdict === 'shop_key')
    return typeof key === 'string' && /^[a-z2-7]{32}$/.test(key) && isIds(covers)
      ? { verdict, key, covers }
      : undefined;
  if (typeof subject !== 'string' || !/^[a-z2-7]{26}$/.test(subject)) return undefined;
  if (verdict === 'trusted') {
    const named = typeof name === 'string' ? { name: name.slice(0, peerNameCharsMax) } : {};
    return isIds(pardons) ? { verdict, subject, pardons, ...named } : undefined;
  }
  const heads = verdict === 'revoked' && isJsonObject(upTo) ? parseHeads(upTo) : undefined;
  const isOfSubject = heads && Object.keys(heads).every((origin) => replicaOf(origin) === subject);
  if (!isOfSubject || Object.keys(heads).length > revokedEpochsMax) return undefined;
  return { verdict: 'revoked', subject, upTo: heads };
}

const isIds = (value: Json): value is string[] =>
  Array.isArray(value) && value.length <= pardonsMax && value.every((id) => typeof id === 'string' && id.length <= 64);

/**
 * The statements with one more; the same list when it is there already. Of each author the earliest few hundred of each
 * kind count, so that nobody who talks a lot keeps others from being heard, nobody who has many let in keeps one from being
 * shut out, and all keep the same ones in whatever order they come.
 */
export function withTrustStatement(
  statements: readonly TrustStatement[],
  statement: TrustStatement,
): readonly TrustStatement[] {
  const isSame = ({ origin, number }: Dot): boolean => origin === statement.origin && number === statement.number;
  if (statements.some(isSame)) return statements;
  const author = replicaOf(statement.origin);
  const isAlike = ({ origin, verdict }: TrustStatement) =>
    verdict === statement.verdict && replicaOf(origin) === author;
  const all = [...statements, statement];
  const alike = all.filter(isAlike).sort(compareOps);
  if (alike.length <= statementsPerAuthorMax) return all;
  const latest = alike.at(-1);
  return latest === statement ? statements : all.filter((said) => said !== latest);
}
