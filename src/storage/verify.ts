// Checks a copy of a database from the ground up: every seal and every link of every origin's chain, then the whole state
// folded anew from the journal and compared with the state that is stored. Works on a copy only: it writes.

import { rmSync } from 'node:fs';
import type BetterSqlite3 from 'better-sqlite3';
import { genesisHead, hashesOf, hex, isSameBytes, nextHead, parseHeader, sealMessage } from '../core/op.ts';
import type { Crypto, OpenDatabase, Signer } from '../ports.ts';
import { finish } from './append.ts';
import { refold } from './branch.ts';
import { commitOf } from './journal.ts';
import { createMemory } from './memory.ts';
import { indexMovements } from './movements.ts';
import { describe } from './open.ts';
import {
  copyState,
  loadState,
  type OriginState,
  readMeta,
  type StorageState,
  type SummedPart,
  summedParts,
} from './state.ts';
import { prepareStatements, type Statements } from './statements.ts';
import { restoreStock, writeStock } from './stock.ts';
import { indexNumbers } from './ticket-numbers.ts';
import { createUnit, keyOf, lastKeyOf, type Unit } from './unit.ts';

export type Finding = {
  readonly check: 'database' | 'seals' | 'chain' | 'heads' | 'fold';
  /** What is wrong and where, as a sentence. */
  readonly detail: string;
};

export type VerifyReport = {
  readonly findings: readonly Finding[];
  readonly origins: number;
  readonly ops: number;
  readonly counts: Readonly<Record<string, number>>;
};

/** Findings shown at most; one broken origin would else fill the screen. */
const findingsMax = 50;

/** A consistent copy of a database that may be in use. Throws SqliteError. */
export function copyDatabase(open: OpenDatabase, from: string, to: string): void {
  const database = open(from, { readonly: true });
  try {
    database.prepare('VACUUM INTO ?').run(to);
  } finally {
    database.close();
  }
}

/** Checks the copy at `path` and removes it. */
export function verifyCopy(
  ports: { crypto: Crypto; signer: Signer; openDatabase: OpenDatabase },
  path: string,
  replicaId: string,
): VerifyReport {
  const findings: Finding[] = [];
  const find = (check: Finding['check'], detail: string) => {
    if (findings.length < findingsMax) findings.push({ check, detail });
  };
  let report: Omit<VerifyReport, 'findings'> = { origins: 0, ops: 0, counts: {} };
  let database: BetterSqlite3.Database | undefined;
  try {
    database = ports.openDatabase(path, { readonly: false });
    report = verifyOpen(ports, database, replicaId, find);
  } catch (error) {
    find('database', describe(error, path).detail);
  } finally {
    database?.close();
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true });
  }
  return { findings, ...report };
}

export type Find = (check: Finding['check'], detail: string) => void;

function verifyOpen(
  ports: { crypto: Crypto; signer: Signer },
  database: BetterSqlite3.Database,
  replicaId: string,
  find: Find,
): Omit<VerifyReport, 'findings'> {
  const integrity = database.pragma('integrity_check(20)') as { integrity_check: string }[];
  for (const { integrity_check: line } of integrity) if (line !== 'ok') find('database', `SQLite finds: ${line}.`);
  const statements = prepareStatements(database);
  const state = loadState(statements, replicaId);
  const shop = readMeta(statements, 'shop', '');
  let ops = 0;
  const stored = database.prepare<[number, number], { count: number }>(
    'SELECT count(*) AS count FROM ops WHERE key BETWEEN ? AND ?',
  );
  for (const origin of state.origins.values()) {
    const { whole, sealed } = atOnce(verifyOrigin(ports.crypto, statements, shop, origin, find));
    ops += whole;
    // To peers, what lies between two seals is superseded: they would never hear of these.
    const unsealed = (stored.get(keyOf(origin.index, 1), lastKeyOf(origin.index))?.count ?? 0) - sealed;
    if (unsealed > 0) find('chain', `${unsealed} ops of origin ${origin.origin} stand under no seal.`);
  }
  verifyFold(ports, database, statements, state, { shop, replicaId }, find);
  return { origins: state.origins.size, ops, counts: { ...state.counts } };
}

function atOnce<Result>(steps: Generator<undefined, Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * Walks an origin's chain, a commit a step; returns how many ops it holds whole, and how many rows of ops stand under its
 * seals.
 */
export function* verifyOrigin(
  crypto: Crypto,
  statements: Statements,
  shop: string,
  origin: OriginState,
  find: Find,
): Generator<undefined, { whole: number; sealed: number }> {
  const at = (number: number) => `op ${number} of origin ${origin.origin}`;
  let head = genesisHead(crypto.sha256, shop, origin.origin);
  let [end, facts, whole, sealed] = [0, 0, 0, 0];
  for (const row of statements.commitsBetween.iterate(keyOf(origin.index, 1), lastKeyOf(origin.index))) {
    const rows = row.live === 0 ? [] : statements.opsBetween.all(keyOf(origin.index, row.first), row.key);
    const { seal, ops } = commitOf(origin, row, end, rows);
    if (seal.first <= end) find('chain', `Two commits hold ${at(seal.first)}.`);
    if (seal.first === end + 1 && !isSameBytes(seal.before, head))
      find('chain', `The chain breaks before ${at(seal.first)}.`);
    if (!crypto.verify(origin.publicKey, sealMessage(shop, seal), seal.signature))
      find('seals', `The seal up to ${at(seal.last)} is broken.`);
    let link = seal.before;
    for (const op of ops) {
      link = nextHead(crypto.sha256, link, hashesOf(crypto.sha256, op));
      const header = op.kind === 'pruned' ? undefined : parseHeader(op.header);
      if (typeof header === 'string') find('chain', `An op near ${at(seal.last)} cannot be read.`);
      else if (header && header.seen === undefined) facts += 1;
    }
    if (row.live > 0 && ops.length !== seal.last - seal.first + 1)
      find('chain', `Ops are missing between ${at(seal.first)} and ${seal.last}.`);
    else if (row.live > 0 && !isSameBytes(link, seal.after))
      find('chain', `Something between ${at(seal.first)} and ${seal.last} was altered.`);
    if (facts !== seal.facts) {
      find('chain', `The seal up to ${at(seal.last)} counts ${seal.facts} facts, the journal has ${facts}.`);
      facts = seal.facts;
    }
    [head, end, whole, sealed] = [seal.after, seal.last, whole + row.live, sealed + ops.length];
    yield;
  }
  if (end !== origin.head || !isSameBytes(head, origin.hash))
    find('heads', `The head of origin ${origin.origin} is ${origin.head}, its chain ends at ${end}.`);
  return { whole, sealed };
}

function verifyFold(
  ports: { crypto: Crypto; signer: Signer },
  database: BetterSqlite3.Database,
  statements: Statements,
  state: StorageState,
  context: { shop: string; replicaId: string },
  find: Find,
): void {
  const memory = createMemory();
  const others = { statements, ...ports, ...context, memory, proven: new Map(), doubted: new Set<string>() };
  const unit = createUnit(others, copyState(state), 0, 0);
  let before: Record<string, string>;
  restoreStock(statements, state, memory.stock);
  statements.begin.run();
  try {
    writeBehind(unit);
    before = stateTables(ports.crypto, database);
    refold(unit);
    finish(unit);
    writeBehind(unit);
    statements.commit.run();
  } catch (error) {
    statements.rollback.run();
    return find('fold', `The journal cannot be folded: ${(error as Error).message}.`);
  }
  const after = stateTables(ports.crypto, database);
  for (const [table, hash] of Object.entries(before))
    if (after[table] !== hash)
      find('fold', `The stored ${table} are not what the journal says: they were changed from outside, or damaged.`);
  for (const part of summedParts) {
    const isSame = state.counts[part] === unit.state.counts[part] && isSameSum(state, unit.state, part);
    if (!isSame)
      find(
        'fold',
        `The digest of ${part} (${state.counts[part]} rows) is not that of the journal (${unit.state.counts[part]} rows).`,
      );
  }
}

/** All that is written behind the sales: it is the fold that is looked at, not how far behind it is. */
function writeBehind(unit: Unit): void {
  unit.mustWriteStock = true;
  writeStock(unit);
  indexMovements(unit, unit.state.seq, 1);
  indexNumbers(unit, 1);
}

const isSameSum = (a: StorageState, b: StorageState, part: SummedPart): boolean =>
  a.sums[part].every((word, index) => word === b.sums[part][index]);

/** One hash for each table of the state, of all that does not depend on the order in which rows were made. */
function stateTables(crypto: Crypto, database: BetterSqlite3.Database): Record<string, string> {
  const queries = {
    records: 'SELECT entity, id, ops, version, deleted, archived, sku, search FROM records ORDER BY entity, id',
    barcodes: 'SELECT gtin, id FROM barcodes JOIN records ON records.row = barcodes.record ORDER BY gtin, id',
    tickets: 'SELECT op, id, terminal, number, customer, sold_at, movements FROM tickets ORDER BY id',
    movements: 'SELECT op, id, product, kind, quantity FROM movements ORDER BY op',
    stock: 'SELECT product, on_hand, movements FROM stock ORDER BY product',
    'movements by product':
      "SELECT product, value FROM product_movements, json_each(iif(json_valid(places), places, '[0]')) ORDER BY product, value",
    'numbers of tickets': 'SELECT terminal, number, ticket FROM ticket_numbers ORDER BY terminal, number, ticket',
  };
  return Object.fromEntries(
    Object.entries(queries).map(([table, sql]) => {
      let hash = '';
      for (const row of database.prepare(sql).iterate()) hash = hex(crypto.sha256(hash + JSON.stringify(row)));
      return [table, hash];
    }),
  );
}
