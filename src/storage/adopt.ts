// Books that came as a file, made ready to be ours: checked against what its maker signed (in steps, ahead of the rest) and
// against what we hold, with our own rows put in, and with every op of ours that it lacks. Nothing of ours is changed here.

import type BetterSqlite3 from 'better-sqlite3';
import { snapshotCarriedOpsMax } from '../core/limits.ts';
import { hex } from '../core/op.ts';
import type { SnapshotFacts } from '../core/snapshot.ts';
import type { Ports } from '../ports.ts';
import { decodeCommit } from '../protocol/commit-codec.ts';
import { finish } from './append.ts';
import { compareBranch } from './branch.ts';
import { createMemory, type Memory } from './memory.ts';
import {
  closeQuietly,
  describe,
  distrust,
  fileMark,
  type Handle,
  isOpen,
  type OpenConfig,
  type OpenFailure,
  openStorage,
} from './open.ts';
import { appendRemote } from './receive.ts';
import { schemaTextOf, takeOwnRows } from './snapshot-tables.ts';
import { copyState, loadState, type OriginState, type StorageState } from './state.ts';
import { restoreStock } from './stock.ts';
import { wrongFact, wrongVoids } from './sums.ts';
import { createUnit, type EncodedCommit, type Unit } from './unit.ts';

export type Ours = {
  readonly state: StorageState;
  readonly path: string;
  /** What of meta is new with these books. */
  readonly marks: { readonly [key: string]: string };
  readonly clockMs: number;
  readonly meshMs: number;
  commitsAfter(origin: string, number: number): EncodedCommit[];
};

type Incoming = { readonly handle: Handle; readonly memory: Memory };

/** Whether the file at `config.path` holds what its maker signed. It is closed again at the end, or when it is left. */
export function* inspectBooks(
  ports: Ports,
  config: OpenConfig,
  facts: SnapshotFacts,
  schemaText: string,
): Generator<undefined, OpenFailure | undefined> {
  const otherwise = otherTables(ports, config.path, schemaText);
  if (otherwise) return otherwise;
  const handle = openStorage(ports.openDatabase, config);
  if (!isOpen(handle)) return handle;
  try {
    const wrong = (yield* wrongFact(handle, ports.crypto, facts)) ?? (yield* wrongVoids(handle));
    return wrong === undefined ? undefined : unfit(wrong);
  } catch (error) {
    return describe(error, config.path);
  } finally {
    closeQuietly(handle.database);
  }
}

/**
 * The file at `config.path` is left closed, and on disk as far as it was changed here. When it is made from our own
 * journal, what of ours does not follow on it is what was found broken, and stays behind.
 */
export function adoptBooks(
  ports: Ports,
  config: OpenConfig,
  ours: Ours,
  source: 'maker' | 'own journal',
): OpenFailure | undefined {
  const handle = openStorage(ports.openDatabase, config);
  if (!isOpen(handle)) return handle;
  try {
    const memory = createMemory();
    const mustBeAll = source === 'maker';
    const lost = mustBeAll ? lostPast(handle, ours.state) : undefined;
    if (lost) return unfit(lost);
    // It keeps inode and birth when it takes the place of the other.
    takeOwnRows(handle, ours.path, { ...ours.marks, file: fileMark(config) });
    handle.state = loadState(handle.statements, config.replicaId);
    restoreStock(handle.statements, handle.state, memory.stock);
    const left = carryOver(ports, config, { handle, memory }, ours, mustBeAll);
    if (left) return unfit(left);
    handle.database.pragma('wal_checkpoint(TRUNCATE)');
    return undefined;
  } catch (error) {
    return describe(error, config.path);
  } finally {
    closeQuietly(handle.database);
  }
}

/** Before a row of it is asked for: a view in the place of a table would do whatever its maker likes, for as long. */
function otherTables({ openDatabase }: Ports, path: string, schemaText: string): OpenFailure | undefined {
  let database: BetterSqlite3.Database | undefined;
  try {
    database = openDatabase(path, { readonly: true });
    distrust(database);
    return schemaTextOf(database) === schemaText ? undefined : unfit('its tables are not those of this version');
  } catch (error) {
    return describe(error, path);
  } finally {
    closeQuietly(database);
  }
}

const unfit = (detail: string): OpenFailure => ({ code: 'snapshot_unfit', detail });

/** What we hold and it should hold, too, must be the same history. In doubt it is not taken: ops are, one by one. */
function lostPast({ statements, state }: Handle, ours: StorageState): string | undefined {
  for (const { origin, head, hash } of ours.origins.values()) {
    const theirs = state.origins.get(origin);
    if (!theirs || theirs.head < head || head === 0) continue;
    if (compareBranch(statements, theirs, head, hex(hash)) !== 'same')
      return `it does not show the history of ${origin} that we hold`;
  }
  const known = new Set(state.forks.map((statement) => JSON.stringify(statement)));
  if (ours.forks.some((statement) => !known.has(JSON.stringify(statement))))
    return 'it does not know of a fork that we know of';
  return undefined;
}

/** Ops that are here and not in the snapshot: sales of the last minutes, whoever has written them. */
function carryOver(
  ports: Ports,
  config: OpenConfig,
  { handle, memory }: Incoming,
  ours: Ours,
  mustBeAll: boolean,
): string | undefined {
  const lacking = [...ours.state.origins.values()].filter(
    ({ origin, head }) => head > (handle.state.origins.get(origin)?.head ?? 0),
  );
  if (lacking.length === 0) return undefined;
  const { statements } = handle;
  const { crypto, signer } = ports;
  const { shop, replicaId } = config;
  // It was little when the snapshot was asked for; to fold more at once would hold up sales.
  const opsMax = mustBeAll ? 2 * snapshotCarriedOpsMax : Number.POSITIVE_INFINITY;
  const context = {
    statements,
    crypto,
    signer,
    memory,
    shop,
    replicaId,
    proven: new Map(),
    doubted: new Set<string>(),
  };
  const unit = createUnit(context, copyState(handle.state), ours.clockMs, ours.meshMs);
  statements.begin.run();
  try {
    for (const origin of lacking) {
      const left = carryOrigin(unit, origin, ours, opsMax);
      if (left && mustBeAll) return left;
    }
    finish(unit);
    statements.commit.run();
    return undefined;
  } finally {
    if (handle.database.inTransaction) statements.rollback.run();
  }
}

function carryOrigin(unit: Unit, { origin, head }: OriginState, ours: Ours, opsMax: number): string | undefined {
  for (let number = unit.state.origins.get(origin)?.head ?? 0; number < head; ) {
    const commits = ours.commitsAfter(origin, number);
    if (commits.length === 0) return `what follows ${number} of ${origin} cannot be read here`;
    for (const { publicKey, bytes, last } of commits) {
      const commit = decodeCommit(origin, bytes);
      const received = commit && appendRemote(unit, commit, publicKey);
      if (received?.result !== 'applied')
        return `our own ${last} of ${origin} does not follow on it (${received?.result})`;
      number = last;
    }
    if (unit.opCount > opsMax) return 'too much was written here meanwhile';
  }
  return undefined;
}
