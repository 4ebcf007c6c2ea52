// One unit of writing: what one transaction has done to the books so far. Nothing here is visible outside before the
// transaction is on disk.

import type { Stamp } from '../core/clock.ts';
import { addTerm, subtractTerm } from '../core/digest.ts';
import { type Origin, replicaOf } from '../core/heads.ts';
import type { JsonObject } from '../core/json.ts';
import { opNumberMax, originsMax } from '../core/limits.ts';
import { type Dot, genesisHead, hex, type Op, type OpHeader } from '../core/op.ts';
import type { Crypto, Signer } from '../ports.ts';
import type { Memory } from './memory.ts';
import { headsOf, type OriginState, type StorageState, type SummedPart } from './state.ts';
import type { Statements } from './statements.ts';
import type { PendingStock } from './stock.ts';

/** Index and number as one exact integer. */
export const keyOf = (index: number, number: number): number => index * 2 ** 40 + number;
export const indexOfKey = (key: number): number => Math.floor(key / 2 ** 40);
export const numberOfKey = (key: number): number => key % 2 ** 40;
export const lastKeyOf = (index: number): number => keyOf(index, opNumberMax);

export type UnitContext = {
  readonly statements: Statements;
  readonly crypto: Crypto;
  readonly signer: Signer;
  readonly shop: string;
  readonly replicaId: string;
  readonly memory: Memory;
  /** How far a peer has shown our own origins to be what we hold, after we were found restored. */
  readonly proven: Map<Origin, number>;
  /** Origins of which a peer may hold another branch: of our own among them only what is proven counts as held. */
  readonly doubted: ReadonlySet<Origin>;
};

/** Where an op stands: `key` in the journal, `arrival` in the order of arrival here. */
export type Place = {
  readonly key: number;
  readonly origin: Origin;
  readonly number: number;
  readonly arrival: number;
};

/** A commit in hand, as it goes out on the wire. */
export type EncodedCommit = {
  readonly origin: Origin;
  readonly publicKey: Uint8Array;
  readonly first: number;
  readonly last: number;
  readonly bytes: Uint8Array;
};

export type Unit = UnitContext & {
  readonly state: StorageState;
  readonly clockMs: number;
  readonly meshMs: number;
  /** Stock levels touched in this unit; reads look here first. */
  readonly stock: Map<string, PendingStock>;
  /** What it did to the stock does not follow from the movements alone; and whether it has written the rows. */
  mustWriteStock: boolean;
  hasWrittenStock: boolean;
  /** Keys of record ops that no frontier holds any more. */
  readonly superseded: Set<number>;
  readonly touchedOrigins: Set<Origin>;
  /** Heads, with what this unit has taken in but not sealed. */
  readonly held: Record<Origin, number>;
  readonly encoded: EncodedCommit[];
  /** Conflicts first seen in this unit; ops that could be stored but not understood. */
  conflictCount: number;
  unreadableCount: number;
  /** Ops in which a replica says where a fork has closed an origin of its own (see voids.ts). */
  readonly forkStatements: { readonly author: Origin; readonly payload: JsonObject }[];
  /** Origins whose ops came with stamps well ahead of the mesh's time, with the last such stamp. */
  readonly stampedAhead: Map<Origin, Stamp>;
  opCount: number;
  /** Highest row of the order of arrival that this unit has taken out again. */
  lastChangeDeleted: number;
  local: { origin: OriginState; ops: Op[]; bytes: number; head: Uint8Array; facts: number; stamp: Stamp } | null;
};

export function createUnit(context: UnitContext, state: StorageState, clockMs: number, meshMs: number): Unit {
  return {
    ...context,
    state,
    clockMs,
    meshMs,
    stock: new Map(),
    mustWriteStock: false,
    hasWrittenStock: false,
    superseded: new Set(),
    touchedOrigins: new Set(),
    held: { ...headsOf(state) },
    encoded: [],
    conflictCount: 0,
    unreadableCount: 0,
    forkStatements: [],
    stampedAhead: new Map(),
    opCount: 0,
    lastChangeDeleted: 0,
    local: null,
  };
}

/** The state of an origin, made on first sight. */
export function originState(unit: Unit, origin: Origin, publicKey: Uint8Array): OriginState {
  const known = unit.state.origins.get(origin);
  if (known) return known;
  if (unit.state.origins.size >= originsMax) throw new Error('too many origins for one replica');
  const index = 1 + Math.max(0, ...unit.state.originsByIndex.keys());
  const hash = genesisHead(unit.crypto.sha256, unit.shop, origin);
  const state: OriginState = { index, origin, publicKey, head: 0, hash, facts: 0, stamp: '0'.repeat(16) };
  unit.statements.addOrigin.run(index, origin, publicKey, 0, hash, 0, state.stamp);
  setOrigin(unit, state);
  return state;
}

export function setOrigin(unit: Unit, state: OriginState): void {
  unit.state.origins.set(state.origin, state);
  unit.state.originsByIndex.set(state.index, state);
  unit.touchedOrigins.add(state.origin);
}

/** Up to where an origin's numbers are known to be what others mean by them. In doubt whose a number is, it is nobody's. */
export const knownUpTo = ({ held, proven, doubted, replicaId }: Unit, origin: Origin): number =>
  (doubted.has(origin) && replicaOf(origin) === replicaId ? proven.get(origin) : held[origin]) ?? 0;

/**
 * What an op's author had seen and we do not hold yet; what was seen of a void branch counts as held. What it had seen on
 * another branch than ours is held when the fork is mended, and not before: the number stands for the last there can be.
 */
export function lackingOf(
  unit: Unit,
  { seen = {}, branches = [] }: Pick<OpHeader, 'seen' | 'branches'>,
): Dot | undefined {
  for (const [index, [origin, number]] of Object.entries(seen).entries()) {
    const end = unit.state.voids[origin] ?? number;
    if (knownUpTo(unit, origin) < Math.min(number, end)) return { origin, number: Math.min(number, end) };
    const [there, here] = [branches[index] ?? '', number > end ? '' : branchAt(unit, origin, number)];
    if (there !== '' && here !== '' && there !== here) return { origin, number: opNumberMax };
  }
  return undefined;
}

/** First 8 hex digits of the chain head after the commit that holds a number here; empty where that is not known. */
export function branchAt({ statements, state }: Unit, origin: Origin, number: number): string {
  const index = state.origins.get(origin)?.index;
  if (index === undefined) return '';
  const row = statements.commitFrom.get(keyOf(index, number), lastKeyOf(index));
  return row && row.first <= number ? hex(row.after.subarray(0, 4)) : '';
}

/** The next row in the order of arrival. Its time never goes back, so that "since a time" skips nothing. */
export function addChange(unit: Unit, key: number): number {
  unit.state.changeAt = Math.max(unit.state.changeAt, unit.clockMs);
  unit.state.seq += 1;
  unit.statements.addChange.run(unit.state.seq, key, unit.state.changeAt);
  unit.opCount += 1;
  return unit.state.seq;
}

/** Rows (one, or `rows` that share a term) enter (+1) or leave (-1) a part of the books. `hash`: their 32-byte digest. */
export function countTerm(unit: Unit, part: SummedPart, hash: Uint8Array, sign: 1 | -1, rows = 1): void {
  if (sign === 1) addTerm(unit.state.sums[part], hash);
  else subtractTerm(unit.state.sums[part], hash);
  unit.state.counts[part] += sign * rows;
}
