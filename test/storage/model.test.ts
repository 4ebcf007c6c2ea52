// What is written behind the sales, under everything that can befall it, against what the journal alone tells. Few rows
// may be behind here, so that a history of some dozen steps has many blocks.

import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createMovement, type MovementBody } from '../../src/commands/create-movement.ts';
import type { TicketBody } from '../../src/commands/ticket-body.ts';
import type { MovementRow, StockRow, TicketRow } from '../../src/core/books.ts';
import type { Outcome } from '../../src/core/command.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Draft } from '../../src/core/op.ts';
import { createOpenDatabase, createSystemCrypto } from '../../src/edges/system.ts';
import { decodeCommit } from '../../src/protocol/commit-codec.ts';
import { appendLocal } from '../../src/storage/append.ts';
import { commonPastAt, discardBranch, refold } from '../../src/storage/branch.ts';
import { appendRemote } from '../../src/storage/receive.ts';
import type { Unit } from '../../src/storage/unit.ts';
import { copyDatabase, verifyCopy } from '../../src/storage/verify.ts';
import { type ToldBooks, toldBy } from './journal-oracle.ts';
import { createFaultyDisk, type FaultyDisk, newFolder, type OpenedBooks, openBooks, recheckAll } from './opened.ts';

vi.mock('../../src/core/limits.ts', async (original) => ({
  ...(await original<typeof import('../../src/core/limits.ts')>()),
  arrivalsBehindMax: 5,
  levelsBehindMax: 5,
  rememberedLevelsMax: 4,
}));

type Appliance = { books: OpenedBooks; readonly disk: FaultyDisk; readonly accepted: Set<string> };
type Line = { productId: string; quantity: number };
type Sale = { id: string; kind: 'sale' | 'refund'; lines: Line[]; number: string | undefined };

const products = ['B', 'a', 'a-b', 'a.b', 'a:b', '10', '9', '_', 'Z.'];
const numbers = ['1', '2', '9', '10', 'a', 'é', '\uffee', '\u{10400}'];

const productId = fc.constantFrom(...products);
const line = fc.record({ productId, quantity: fc.constantFrom(1, -1, 0.25, 3, 0) });
const sale: fc.Arbitrary<Sale> = fc.record({
  id: fc.integer({ min: 0, max: 8 }).map((index) => `t-${index}`),
  kind: fc.constantFrom('sale', 'sale', 'refund'),
  lines: fc.array(line, { maxLength: 4 }),
  number: fc.option(fc.constantFrom(...numbers), { nil: undefined }),
});
const fault = fc.constantFrom('commit fails', 'commit fails, yet is there');
const statement = fc.constantFrom(
  'INTO ops',
  'INTO stock',
  'INTO product_movements',
  'INTO ticket_numbers',
  'INTO tickets',
  'UPDATE origins',
);
const where = fc.integer({ min: 0, max: 2 });
const from = fc.integer({ min: 1, max: 2 });
const part = fc.double({ min: 0, max: 1, noNaN: true });

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ does: fc.constant('sell'), where, sales: fc.array(sale, { minLength: 1, maxLength: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ does: fc.constant('receive'), where, count: fc.integer({ min: 1, max: 20 }), productId }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('count'), where, productId, counted: fc.integer({ min: 0, max: 5 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('edit'),
      where,
      productId: fc.constantFrom('a', 'B'),
      price: fc.integer({ min: 0, max: 9 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ does: fc.constant('carry'), where, from, isAtOnce: fc.boolean(), part }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('clock'), where, byMs: fc.integer({ min: -100_000, max: 100_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('break'), where, isRefolding: fc.boolean(), sale }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('fail'), where, fault }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('fail in'),
      where,
      statement,
      code: fc.constantFrom('SQLITE_FULL' as const, 'SQLITE_IOERR_WRITE' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('reopen'), where, isCrash: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('discard'), where, from, isFresh: fc.boolean(), part }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('refold'), where, sale }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('digest'), where }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

let ids = 0;
/** What has happened in all histories together. */
const happened = new Set<string>();

async function take(appliance: Appliance, other: Appliance, step: Step): Promise<void> {
  const { books, disk } = appliance;
  const { storage } = books;
  if (step.does === 'sell' && 'sales' in step) await sell(appliance, step.sales);
  else if (step.does === 'receive' && 'count' in step) {
    const body: MovementBody = { productId: step.productId, kind: 'receipt', quantity: 1 };
    const moves = Array.from({ length: step.count }, () =>
      books.run(createMovement({ id: `m-${ids++}`, by: 'admin', body })),
    );
    await Promise.all(moves);
  } else if (step.does === 'count' && 'counted' in step) await count(appliance, step.productId, step.counted);
  else if (step.does === 'edit' && 'price' in step) await books.put(step.productId, { name: 'P', price: step.price });
  else if (step.does === 'carry' && 'isAtOnce' in step) carryPart(other.books, books, step.isAtOnce, step.part);
  else if (step.does === 'clock' && 'byMs' in step) books.clock.now += step.byMs;
  else if (step.does === 'break' && 'isRefolding' in step) {
    const broken = storage.write((unit) => {
      if (step.isRefolding) refold(unit);
      throw new Error('a defect');
    });
    expect(broken.ok).toBe(false);
    await breakLate(books, step.sale);
  } else if (step.does === 'fail' && 'fault' in step) disk.arm(step.fault);
  else if (step.does === 'fail in' && 'statement' in step) disk.failIn(step.statement, step.code);
  else if (step.does === 'reopen' && 'isCrash' in step) reopen(appliance, step.isCrash);
  else if (step.does === 'discard' && 'isFresh' in step) {
    // What came last goes, and nothing is written before the next start.
    if (step.isFresh) carryPart(other.books, books, false, 1);
    discard(books, step.part);
    if (step.isFresh) reopen(appliance, false);
  } else if (step.does === 'refold' && 'sale' in step) refoldWith(books, step.sale);
  else if (step.does === 'digest') storage.books.digests();
}

/** Folded anew in one unit with sales, as when a branch of our own is written again. */
function refoldWith({ storage }: OpenedBooks, sale: Sale): void {
  storage.write((unit) => {
    appendLocal(unit, draftOf({ ...sale, id: `refold-${sale.id}` }));
    refold(unit);
    appendLocal(unit, draftOf({ ...sale, id: `again-${sale.id}` }));
  });
}

const draftOf = (sale: Sale): Draft => ({
  entity: 'ticket',
  id: sale.id,
  payload: {
    body: { ...bodyOf(sale), id: sale.id } as unknown as JsonObject,
    products: sale.lines.map((one) => one.productId),
    flags: [],
    receivedAt: 0,
  },
});

async function sell({ books, accepted }: Appliance, sales: readonly Sale[]): Promise<void> {
  const { onHand } = toldBy(books);
  const now = new Map(onHand);
  const outcomes = await Promise.all(sales.map((sale) => books.sell(sale.id, bodyOf(sale))));
  sales.forEach((sale, index) => {
    const outcome = outcomes[index] as Outcome<{ outcome: string; row: TicketRow }>;
    if (!outcome.ok) {
      happened.add(outcome.code);
      return;
    }
    // What was known already may be another's, and go with its branch until it comes again.
    if (outcome.result.outcome !== 'created') return;
    accepted.add(sale.id);
    const taken = new Map<string, number>();
    for (const { productId, quantity } of sale.lines)
      taken.set(productId, (taken.get(productId) ?? 0) + quantity * 1000);
    const isShort = [...taken].some(([productId, units]) => units > 0 && (now.get(productId) ?? 0) < units);
    expect(outcome.result.row.payload.flags.includes('negative_stock')).toBe(sale.kind === 'sale' && isShort);
    for (const { productId, quantity } of sale.lines)
      now.set(productId, (now.get(productId) ?? 0) - (sale.kind === 'sale' ? quantity : -Math.abs(quantity)) * 1000);
  });
}

const bodyOf = ({ kind, lines, number }: Sale): Partial<TicketBody> => ({
  kind,
  lines,
  ...(number !== undefined && { terminalId: 'till', number }),
});

async function count({ books }: Appliance, productId: string, counted: number): Promise<void> {
  const before = toldBy(books).onHand.get(productId) ?? 0;
  const body: MovementBody = { productId, kind: 'count', counted };
  const outcome = (await books.run(createMovement({ id: `m-${ids++}`, by: 'admin', body }))) as Outcome<{
    row: MovementRow;
  }>;
  if (outcome.ok) expect(outcome.result.row.quantity).toBe(counted * 1000 - before);
}

/** A command that decides well, sells, and breaks on its answer: it is tried with its neighbour, then alone. */
async function breakLate(books: OpenedBooks, sale: Sale): Promise<void> {
  const outcome = await books.run(({ books: read }) => {
    if (read.ticket(`broken-${sale.id}`)) throw new Error('it was never written');
    return {
      ok: true,
      drafts: [draftOf({ ...sale, id: `broken-${sale.id}` })],
      result: () => {
        throw new Error('a defect');
      },
    };
  });
  expect(outcome.ok).toBe(false);
}

/** The first `part` of what each origin has, origin by origin. */
function carryPart(from: OpenedBooks, to: OpenedBooks, isAtOnce: boolean, part: number): void {
  const works: ((unit: Unit) => void)[] = [];
  for (const [origin, { publicKey }] of from.storage.state().origins) {
    const after = 0;
    const commits = from.storage.readCommits(origin, after, Number.MAX_SAFE_INTEGER);
    for (const { bytes } of commits.slice(0, Math.ceil(commits.length * part))) {
      const commit = decodeCommit(origin, bytes);
      if (!commit) throw new Error('a commit that cannot be read');
      works.push((unit) => void appendRemote(unit, commit, publicKey));
    }
  }
  if (isAtOnce) to.storage.write((unit) => works.forEach((work) => void work(unit)));
  else for (const work of works) to.storage.write(work);
}

function reopen(appliance: Appliance, isCrash: boolean): void {
  const { books, disk } = appliance;
  const before = standOf(books);
  if (isCrash) {
    const folder = newFolder();
    for (const name of ['books.db', 'books.db-wal'])
      if (existsSync(join(books.folder, name))) copyFileSync(join(books.folder, name), join(folder, name));
    books.close();
    const { signer, clock } = books;
    appliance.books = openBooks({ folder, signer, clock, openDatabase: disk.openDatabase });
  } else appliance.books = books.reopen();
  expect(standOf(appliance.books)).toEqual(before);
}

/** What neither a start nor a crash may change; of levels their times, too. */
const standOf = (books: OpenedBooks) => ({
  levels: levelsOf(books, 3),
  seq: books.storage.state().seq,
  counts: books.storage.books.counts(),
});

/** Lets go of the end of what the others wrote, as after a fork: it comes again. */
function discard({ storage, replicaId }: OpenedBooks, part: number): void {
  const others = [...storage.state().origins.values()].filter(({ origin }) => !origin.startsWith(replicaId));
  const origin = others[Math.floor(part * others.length * 0.999)];
  if (!origin) return;
  const ends = storage
    .handle()
    .statements.commitsBetween.all(origin.index * 2 ** 40, (origin.index + 1) * 2 ** 40 - 1)
    .map((row) => row.key % 2 ** 40);
  const number = [0, ...ends][Math.floor(part * ends.length)] ?? 0;
  storage.write((unit) => {
    const common = commonPastAt(unit, origin, number);
    if (common && number < origin.head) discardBranch(unit, origin, common);
  });
}

const levelsOf = (books: OpenedBooks, limit: number): StockRow[] =>
  pages((after) => books.storage.books.stockLevels({ after, limit }));

function pages<Row>(read: (after: string | undefined) => { rows: Row[]; next: string | null }): Row[] {
  const rows: Row[] = [];
  for (let after: string | undefined; ; ) {
    const page = read(after);
    rows.push(...page.rows);
    if (page.next === null) return rows;
    after = page.next;
  }
}

const byteOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function check({ books, accepted }: Appliance, limit: number): ToldBooks {
  const told = toldBy(books);
  const read = books.storage.books;
  const levels = [...told.onHand].sort(([a], [b]) => byteOrder(a, b));
  expect(levelsOf(books, limit).map(({ productId, onHand }) => [productId, onHand])).toEqual(levels);
  for (const productId of products) expect(read.stock(productId)?.onHand).toBe(told.onHand.get(productId));
  const movements = (filter: { productId?: string; ticketId?: string }) =>
    pages((after) => read.movements({ ...filter, after, limit })).map(
      ({ id, productId, kind, quantity, ticketId }) => ({ id, productId, kind, quantity, ticketId }),
    );
  expect(movements({})).toEqual(told.movements);
  for (const productId of products)
    expect(movements({ productId })).toEqual(told.movements.filter((one) => one.productId === productId));
  for (const ticketId of told.tickets.keys())
    expect(movements({ ticketId })).toEqual(told.movements.filter((one) => one.ticketId === ticketId));
  expect(read.counts()).toMatchObject({ tickets: told.tickets.size, movements: told.movements.length });
  for (const id of accepted) expect(told.tickets.has(id)).toBe(true);
  checkNumbers(books, told);
  return told;
}

function checkNumbers({ storage: { books: read } }: OpenedBooks, { tickets }: ToldBooks): void {
  const counts = new Map<string, number>();
  for (const numbered of tickets.values())
    if (numbered) counts.set(numbered.number, (counts.get(numbered.number) ?? 0) + 1);
  for (const number of numbers) expect(read.hasTicketNumber('till', number)).toBe(counts.has(number));
  for (const [id, numbered] of tickets)
    expect(read.ticket(id)?.hasDuplicateNumber).toBe(numbered !== undefined && (counts.get(numbered.number) ?? 0) > 1);
}

function checkDigests({ books }: Appliance, told: ToldBooks): void {
  expect(books.storage.books.digests()).toMatchObject(told.digests);
}

const openDatabase = createOpenDatabase();

function verify({ path, signer, replicaId }: OpenedBooks): void {
  const copy = join(newFolder(), 'copy.db');
  copyDatabase(openDatabase, path, copy);
  expect(verifyCopy({ crypto: createSystemCrypto(), signer, openDatabase }, copy, replicaId).findings).toEqual([]);
  expect(recheckAll(path, replicaId)).toBe(undefined);
}

function openAppliance(aheadMs: number): Appliance {
  const disk = createFaultyDisk();
  const clock = { now: Date.UTC(2026, 10, 20, 8) + aheadMs };
  return { books: openBooks({ openDatabase: disk.openDatabase, clock }), disk, accepted: new Set() };
}

const faults = [
  'outcome_unknown',
  'disk_full',
  'storage_failed',
  'levels behind',
  'many blocks',
  'a place gone from a block',
  'rivals',
  'a new epoch',
];

/** So that a test that goes well has seen what it is about. */
function tally({ books: { storage } }: Appliance): void {
  const { database } = storage.handle();
  const has = (what: string, sql: string): void => void (database.prepare(sql).get() && happened.add(what));
  has('many blocks', 'SELECT DISTINCT block FROM product_movements LIMIT 1 OFFSET 3');
  has('a place gone from a block', "SELECT 1 FROM product_movements WHERE places = '[]'");
  has('rivals', 'SELECT 1 FROM tickets WHERE rival = 1');
  has('a new epoch', "SELECT 1 FROM origins WHERE origin LIKE '%.2'");
  if (storage.state().seq > storage.state().stockWritten) happened.add('levels behind');
}

async function live(steps: readonly Step[], limit: number): Promise<void> {
  const appliances = [openAppliance(0), openAppliance(-60_000), openAppliance(30_000)] as const;
  try {
    for (const step of steps) {
      const appliance = appliances[step.where] ?? appliances[0];
      const other = appliances[(step.where + ('from' in step ? step.from : 1)) % 3] ?? appliances[0];
      await take(appliance, other, step);
      const told = check(appliance, limit);
      tally(appliance);
      if (step.does === 'digest') checkDigests(appliance, told);
    }
    for (const { disk } of appliances) disk.disarm();
    for (const isAtOnce of [false, true])
      for (const { books } of appliances)
        for (const other of appliances) if (other.books !== books) carryPart(other.books, books, isAtOnce, 1);
    for (const appliance of appliances) checkDigests(appliance, check(appliance, limit));
    for (const { books } of appliances) {
      const { books: first } = appliances[0].books.storage;
      expect(books.storage.books.heads()).toEqual(first.heads());
      expect(books.storage.books.digests()).toEqual(first.digests());
      verify(books);
    }
  } finally {
    for (const { books } of appliances) books.close();
  }
}

/** Always the same histories; others, and more of them, for a longer look: `MODEL_SEED=7 MODEL_RUNS=2000 MODEL_MS=600000`. */
const seed = Number(process.env.MODEL_SEED ?? 1);
const numRuns = Number(process.env.MODEL_RUNS ?? 30);
const interruptAfterTimeLimit = Number(process.env.MODEL_MS ?? 12_000);

test('B4 B3 B2 whatever befalls an appliance, its books tell what its journal tells', {
  timeout: interruptAfterTimeLimit + 60_000,
}, async () => {
  const history = fc.array(step, { minLength: 10, maxLength: 60, size: 'max' });
  const pageRows = fc.integer({ min: 1, max: 9 });
  const property = fc.asyncProperty(history, pageRows, live);
  const details = await fc.check(property, { seed, numRuns, interruptAfterTimeLimit });
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
  if (!details.interrupted) expect([...happened].filter((what) => faults.includes(what)).sort()).toEqual(faults.sort());
});
