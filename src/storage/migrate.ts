// Brings the database to the schema of this version, by drizzle's migrator with embedded files. drizzle applies only
// what is newer than the last applied migration: one merged out of order would be skipped in silence, and a database of
// a newer version opened as if it were ours. Both are refused here.

import type BetterSqlite3 from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';

/** `sql` is a whole file of migrations/, statements set apart by drizzle's breakpoint line; `when` from its journal. */
export type Migration = { readonly tag: string; readonly sql: string; readonly when: number };

export type MigrateFailure = { readonly code: 'database_newer' | 'migration_gap'; readonly detail: string };

const table = '__drizzle_migrations';

/** Throws SqliteError; anything else that is wrong comes back as a value, with the database unchanged. */
export function migrate(
  database: BetterSqlite3.Database,
  migrations: readonly Migration[],
): MigrateFailure | undefined {
  const applied = appliedTimes(database);
  const shipped = migrations.map((migration) => migration.when);
  const newest = shipped[shipped.length - 1] ?? 0;
  if (applied.some((when) => when > newest)) {
    return {
      code: 'database_newer',
      detail: 'This database was written by a newer version of Tillmesh. Start that version, or a newer one, on it.',
    };
  }
  const skipped = migrations.filter(
    (migration) => !applied.includes(migration.when) && migration.when < Math.max(0, ...applied),
  );
  if (skipped.length > 0 || applied.some((when) => !shipped.includes(when))) {
    return {
      code: 'migration_gap',
      detail: `This database lacks a step that this version expects (${skipped[0]?.tag ?? 'unknown'}). Start the version that wrote it.`,
    };
  }
  if (applied.length < shipped.length) applyMigrations(database, migrations);
  return undefined;
}

function appliedTimes(database: BetterSqlite3.Database): number[] {
  const exists = database.prepare(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?`).get(table);
  if (!exists) return [];
  const rows = database.prepare(`SELECT created_at AS at FROM ${table} ORDER BY created_at`).all() as { at: number }[];
  return rows.map((row) => Number(row.at));
}

function applyMigrations(database: BetterSqlite3.Database, migrations: readonly Migration[]): void {
  const orm = drizzle(database) as unknown as { dialect: SyncDialect; session: SyncSession };
  orm.dialect.migrate(
    migrations.map((migration) => ({
      sql: migration.sql.split('--> statement-breakpoint'),
      bps: true,
      folderMillis: migration.when,
      hash: migration.tag,
    })),
    withFirstError(orm.session),
  );
}

/** On a full disk SQLite rolls back by itself, and drizzle's own ROLLBACK then fails in place of what was the matter. */
function withFirstError(session: SyncSession): SyncSession {
  let first: unknown;
  const run = (query: unknown): unknown => {
    try {
      return session.run(query);
    } catch (error) {
      first ??= error;
      throw first;
    }
  };
  return Object.create(session, { run: { value: run } }) as SyncSession;
}

type SyncSession = { run(query: unknown): unknown };

/** drizzle's own migrator reads a folder; its dialect takes the same list from memory. */
type SyncDialect = {
  migrate(files: { sql: string[]; bps: boolean; folderMillis: number; hash: string }[], session: SyncSession): void;
};
