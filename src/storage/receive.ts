// Commits of others into a unit: verified against the seal and the chain before anything is applied. A relay can withhold
// a commit, but not forge, alter, reorder or drop ops inside the chain without being found out.

import { observe, stampMs } from '../core/clock.ts';
import { originPattern, replicaOf } from '../core/heads.ts';
import { replicaIdOf } from '../core/identity.ts';
import { clockSuspectMs, othersOriginsMax } from '../core/limits.ts';
import {
  type Commit,
  genesisHead,
  hashesOf,
  hex,
  isSameBytes,
  nextHead,
  type Op,
  type OpHashes,
  type OpHeader,
  parseHeader,
  parsePayload,
  sealMessage,
} from '../core/op.ts';
import { addSeal } from './append.ts';
import { compareBranch } from './branch.ts';
import { foldOp } from './fold.ts';
import type { OriginState } from './state.ts';
import { addChange, keyOf, originState, type Unit } from './unit.ts';
import { isVoid } from './voids.ts';

export type CommitRefusal =
  /** Something between our head and this commit is missing: ask again from our head. */
  | 'gap'
  /** The same origin and number with other content: a copied disk, or a restored one. */
  | 'fork'
  | 'seal_broken'
  | 'chain_broken'
  | 'key_mismatch'
  /** Facts are missing that the seal counts: somebody on the way dropped sales. */
  | 'facts_withheld'
  | 'op_malformed'
  /** There is no room for another writer; what is kept free is for our own next epochs. */
  | 'too_many_origins';

export type Received =
  | { readonly result: 'applied'; readonly ops: number }
  | { readonly result: 'held' }
  | { readonly result: CommitRefusal };

/** Applies one commit, or says why not; a refused commit has changed nothing. */
export function appendRemote(unit: Unit, commit: Commit, publicKey: Uint8Array): Received {
  const { seal } = commit;
  const known = unit.state.origins.get(seal.origin);
  if (!known && replicaOf(seal.origin) !== unit.replicaId && unit.state.origins.size >= othersOriginsMax)
    return { result: 'too_many_origins' };
  const place = placeOf(unit, commit, known);
  if (place === 'held' || place === 'gap') return { result: place };
  const refusal = checkSeal(unit, commit, publicKey);
  if (refusal || place === 'fork') return { result: refusal ?? 'fork' };
  const checked = checkOps(unit, commit, known?.facts ?? 0);
  if (typeof checked === 'string') return { result: checked };
  const origin = originState(unit, seal.origin, publicKey);
  let live = 0;
  let stamp = origin.stamp;
  const isEmpty = checked.every((item) => item.op.kind === 'pruned');
  for (let index = 0; index < checked.length && !isEmpty; index++) {
    const item = checked[index];
    if (!item) continue;
    applyOp(unit, origin, seal.first + index, item);
    if (item.header) {
      live += 1;
      stamp = item.header.stamp > stamp ? item.header.stamp : stamp;
      if (stampMs(item.header.stamp) > unit.meshMs + clockSuspectMs)
        unit.stampedAhead.set(seal.origin, item.header.stamp);
      unit.state.clock = observe(unit.state.clock, item.header.stamp);
    }
  }
  // What follows on proven ground is proven.
  if (unit.proven.get(seal.origin) === origin.head) unit.proven.set(seal.origin, seal.last);
  addSeal(unit, originState(unit, seal.origin, publicKey), seal, live, stamp);
  return { result: 'applied', ops: live };
}

/** Whether a commit is the next of its origin, by numbers and heads alone. */
function placeOf(unit: Unit, commit: Commit, known: OriginState | undefined): 'next' | 'held' | 'gap' | 'fork' {
  const head = known?.head ?? 0;
  const { seal } = commit;
  if (known && seal.last <= head)
    return compareBranch(unit.statements, known, seal.last, hex(seal.after)) === 'fork' ? 'fork' : 'held';
  // Its author has closed this origin earlier; whoever sends more of it has not heard, or must be heard.
  if (isVoid(unit.state, seal.origin, seal.last)) return 'fork';
  if (commit.from > head + 1) return 'gap';
  if (seal.first <= head) return 'fork';
  // Of our own past, or one in doubt, a hole proves nothing: what only we hold there would vanish behind it.
  const isDoubted = unit.doubted.has(seal.origin) || replicaOf(seal.origin) === unit.replicaId;
  if (isDoubted && head > 0 && seal.first > head + 1 && unit.proven.get(seal.origin) !== head) return 'fork';
  if (seal.first === head + 1 && known && head > 0 && !isSameBytes(seal.before, known.hash)) return 'fork';
  return 'next';
}

/** What a commit says, read and not applied: why not, when its seal, chain or count of facts is not good. */
export function opsOf(
  unit: Unit,
  commit: Commit,
  publicKey: Uint8Array,
  factsBefore: number,
): readonly Op[] | CommitRefusal {
  const checked = checkSeal(unit, commit, publicKey) ?? checkOps(unit, commit, factsBefore);
  return typeof checked === 'string' ? checked : commit.ops;
}

/** Whether a commit is its origin's, sealed and with nothing in it changed; where it stands in a chain is not looked at. */
export const isWhole = (context: Sealed, commit: Commit, publicKey: Uint8Array): boolean =>
  checkSeal(context, commit, publicKey) === undefined && Array.isArray(checkChain(context, commit));

type Sealed = Pick<Unit, 'crypto' | 'shop'>;

type CheckedOp = { readonly op: Op; readonly hashes: OpHashes; readonly header: OpHeader | undefined };

/** Whether the origin itself has written this. Only then does it prove anything, a fork included. */
function checkSeal({ crypto, shop }: Sealed, { seal }: Commit, publicKey: Uint8Array): CommitRefusal | undefined {
  const isKeyOfOrigin =
    originPattern.test(seal.origin) && replicaOf(seal.origin) === replicaIdOf(crypto.sha256, publicKey);
  if (!isKeyOfOrigin) return 'key_mismatch';
  return crypto.verify(publicKey, sealMessage(shop, seal), seal.signature) ? undefined : 'seal_broken';
}

/** Chain, count of facts and form of every op. */
function checkOps(unit: Unit, commit: Commit, factsBefore: number): CheckedOp[] | CommitRefusal {
  const checked = checkChain(unit, commit);
  if (typeof checked === 'string') return checked;
  // Facts are never erased: a relay that leaves out what a ticket says has dropped it.
  const facts = checked.filter(({ op, header }) => header && header.seen === undefined && op.kind === 'whole').length;
  return factsBefore + facts === commit.seal.facts ? checked : 'facts_withheld';
}

function checkChain({ crypto, shop }: Sealed, { seal, ops }: Commit): CheckedOp[] | CommitRefusal {
  const { sha256 } = crypto;
  const isFirst = seal.first === 1;
  if (isFirst && !isSameBytes(seal.before, genesisHead(sha256, shop, seal.origin))) return 'chain_broken';
  const checked: CheckedOp[] = [];
  let head = seal.before;
  for (const op of ops) {
    const hashes = hashesOf(sha256, op);
    head = nextHead(sha256, head, hashes);
    const header = op.kind === 'pruned' ? undefined : parseHeader(op.header);
    if (typeof header === 'string') return 'op_malformed';
    checked.push({ op, hashes, header });
  }
  return ops.length > 0 && !isSameBytes(head, seal.after) ? 'chain_broken' : checked;
}

function applyOp(unit: Unit, origin: OriginState, number: number, { op, hashes, header }: CheckedOp): void {
  const key = keyOf(origin.index, number);
  if (op.kind === 'pruned') {
    const both = new Uint8Array(64);
    both.set(op.headerHash, 0);
    both.set(op.payloadHash, 32);
    unit.statements.addOp.run(key, 0, null, both);
    return;
  }
  const arrival = addChange(unit, key);
  unit.statements.addOp.run(key, arrival, op.header, op.kind === 'whole' ? op.payload : op.payloadHash);
  if (op.kind !== 'whole' || !header) return;
  const payload = parsePayload(op.payload);
  if (typeof payload === 'string') unit.unreadableCount += 1;
  else foldOp(unit, { key, origin: origin.origin, number, arrival }, header, payload, hashes.payloadHash);
}
