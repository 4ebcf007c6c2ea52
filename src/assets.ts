// What the executable carries beside its code: the page's files, the migrations, the version and the SQLite addons.
// From disk in development; the build puts a module with the same `assets` in place of this one. Files are a map of
// known names, so no request can name another file.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

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
  ts: 'application/typescript; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
  woff2: 'font/woff2',
};

/** Reads what the repository at `root` has. Throws on a file of a type that has no line above. */
export function readAssets(root: URL): Assets {
  const json = (path: string) => JSON.parse(readFileSync(new URL(path, root), 'utf8'));
  const version = json('package.json').version;
  return {
    version,
    publicFiles: new Map([...readPublicFiles(new URL('public/', root)), ...clientFiles(root, version)]),
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

/** The till's module and its types; put together when it is first asked for. */
function clientFiles(root: URL, version: string): Map<string, PublicFile> {
  let bytes: Uint8Array | undefined;
  const script: PublicFile = {
    contentType: contentTypes.js ?? '',
    get bytes() {
      bytes ??= bundleClient(root, version);
      return bytes;
    },
  };
  const types = readFileSync(new URL('src/client/contract.ts', root));
  return new Map([
    ['/client.js', script],
    ['/client.d.ts', { contentType: contentTypes.ts ?? '', bytes: types }],
  ]);
}

function bundleClient(root: URL, version: string): Uint8Array {
  const { buildSync } = createRequire(import.meta.url)('esbuild') as typeof import('esbuild');
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL('src/client/client.ts', root))],
    bundle: true,
    write: false,
    platform: 'neutral',
    format: 'esm',
    target: 'es2022',
    // Node and Bun have them; a browser never comes to ask.
    external: ['node:*'],
    minifyWhitespace: true,
    minifySyntax: true,
    banner: { js: `// Tillmesh ${version}, the till's side. MIT licence. Types: /client.d.ts` },
    logLevel: 'warning',
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
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
