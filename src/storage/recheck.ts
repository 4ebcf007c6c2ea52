// Checks books that came as a file while they are in use, in steps, at one moment of theirs (a read transaction): every
// seal, chain and count of facts, as `verify` does; that every op of the journal is where the fold would have put it, and
// every row of the state is what its op says. Rows of the indexes that are written behind the sales are not looked at,
// nor which of two twins of a fact stands: `verify` does both.

import type BetterSqlite3 from 'better-sqlite3';
import { addTerm, type DigestSum, digestZero } from '../core/digest.ts';
import { derivedMovements, readMovementPayload, readTicketPayload } from '../core/facts.ts';
import { isSameJson, type JsonObject } from '../core/json.ts';
import { readTrustWord, trustEntity } from '../core/membership.ts';
import { mergeRecord, recordText } from '../core/merge.ts';
import { type Dot, hex, type OpHeader, parseHeader, parsePayload } from '../core/op.ts';
import type { Crypto, Ports } from '../ports.ts';
import { recordEntities } from './fold.ts';
import { movementsText, movementText, ticketColumns } from './fold-facts.ts';
import { liveOps, recordColumns } from './fold-records.ts';
import { createMemory } from './memory.ts';
import { closeQuietly } from './open.ts';
import { loadState, type OriginState, readMeta, type StorageState, type SummedPart, summedParts } from './state.ts';
import {
  type MovementTableRow,
  prepareStatements,
  type RecordTableRow,
  type Statements,
  type TicketTableRow,
} from './statements.ts';
import { levelsAfter, restoreStock } from './stock.ts';
import { keyOf } from './unit.ts';
import { verifyOrigin } from './verify.ts';
import { isVoid } from './voids.ts';

/** The same on a connection of its own, at the moment of the first step; the write-ahead log grows until it is closed. */
export function* recheckFile(
  { openDatabase, crypto }: Pick<Ports, 'openDatabase' | 'crypto'>,
  path: string,
  replicaId: string,
): Steps {
  const database = openDatabase(path, { readonly: true });
  try {
    database.exec('BEGIN');
    return yield* recheck(database, crypto, replicaId);
  } finally {
    closeQuietly(database);
  }
}

/** `database`: a connection with a read transaction open. Ends with the first thing that is wrong, as a sentence. */
export function* recheck(
  database: BetterSqlite3.Database,
  crypto: Crypto,
  replicaId: string,
): Generator<undefined, string | undefined> {
  const statements = prepareStatements(database);
  const state = loadState(statements, replicaId);
  const shop = readMeta(statements, 'shop', '');
  for (const origin of state.origins.values()) {
    const wrong = yield* recheckOrigin(statements, crypto, shop, origin);
    if (wrong) return wrong;
  }
  const fold: Fold = {
    database,
    statements,
    state,
    crypto,
    sums: emptySums(),
    counts: emptyCounts(),
    onHand: new Map(),
  };
  for (const steps of [recheckRecords(fold), recheckTickets(fold), recheckMovements(fold), recheckPlaces(fold)]) {
    const wrong = yield* steps;
    if (wrong) return wrong;
  }
  return wrongTrust(fold) ?? wrongDigest(fold) ?? wrongStock(fold);
}

function* recheckOrigin(statements: Statements, crypto: Crypto, shop: string, origin: OriginState): Steps {
  let found: string | undefined;
  const steps = verifyOrigin(crypto, statements, shop, origin, (_check, detail) => {
    found ??= detail;
  });
  try {
    while (!steps.next().done && found === undefined) yield;
    return found;
  } finally {
    // Left in the middle, it would keep the database open.
    steps.return({ whole: 0, sealed: 0 });
  }
}

type Fold = {
  readonly database: BetterSqlite3.Database;
  readonly statements: Statements;
  readonly state: StorageState;
  readonly crypto: Crypto;
  readonly sums: Record<SummedPart, DigestSum>;
  readonly counts: Record<SummedPart, number>;
  readonly onHand: Map<string, number>;
};

type Steps = Generator<undefined, string | undefined>;

const emptySums = (): Record<SummedPart, DigestSum> => ({
  products: digestZero(),
  customers: digestZero(),
  tickets: digestZero(),
  movements: digestZero(),
});
const emptyCounts = (): Record<SummedPart, number> => ({ products: 0, customers: 0, tickets: 0, movements: 0 });

function add({ sums, counts }: Fold, part: SummedPart, hash: Uint8Array, rows = 1): void {
  addTerm(sums[part], hash);
  counts[part] += rows;
}

function move({ onHand }: Fold, product: string, quantity: number): void {
  onHand.set(product, (onHand.get(product) ?? 0) + quantity);
}

function* recheckRecords(fold: Fold): Steps {
  const { database, statements, state, crypto } = fold;
  for (const row of database.prepare<[], RecordTableRow>('SELECT * FROM records').iterate()) {
    const merged = mergeRecord(liveOps(statements, state, row), JSON.parse(row.seen));
    const version = crypto.sha256(recordText(row.entity, row.id, merged));
    const columns = recordColumns(row.entity, merged);
    const isSame =
      hex(version) === row.version &&
      merged.live.length === (JSON.parse(row.ops) as unknown[]).length &&
      Number(merged.deleted) === row.deleted &&
      columns.archived === row.archived &&
      isSameText(columns.sku, row.sku) &&
      isSameText(columns.search, row.search) &&
      sortedText(columns.barcodes) === sortedText(barcodesOf(statements, row));
    if (!isSame) return `The ${row.entity} ${row.id} is not what its ops say.`;
    if (row.deleted === 0 && row.entity === 'product') add(fold, 'products', version);
    if (row.deleted === 0 && row.entity === 'customer') add(fold, 'customers', version);
    yield;
  }
  return undefined;
}

const barcodesOf = (statements: Statements, { row }: RecordTableRow): string[] =>
  statements.barcodesOf.all(row).map(({ gtin }) => gtin);

const sortedText = (texts: readonly string[]): string => [...new Set(texts.map(storedText))].sort().join('\n');

/** Half a pair of surrogates, which JSON lets through, is no text on disk: it comes back as something else. */
const isSameText = (a: string | null, b: string | null): boolean => a === b || storedText(a) === storedText(b);
const storedText = (text: string | null): string | undefined => text?.toWellFormed().replaceAll(/\ufffd+/g, '\ufffd');

type WithOp = { readonly header: string | null; readonly payload: string | Buffer };

function read({ header, payload }: WithOp, id: string, entity: string) {
  const parsed = parseHeader(header ?? '');
  const body = typeof payload === 'string' ? parsePayload(payload) : 'payload_malformed';
  const isOfRow = typeof parsed === 'object' && parsed.id === id && parsed.entity === entity;
  return isOfRow && typeof body === 'object' ? { header: parsed, body } : undefined;
}

function* recheckTickets(fold: Fold): Steps {
  const { database, crypto } = fold;
  const rows = database.prepare<[], TicketTableRow & WithOp>(
    'SELECT tickets.*, header, payload FROM tickets JOIN ops ON ops.key = tickets.op',
  );
  for (const row of rows.iterate()) {
    const op = read(row, row.id, 'ticket');
    const ticket = op && readTicketPayload(row.id, op.body);
    const movements = ticket ? derivedMovements(ticket) : [];
    if (!ticket || !isTicketRow(row, ticketColumns(ticket, op.header)) || movements.length !== row.movements)
      return `The ticket ${row.id} is not what its op says.`;
    add(fold, 'tickets', crypto.sha256(row.payload));
    if (movements.length > 0) add(fold, 'movements', crypto.sha256(movementsText(row.id, movements)), movements.length);
    for (const { productId, quantity } of movements) move(fold, productId, quantity);
    yield;
  }
  return undefined;
}

const isTicketRow = (row: TicketTableRow, columns: ReturnType<typeof ticketColumns>): boolean =>
  isSameText(row.terminal, columns.terminal) &&
  isSameText(row.number, columns.number) &&
  isSameText(row.customer, columns.customer) &&
  row.sold_at === columns.soldAt;

function* recheckMovements(fold: Fold): Steps {
  const { database, crypto } = fold;
  const rows = database.prepare<[], MovementTableRow & WithOp>(
    'SELECT movements.*, header, payload FROM movements JOIN ops ON ops.key = movements.op',
  );
  for (const row of rows.iterate()) {
    const op = read(row, row.id, 'movement');
    const movement = op && readMovementPayload(row.id, op.body);
    const isSame =
      movement?.productId === row.product && movement.kind === row.kind && movement.quantity === row.quantity;
    if (!isSame) return `The movement ${row.id} is not what its op says.`;
    add(fold, 'movements', crypto.sha256(movementText(row.id, movement)));
    move(fold, movement.productId, movement.quantity);
    yield;
  }
  return undefined;
}

/** Whether every op that is whole has left what it should: a row left out would else be missed by nobody. */
function* recheckPlaces(fold: Fold): Steps {
  const { database, statements } = fold;
  const isDeferred = database.prepare<[number], { op: number }>('SELECT op FROM deferred WHERE op = ?');
  const ops = database.prepare<[], WithOp & { key: number; arrival: number }>(
    'SELECT key, arrival, header, payload FROM ops WHERE header IS NOT NULL',
  );
  for (const op of ops.iterate()) {
    const header = parseHeader(op.header ?? '');
    if (typeof header === 'string') return 'An op cannot be read.';
    if (statements.change.get(op.arrival)?.op !== op.key)
      return `Of ${header.entity} ${header.id} nobody would be told.`;
    const isPlaced = isInState(fold, header, op.key) || isDeferred.get(op.key) !== undefined;
    if (!isPlaced && isUnderstood(header, op)) return `The ${header.entity} ${header.id} is not in the books.`;
    yield;
  }
  return undefined;
}

function isInState({ statements, state }: Fold, { entity, id }: OpHeader, key: number): boolean {
  if (entity === 'ticket') return statements.ticketById.get(id) !== undefined;
  if (entity === 'movement') return statements.movementById.get(id) !== undefined;
  if (entity === trustEntity) return state.trust.some((said) => said.id === id && keyOfDot(state, said) === key);
  const row = statements.recordById.get(entity, id);
  return row ? (JSON.parse(row.ops) as number[]).includes(key) : false;
}

/** What the fold would have placed; what it did not understand is in no table. */
function isUnderstood(header: OpHeader, op: WithOp): boolean {
  const body = typeof op.payload === 'string' ? parsePayload(op.payload) : 'payload_malformed';
  if (typeof body === 'string') return false;
  if (header.entity === 'ticket') return readTicketPayload(header.id, body) !== undefined;
  if (header.entity === 'movement') return readMovementPayload(header.id, body) !== undefined;
  if (header.entity === trustEntity) return readTrustWord(body) !== undefined;
  return (recordEntities as readonly string[]).includes(header.entity);
}

/** Nobody is let in by a word that no seal covers; of a branch that was let go of none is left to show. */
function wrongTrust({ statements, state }: Fold): string | undefined {
  const found = state.trust.find((said) => {
    if (isVoid(state, said.origin, said.number)) return false;
    const op = statements.op.get(keyOfDot(state, said) ?? 0);
    const own = op && read(op, said.id, trustEntity);
    const word = own && readTrustWord(own.body);
    const { origin, number, id, stamp, ...told } = said;
    return !word || own.header.stamp !== stamp || !isSameJson(word as JsonObject, told as JsonObject);
  });
  return found && `What is told of ${'subject' in found ? found.subject : 'the shop key'} is not what was sealed.`;
}

function keyOfDot(state: StorageState, { origin, number }: Dot): number | undefined {
  const index = state.origins.get(origin)?.index;
  return index === undefined ? undefined : keyOf(index, number);
}

function wrongDigest({ state, sums, counts }: Fold): string | undefined {
  const part = summedParts.find(
    (one) => counts[one] !== state.counts[one] || sums[one].some((word, index) => word !== state.sums[one][index]),
  );
  return part && `The digest of the ${part} is not that of the journal.`;
}

function wrongStock({ statements, state, onHand }: Fold): string | undefined {
  const { stock } = createMemory();
  restoreStock(statements, state, stock);
  for (const [product, level] of levelsAfter(statements, stock, '')) {
    if ((onHand.get(product) ?? 0) !== level.onHand) return `The stock of ${product} is not the sum of its movements.`;
    onHand.delete(product);
  }
  // What was moved to and fro may have no level left; what was moved and has none is missing.
  for (const [product, left] of onHand) if (left !== 0) return `The stock of ${product} is missing.`;
  return undefined;
}
