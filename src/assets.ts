// What the executable carries beside its code: the page's files, the migrations, the version and the SQLite addons.
// From disk in development; the build puts a module with the same `assets` in place of this one. Files are a map of
// known names, so no request can name another file.

import { readdirSync, readFileSync } from 'node:fs';

export type PublicFile = { readonly contentType: string; readonly bytes: Uint8Array };

export type Migration = {
  readonly tag: string;
  readonly sql: string;
  /** Unix milliseconds at which it was written; migrations are in this order. */
  readonly when: number;
};

/** An addon as it is carried: base64 of its zstd, and the SHA-256 (hex) of what comes out. */
export type PackedAddon = { readonly sha256: string; readonly zstd: string };

export type Assets = {
  readonly version: string;
  /** By URL path, such as "/index.html". */
  readonly publicFiles: ReadonlyMap<string, PublicFile>;
  readonly migrations: readonly Migration[];
  /** By "linux-x64" and the like; empty in development, where better-sqlite3 finds its own. */
  readonly sqliteAddons: { readonly [platform: string]: PackedAddon };
};

const contentTypes: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  txt: 'text/plain; charset=utf-8',
  woff2: 'font/woff2',
};

/** Reads what the repository at `root` has. Throws on a file of a type that has no line above. */
export function readAssets(root: URL): Assets {
  const json = (path: string) => JSON.parse(readFileSync(new URL(path, root), 'utf8'));
  return {
    version: json('package.json').version,
    publicFiles: readPublicFiles(new URL('public/', root)),
    migrations: readMigrations(new URL('migrations/', root), json('migrations/meta/_journal.json')),
    sqliteAddons: {},
  };
}

function readPublicFiles(folder: URL): Map<string, PublicFile> {
  const files = new Map<string, PublicFile>();
  const paths = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => path.includes('.'));
  for (const path of paths.sort()) {
    const contentType = contentTypes[path.slice(path.lastIndexOf('.') + 1)];
    if (!contentType) throw new Error(`public/${path}: give its content type a line in src/assets.ts`);
    files.set(`/${path}`, { contentType, bytes: readFileSync(new URL(path, folder)) });
  }
  return files;
}

/** drizzle-kit's journal lists the migrations in order. */
function readMigrations(folder: URL, journal: { entries: { tag: string; when: number }[] }): Migration[] {
  return journal.entries.map(({ tag, when }) => ({
    tag,
    when,
    sql: readFileSync(new URL(`${tag}.sql`, folder), 'utf8'),
  }));
}

export const assets: Assets = readAssets(new URL('../', import.meta.url));
