// Reads of the books for commands and edges: single rows, and pages that can be left and resumed at any row.

import type {
  Books,
  Digests,
  MovementFilter,
  MovementPayload,
  MovementRow,
  Page,
  RecordEntity,
  RecordFilter,
  RecordRow,
  StockRow,
  TicketFilter,
  TicketPayload,
  TicketRow,
} from '../core/books.ts';
import { type DigestSum, digestText } from '../core/digest.ts';
import { derivedMovementId } from '../core/facts.ts';
import { replicaOf } from '../core/heads.ts';
import type { JsonObject } from '../core/json.ts';
import { searchCharsMax } from '../core/limits.ts';
import type { Membership, TrustStatement } from '../core/membership.ts';
import { mergeRecord } from '../core/merge.ts';
import { hex, type OpHeader, parseHeader, parsePayload, writtenAtMs } from '../core/op.ts';
import type { Crypto } from '../ports.ts';
import { liveOps } from './fold-records.ts';
import type { Memory } from './memory.ts';
import { allMovements, movementsOfProduct, movementsOfTicket, placeOf, type StoredMovement } from './movements.ts';
import type { Handle } from './open.ts';
import { headsOf, type StorageState, type SummedPart } from './state.ts';
import type { RecordTableRow, TicketTableRow } from './statements.ts';
import { levelOf, levelsAfter, type PendingStock, type StockLevel } from './stock.ts';
import { settleSum } from './stock-sum.ts';
import { countNumber } from './ticket-numbers.ts';
import { indexOfKey } from './unit.ts';
import { withoutVoid } from './voids.ts';

export type BooksSource = {
  /** Throws when the database is not open. */
  handle(): Handle;
  handleIfOpen(): Handle | null;
  /** State as of now: that of the open unit inside a commit. */
  state(): StorageState;
  membership(statements: readonly TrustStatement[]): Membership;
  pendingStock(product: string): PendingStock | undefined;
  memory: Memory;
  crypto: Crypto;
};

/** A week: ranges of sale times up to it are read by time, longer ones in the order of arrival. */
const shortRangeMs = 7 * 86_400_000;

export function createBooks(source: BooksSource): Books {
  const statements = () => source.handle().statements;
  return {
    record(entity, id) {
      const row = statements().recordById.get(entity, id);
      return row && recordRow(source, row);
    },
    hasRecord(entity, id) {
      const known = source.memory.isLiving(entity, id);
      if (known !== undefined) return known;
      const isLiving = statements().recordLives.get(entity, id)?.deleted === 0;
      source.memory.keepLiving(entity, id, isLiving);
      return isLiving;
    },
    recordRevision: source.memory.recordRevision,
    records: (entity, filter) => recordPage(source, entity, filter),
    ticket(id) {
      const row = statements().ticketById.get(id);
      return row && ticketRow(source, row);
    },
    tickets: (filter) => ticketPage(source, filter),
    hasTicketNumber: (terminalId, number) => ticketsOfNumber(source, terminalId, number) > 0,
    movement(id) {
      const row = statements().movementById.get(id);
      return row && movementRow({ ...row, place: placeOf(row.seq), line: null }, factOf(source, row.op));
    },
    movements: (filter) => movementPage(source, filter),
    stock(productId) {
      const level = source.pendingStock(productId) ?? levelOf(statements(), source.memory.stock, productId);
      return level && stockRow(productId, level);
    },
    stockLevels({ after, limit }) {
      const rows: StockRow[] = [];
      for (const [product, level] of levelsAfter(statements(), source.memory.stock, after ?? '')) {
        rows.push(stockRow(product, level));
        if (rows.length > limit) break;
      }
      return page(
        rows,
        limit,
        (row) => row.productId,
        (row) => row,
      );
    },
    productIdBySku: (sku) => statements().productBySku.get(sku)?.id,
    productIdByGtin: (gtin) => statements().productByGtin.get(gtin)?.id,
    digests: () => digests(source),
    heads: () => headsOf(source.state()),
    counts() {
      const { products, customers, tickets, movements } = source.state().counts;
      return { products, customers, tickets, movements };
    },
  };
}

function digests(source: BooksSource): Digests {
  const { sums, counts } = source.state();
  const hash = (sum: DigestSum, rows: number) => hex(source.crypto.sha256(digestText(sum, rows)));
  const digest = (part: SummedPart) => hash(sums[part], counts[part]);
  const { stock: memory } = source.memory;
  const handle = source.handleIfOpen();
  const stock = settleSum(memory.sum, handle ? levelsAfter(handle.statements, memory, '') : undefined, source.crypto);
  return {
    products: digest('products'),
    customers: digest('customers'),
    tickets: digest('tickets'),
    movements: digest('movements'),
    stock: hash(stock.sum, stock.rows),
  };
}

function recordRow(source: BooksSource, row: RecordTableRow): RecordRow | undefined {
  const { statements } = source.handle();
  const state = source.state();
  const ops = liveOps(statements, state, row);
  const counts = isOfCredentials(row.entity) ? source.membership(state.trust).isInTime : undefined;
  if (ops.length === 0 || (counts && !ops.some(counts))) return undefined;
  const merged = mergeRecord(ops, JSON.parse(row.seen), counts);
  return {
    entity: row.entity as RecordEntity,
    id: row.id,
    fields: merged.fields,
    names: merged.names,
    rivals: merged.conflicts.map(({ field, losers }) => ({ field, sets: losers.map(({ set }) => set) })),
    deleted: merged.deleted,
    version: row.version.slice(0, 32),
    createdAt: merged.createdAt,
    updatedAt: merged.updatedAt,
    origin: replicaOf(merged.latest.origin),
    seen: withoutVoid(state, merged.seen),
  };
}

function recordPage(source: BooksSource, entity: RecordEntity, filter: RecordFilter): Page<RecordRow> {
  const wheres = ['entity = ?', 'id > ?'];
  if (!isOfCredentials(entity)) wheres.push('deleted = 0');
  const values: (string | number)[] = [entity, filter.after ?? ''];
  if (filter.archived !== undefined) {
    wheres.push('archived = ?');
    values.push(Number(filter.archived));
  }
  if (filter.sku !== undefined) {
    wheres.push('sku = ?');
    values.push(filter.sku);
  }
  if (filter.gtin !== undefined) {
    wheres.push('row IN (SELECT record FROM barcodes WHERE gtin = ?)');
    values.push(filter.gtin);
  }
  if (filter.search !== undefined) {
    if (filter.search.length > searchCharsMax) return { rows: [], next: null };
    wheres.push('instr(search, ?) > 0');
    values.push(filter.search.toLowerCase());
  }
  const rows = all<RecordTableRow>(source, `SELECT * FROM records WHERE ${wheres.join(' AND ')} ORDER BY id LIMIT ?`, [
    ...values,
    filter.limit + 1,
  ]);
  return page(
    rows,
    filter.limit,
    (row) => row.id,
    (row) => {
      const record = recordRow(source, row);
      return record?.deleted ? undefined : record;
    },
  );
}

/** People and tills: whoever was shut out of the shop must not let anybody in, by whatever way his writing still comes. */
const isOfCredentials = (entity: string): boolean => entity === 'user' || entity === 'terminal';

function ticketRow(source: BooksSource, row: TicketTableRow): TicketRow | undefined {
  const fact = factOf(source, row.op);
  if (!fact) return undefined;
  const sameNumber =
    row.terminal !== null && row.number !== null ? ticketsOfNumber(source, row.terminal, row.number) : 0;
  return {
    id: row.id,
    payload: fact.payload as unknown as TicketPayload,
    origin: fact.origin,
    hasDuplicateNumber: sameNumber > 1,
    hasRival: row.rival === 1,
  };
}

const ticketsOfNumber = (source: BooksSource, terminal: string, number: string): number =>
  countNumber(source.handle().statements, source.state(), source.memory.numbers, terminal, number);

function ticketPage(source: BooksSource, filter: TicketFilter): Page<TicketRow> {
  const wheres = ['seq > ?'];
  const values: (string | number)[] = [Number(filter.after ?? 0)];
  // A unary plus keeps SQLite from an index that would make it sort the rest.
  if (filter.terminalId !== undefined) {
    wheres.push('+terminal = ?');
    values.push(filter.terminalId);
  }
  if (filter.customerId !== undefined) {
    wheres.push('customer = ?');
    values.push(filter.customerId);
  }
  const soldAt = isShortRange(filter) ? 'sold_at' : '+sold_at';
  if (filter.from !== undefined) {
    wheres.push(`${soldAt} >= ?`);
    values.push(filter.from);
  }
  if (filter.to !== undefined) {
    wheres.push(`${soldAt} < ?`);
    values.push(filter.to);
  }
  const rows = all<TicketTableRow>(source, `SELECT * FROM tickets WHERE ${wheres.join(' AND ')} ORDER BY seq LIMIT ?`, [
    ...values,
    filter.limit + 1,
  ]);
  return page(
    rows,
    filter.limit,
    (row) => String(row.seq),
    (row) => ticketRow(source, row),
  );
}

const isShortRange = ({ from, to }: TicketFilter): boolean =>
  from !== undefined && to !== undefined && to - from <= shortRangeMs;

function movementRow(row: StoredMovement, fact: Fact | undefined): MovementRow | undefined {
  if (!fact) return undefined;
  const { header, payload, origin } = fact;
  const { product: productId, kind, quantity } = row;
  const at = writtenAtMs(header);
  if (row.line === null) {
    const { body } = payload as unknown as MovementPayload;
    const ticketId = typeof body.ticketId === 'string' ? body.ticketId : null;
    return { id: header.id, productId, kind, quantity, ticketId, at: timeOf(body.at, at), body, origin };
  }
  const { body } = payload as unknown as TicketPayload;
  const id = derivedMovementId(header.id, row.line);
  return { id, productId, kind, quantity, ticketId: header.id, at: timeOf(body.soldAt, at), body: null, origin };
}

function movementPage(source: BooksSource, filter: MovementFilter): Page<MovementRow> {
  const rows = movementRows(source, filter, Number(filter.after ?? 0), filter.limit + 1);
  let op = 0;
  let fact: Fact | undefined;
  return page(
    rows,
    filter.limit,
    (row) => String(row.place),
    (row) => {
      // Neighbours are mostly lines of one ticket, which may have thousands.
      if (!fact || row.op !== op) [op, fact] = [row.op, factOf(source, row.op)];
      return movementRow(row, fact);
    },
  );
}

function movementRows(source: BooksSource, filter: MovementFilter, after: number, limit: number): StoredMovement[] {
  const { statements } = source.handle();
  const { ticketId, productId } = filter;
  if (ticketId !== undefined) {
    const rows = movementsOfTicket(statements, ticketId, after);
    return rows.filter(({ product }) => productId === undefined || product === productId).slice(0, limit);
  }
  if (productId === undefined) return allMovements(statements, after, limit);
  return movementsOfProduct(statements, source.state(), source.memory.movements, productId, after, limit);
}

type Fact = { readonly header: OpHeader; readonly payload: JsonObject; readonly origin: string };

/**
 * The op of a fact, parsed. Undefined when the disk has spoilt it: it is left out, so that it keeps nobody from what
 * stands behind it; `verify` tells of it, and peers have it.
 */
function factOf(source: BooksSource, key: number): Fact | undefined {
  const row = source.handle().statements.op.get(key);
  const origin = source.state().originsByIndex.get(indexOfKey(key))?.origin;
  if (!row || row.header === null || typeof row.payload !== 'string' || !origin) return undefined;
  const header = parseHeader(row.header);
  const payload = parsePayload(row.payload);
  if (typeof header === 'string' || typeof payload === 'string') return undefined;
  return { header, payload, origin: replicaOf(origin) };
}

const timeOf = (text: unknown, otherwise: number): number => {
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? otherwise : ms;
};

const stockRow = (productId: string, { onHand, updatedAt }: StockLevel): StockRow => ({ productId, onHand, updatedAt });

/** Statements by their text, prepared once for each database handle. */
function all<Row>(source: BooksSource, sql: string, values: (string | number)[]): Row[] {
  const { database } = source.handle();
  const prepared = preparedBySql.get(database) ?? new Map();
  preparedBySql.set(database, prepared);
  const statement = prepared.get(sql) ?? database.prepare(sql);
  prepared.set(sql, statement);
  return statement.all(...values) as Row[];
}

const preparedBySql = new WeakMap<object, Map<string, { all(...values: unknown[]): unknown[] }>>();

function page<Row, Result>(
  rows: Row[],
  limit: number,
  position: (row: Row) => string,
  result: (row: Row) => Result | undefined,
): Page<Result> {
  const shown = rows.slice(0, limit);
  const last = shown[shown.length - 1];
  return { rows: shown.flatMap((row) => result(row) ?? []), next: rows.length > limit && last ? position(last) : null };
}
