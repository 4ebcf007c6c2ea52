// Which tables, and which rows of meta, are of the books and which of one appliance: a snapshot holds the former only, and
// whoever takes one keeps its own of the latter. A table that is in neither list is no snapshot's: a test asks for it.

import type BetterSqlite3 from 'better-sqlite3';
import { writeMeta } from './state.ts';
import type { Statements } from './statements.ts';

/** The journal, its order of arrival, the fold, and the conflicts that records are marked with. */
export const booksTables: readonly string[] = [
  'origins',
  'ops',
  'commits',
  'changes',
  'records',
  'barcodes',
  'tickets',
  'movements',
  'product_movements',
  'ticket_numbers',
  'stock',
  'deferred',
  'conflicts',
];

/** Who is known, what went over links, what was kept aside, which tokens were used here. */
export const applianceTables: readonly string[] = [
  'evidence',
  'peers',
  'static_peers',
  'sync_history',
  'terminal_uses',
];

export const booksMeta: readonly string[] = [
  'shop',
  'sums',
  'seq',
  'movements_indexed',
  'stock_written',
  'numbers_indexed',
  'voids',
  'forks',
  'trust',
];

const metaOfBooks = booksMeta.map((key) => `'${key}'`).join(', ');

/** Every table but SQLite's and the migrator's own, and meta. */
export function tablesOf(database: BetterSqlite3.Database): string[] {
  const rows = database
    .prepare(
      `SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN ('meta', '__drizzle_migrations') ORDER BY name`,
    )
    .all() as { name: string }[];
  return rows.map(({ name }) => name);
}

/** All that stands in a database's schema, as one text: in a file from outside a trigger could do anything later. */
export const schemaTextOf = (database: BetterSqlite3.Database): string =>
  JSON.stringify(
    database.prepare('SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY type, name').all(),
  );

const tablesOfAppliance = (database: BetterSqlite3.Database): string[] =>
  tablesOf(database).filter((table) => !booksTables.includes(table));

/** Takes out what is the maker's own, and its traces in pages that are free. Nothing of this copy must outlive a cut. */
export function stripOwnRows(database: BetterSqlite3.Database): void {
  database.pragma('locking_mode = EXCLUSIVE');
  database.pragma('journal_mode = MEMORY');
  database.pragma('synchronous = OFF');
  database.pragma('secure_delete = ON');
  database.exec('BEGIN');
  for (const table of tablesOfAppliance(database)) database.exec(`DELETE FROM "${table}"`);
  database.exec(`DELETE FROM meta WHERE key NOT IN (${metaOfBooks})`);
  database.exec('COMMIT');
}

/**
 * Puts what is ours, from the database at `ownPath`, in the place of what the maker may have left in its own. `marks`:
 * what of meta is new with these books.
 */
export function takeOwnRows(
  { database, statements }: { database: BetterSqlite3.Database; statements: Statements },
  ownPath: string,
  marks: { readonly [key: string]: string | null },
): void {
  database.prepare('ATTACH ? AS own').run(ownPath);
  try {
    statements.begin.run();
    for (const table of tablesOfAppliance(database)) {
      database.exec(`DELETE FROM main."${table}"`);
      database.exec(`INSERT INTO main."${table}" SELECT * FROM own."${table}"`);
    }
    database.exec('INSERT OR IGNORE INTO main.conflicts SELECT * FROM own.conflicts');
    database.exec(`DELETE FROM main.meta WHERE key NOT IN (${metaOfBooks})`);
    database.exec(`INSERT INTO main.meta SELECT * FROM own.meta WHERE key NOT IN (${metaOfBooks})`);
    for (const [key, value] of Object.entries(marks)) writeMeta(statements, key, value);
    statements.commit.run();
  } finally {
    if (database.inTransaction) statements.rollback.run();
    database.exec('DETACH own');
  }
}
