// Every statement that runs often, prepared once for each opening of the database. Rows have the names of the columns.

import type BetterSqlite3 from 'better-sqlite3';

type Row = Record<string, unknown>;

export type OriginRow = {
  number: number;
  origin: string;
  public_key: Buffer;
  head: number;
  head_hash: Buffer;
  facts: number;
  stamp: string;
};
export type OpRow = { key: number; arrival: number; header: string | null; payload: string | Buffer };
export type CommitRow = {
  key: number;
  first: number;
  facts: number;
  before: Buffer;
  after: Buffer;
  signature: Buffer;
  live: number;
};
export type ChangeRow = { seq: number; op: number; at: number };
export type RecordTableRow = {
  row: number;
  entity: string;
  id: string;
  ops: string;
  seen: string;
  version: string;
  deleted: number;
  archived: number;
  conflicted: number;
  sku: string | null;
  search: string;
};
export type TicketTableRow = {
  seq: number;
  op: number;
  id: string;
  terminal: string | null;
  number: string | null;
  customer: string | null;
  sold_at: number;
  /** How many it has. */
  movements: number;
  rival: number;
};
export type MovementTableRow = {
  seq: number;
  op: number;
  id: string;
  product: string;
  kind: string;
  quantity: number;
};
export type StockTableRow = { product: string; on_hand: number; movements: number; updated_at: number };

export type ConflictTableRow = {
  id: string;
  entity: string;
  record_id: string;
  kind: string;
  fields: string;
  winner: string;
  loser: string;
  strategy: string;
  detected_at: number;
  resolved_at: number | null;
  resolved_by: string | null;
  notes: string | null;
};

export type Statements = ReturnType<typeof prepareStatements>;

/** Rows in one statement: more gain nothing. */
const rowsPerStatement = 16;

export function prepareStatements(database: BetterSqlite3.Database) {
  const read = <Parameters extends unknown[], Result extends Row>(sql: string) =>
    database.prepare<Parameters, Result>(sql);
  const write = <Parameters extends unknown[]>(sql: string) => database.prepare<Parameters>(sql);
  return {
    begin: write<[]>('BEGIN IMMEDIATE'),
    commit: write<[]>('COMMIT'),
    rollback: write<[]>('ROLLBACK'),

    meta: read<[string], { value: string }>('SELECT value FROM meta WHERE key = ?'),
    setMeta: write<[string, string]>(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    ),

    origins: read<[], OriginRow>('SELECT * FROM origins ORDER BY number'),
    addOrigin: write<[number, string, Uint8Array, number, Uint8Array, number, string]>(
      'INSERT INTO origins (number, origin, public_key, head, head_hash, facts, stamp) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    advanceOrigin: write<[number, Uint8Array, number, string, number]>(
      'UPDATE origins SET head = ?, head_hash = ?, facts = ?, stamp = ? WHERE number = ?',
    ),

    op: read<[number], OpRow>('SELECT * FROM ops WHERE key = ?'),
    opsBetween: read<[number, number], OpRow>('SELECT * FROM ops WHERE key BETWEEN ? AND ? ORDER BY key'),
    addOp: write<[number, number, string | null, string | Uint8Array]>(
      'INSERT INTO ops (key, arrival, header, payload) VALUES (?, ?, ?, ?)',
    ),
    pruneOp: write<[Uint8Array, number]>('UPDATE ops SET header = NULL, payload = ? WHERE key = ?'),
    deleteOps: write<[number, number]>('DELETE FROM ops WHERE key BETWEEN ? AND ?'),

    commitFrom: read<[number, number], CommitRow>(
      'SELECT * FROM commits WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1',
    ),
    commitAt: read<[number], CommitRow>('SELECT * FROM commits WHERE key = ?'),
    commitsBetween: read<[number, number], CommitRow>('SELECT * FROM commits WHERE key BETWEEN ? AND ? ORDER BY key'),
    commitBackFrom: read<[number, number, number], CommitRow>(
      'SELECT * FROM commits WHERE key > ? AND key <= ? ORDER BY key DESC LIMIT 1 OFFSET ?',
    ),
    commitWithFewerFacts: read<[number, number, number], CommitRow>(
      'SELECT * FROM commits WHERE key > ? AND key <= ? AND facts < ? ORDER BY key DESC LIMIT 1',
    ),
    addCommit: write<[number, number, number, Uint8Array, Uint8Array, Uint8Array, number]>(
      'INSERT INTO commits (key, first, facts, before, after, signature, live) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    setCommitLive: write<[number, number]>('UPDATE commits SET live = ? WHERE key = ?'),
    deleteCommit: write<[number]>('DELETE FROM commits WHERE key = ?'),
    deleteCommitsBetween: write<[number, number]>('DELETE FROM commits WHERE key BETWEEN ? AND ?'),

    lastChange: read<[], { seq: number; at: number }>('SELECT seq, at FROM changes ORDER BY seq DESC LIMIT 1'),
    change: read<[number], ChangeRow>('SELECT * FROM changes WHERE seq = ?'),
    changesAfter: read<[number, number], ChangeRow>('SELECT * FROM changes WHERE seq > ? ORDER BY seq LIMIT ?'),
    addChange: write<[number, number, number]>('INSERT INTO changes (seq, op, at) VALUES (?, ?, ?)'),
    setArrival: write<[number, number]>('UPDATE ops SET arrival = ? WHERE key = ?'),
    deleteChange: write<[number]>('DELETE FROM changes WHERE seq = ?'),

    recordById: read<[string, string], RecordTableRow>('SELECT * FROM records WHERE entity = ? AND id = ?'),
    recordLives: read<[string, string], { deleted: number }>('SELECT deleted FROM records WHERE entity = ? AND id = ?'),
    addRecord: write<[string, string, string, string, string, number, number, number, string | null, string]>(
      'INSERT INTO records (entity, id, ops, seen, version, deleted, archived, conflicted, sku, search) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    changeRecord: write<[string, string, string, number, number, number, string | null, string, number]>(
      'UPDATE records SET ops = ?, seen = ?, version = ?, deleted = ?, archived = ?, conflicted = ?, sku = ?, search = ? WHERE row = ?',
    ),
    productBySku: read<[string], { id: string }>(
      `SELECT id FROM records WHERE sku = ? AND entity = 'product' AND deleted = 0 ORDER BY id LIMIT 1`,
    ),
    productByGtin: read<[string], { id: string }>(
      `SELECT id FROM barcodes JOIN records ON records.row = barcodes.record WHERE gtin = ? AND deleted = 0 ORDER BY id LIMIT 1`,
    ),
    addBarcode: write<[string, number]>('INSERT OR IGNORE INTO barcodes (gtin, record) VALUES (?, ?)'),
    barcodesOf: read<[number], { gtin: string }>('SELECT gtin FROM barcodes WHERE record = ? ORDER BY gtin'),
    deleteBarcodes: write<[number]>('DELETE FROM barcodes WHERE record = ?'),

    ticketById: read<[string], TicketTableRow>('SELECT * FROM tickets WHERE id = ?'),
    addTicket: write<[number, number, string, string | null, string | null, string | null, number, number, number]>(
      'INSERT INTO tickets (seq, op, id, terminal, number, customer, sold_at, movements, rival) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
    ),
    setTicketRival: write<[number, number]>('UPDATE tickets SET rival = ? WHERE seq = ?'),
    deleteTicket: write<[number]>('DELETE FROM tickets WHERE seq = ?'),
    ticketsOfNumber: read<[string, string], { count: number }>(
      'SELECT count(*) AS count FROM (SELECT 1 FROM ticket_numbers WHERE terminal = ? AND number = ? LIMIT 2)',
    ),
    highestNumber: read<[string], { number: string }>(
      'SELECT number FROM ticket_numbers WHERE terminal = ? ORDER BY number DESC LIMIT 1',
    ),
    indexNumbers: write<[number, number]>(
      'INSERT INTO ticket_numbers (terminal, number, ticket) SELECT terminal, number, seq FROM tickets WHERE seq > ? AND seq <= ? AND terminal IS NOT NULL AND number IS NOT NULL ORDER BY terminal, number, seq',
    ),
    unindexNumber: write<[string, string, number]>(
      'DELETE FROM ticket_numbers WHERE terminal = ? AND number = ? AND ticket = ?',
    ),
    numbersAfter: read<[number], Pick<TicketTableRow, 'terminal' | 'number'>>(
      'SELECT terminal, number FROM tickets WHERE seq > ?',
    ),

    movementById: read<[string], MovementTableRow>('SELECT * FROM movements WHERE id = ?'),
    movementAt: read<[number], MovementTableRow>('SELECT * FROM movements WHERE seq = ?'),
    ticketPayload: read<[number], { seq: number; op: number; id: string; payload: string | Buffer }>(
      'SELECT seq, op, id, payload FROM tickets JOIN ops ON ops.key = tickets.op WHERE seq = ?',
    ),
    arrivalsWithMovements: read<[number, number], { seq: number }>(
      'SELECT seq FROM tickets WHERE seq >= ? AND movements > 0 UNION ALL SELECT seq FROM movements WHERE seq >= ? ORDER BY seq',
    ),
    addMovement: write<[number, number, string, string, string, number]>(
      'INSERT INTO movements (seq, op, id, product, kind, quantity) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    deleteMovement: write<[number]>('DELETE FROM movements WHERE seq = ?'),
    addPlaces: writeRows<[block: number, product: string, places: string]>(
      database,
      'INSERT OR REPLACE INTO product_movements (block, product, places) VALUES',
      '(?, ?, ?)',
    ),
    blockOfArrival: read<[number], { block: number }>(
      'SELECT block FROM product_movements WHERE block >= ? ORDER BY block LIMIT 1',
    ),
    placesInBlock: read<[number, string], { places: string }>(
      'SELECT places FROM product_movements WHERE block = ? AND product = ?',
    ),
    placesOfProduct: read<[number, string], { places: string }>(
      `WITH RECURSIVE blocks (block) AS (
        SELECT min(block) FROM product_movements WHERE block >= ?
        UNION ALL
        SELECT (SELECT min(block) FROM product_movements WHERE block > blocks.block) FROM blocks WHERE block IS NOT NULL
      )
      SELECT places FROM blocks CROSS JOIN product_movements USING (block) WHERE product = ?`,
    ),

    stock: read<[string], StockTableRow>('SELECT * FROM stock WHERE product = ?'),
    stockAfter: read<[string], StockTableRow>('SELECT * FROM stock WHERE product > ? ORDER BY product'),
    setStock: writeRows<[product: string, onHand: number, movements: number, updatedAt: number]>(
      database,
      'INSERT INTO stock (product, on_hand, movements, updated_at) VALUES',
      '(?, ?, ?, ?)',
      'ON CONFLICT (product) DO UPDATE SET on_hand = excluded.on_hand, movements = excluded.movements, updated_at = excluded.updated_at',
    ),
    conflictsOfRecord: read<[string, string], ConflictTableRow>(
      'SELECT * FROM conflicts WHERE entity = ? AND record_id = ?',
    ),
    putConflict: write<[string, string, string, string, string, string, string, string, number]>(
      'INSERT INTO conflicts (id, entity, record_id, kind, fields, winner, loser, strategy, detected_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET fields = excluded.fields, winner = excluded.winner, loser = excluded.loser, resolved_at = NULL, resolved_by = NULL, notes = NULL',
    ),
    setRivalWinner: write<[string, string, string]>(
      `UPDATE conflicts SET winner = ? WHERE entity = ? AND record_id = ? AND kind = 'rival'`,
    ),
    resolveConflict: write<[number, string, string | null, string]>(
      'UPDATE conflicts SET resolved_at = ?, resolved_by = ?, notes = ? WHERE id = ?',
    ),
    deleteConflict: write<[string]>('DELETE FROM conflicts WHERE id = ?'),

    clearState: [
      'records',
      'barcodes',
      'tickets',
      'movements',
      'product_movements',
      'ticket_numbers',
      'stock',
      'deferred',
    ].map((table) => write<[]>(`DELETE FROM ${table}`)),
    suspendConflicts: write<[]>('UPDATE conflicts SET resolved_at = -1 WHERE resolved_at IS NULL'),
    dropSuspendedConflicts: write<[]>('DELETE FROM conflicts WHERE resolved_at = -1'),
    addEvidence: write<[number, string, number, string, Uint8Array]>(
      'INSERT INTO evidence (at, origin, number, reason, bytes) VALUES (?, ?, ?, ?, ?)',
    ),
    deleteOldEvidence: write<[number, number]>(
      'DELETE FROM evidence WHERE row <= max(?, ifnull((SELECT max(row) FROM (SELECT row, sum(length(bytes)) OVER (ORDER BY row DESC) AS total FROM evidence) WHERE total > ?), 0))',
    ),

    defer: write<[number, string, number]>('INSERT OR REPLACE INTO deferred (op, origin, number) VALUES (?, ?, ?)'),
    deferredCount: read<[], { count: number }>('SELECT count(*) AS count FROM deferred'),
    deferredUpTo: read<[string, number], { op: number }>(
      'SELECT op FROM deferred WHERE origin = ? AND number <= ? ORDER BY op LIMIT 1000',
    ),
    /** Of ops of one record, within a range of keys: the first that waits, and what for. */
    deferredOfRecord: read<[number, number, string, string], { origin: string; number: number }>(
      `SELECT deferred.origin, deferred.number FROM deferred JOIN ops ON ops.key = deferred.op
        WHERE deferred.op BETWEEN ? AND ? AND json_extract(header, '$.entity') = ? AND json_extract(header, '$.id') = ?
        ORDER BY deferred.op LIMIT 1`,
    ),
    undefer: write<[number]>('DELETE FROM deferred WHERE op = ?'),

    deleteStock: write<[string]>('DELETE FROM stock WHERE product = ?'),
  };
}

/** Writes any number of rows, several in one statement; each count of rows is prepared when it is first wanted. */
function writeRows<Row extends readonly unknown[]>(
  database: BetterSqlite3.Database,
  sql: string,
  row: string,
  more = '',
): (rows: readonly Row[]) => void {
  const prepared: BetterSqlite3.Statement<unknown[]>[] = [];
  return (rows) => {
    for (let from = 0; from < rows.length; from += rowsPerStatement) {
      const some = rows.slice(from, from + rowsPerStatement);
      prepared[some.length] ??= database.prepare(`${sql} ${Array(some.length).fill(row).join(', ')} ${more}`);
      prepared[some.length]?.run(...some.flat());
    }
  };
}
