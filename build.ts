// The recipe of the one file: dist/tillmesh.mjs, which holds the code, the page, the migrations and the SQLite addons
// for x64 and arm64, and runs from anywhere on Node and on Bun. The same sources give the same bytes.

import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';
import { type Assets, assets, type PackedAddon } from './src/assets.ts';

const root = import.meta.dirname;
const outputFile = join(root, 'dist/tillmesh.mjs');

/** Oldest Node that has all we call (zstd came last); better-sqlite3 ends older ones with a segmentation fault. */
const nodeOldest = { major: 22, minor: 15 };

async function main(): Promise<void> {
  const carried: Assets = { ...assets, sqliteAddons: packAddons(['linux-x64', 'linux-arm64']) };
  const code = await bundle(join(root, 'src/main.ts'), carried);
  rmSync(dirname(outputFile), { recursive: true, force: true });
  mkdirSync(dirname(outputFile));
  writeFileSync(outputFile, opening(assets.version) + code);
  chmodSync(outputFile, 0o755);
  const megabytes = (statSync(outputFile).size / 1e6).toFixed(1);
  console.log(`dist/tillmesh.mjs  ${megabytes} MB  sha256 ${sha256(readFileSync(outputFile)).slice(0, 16)}…`);
}

/**
 * What runs first. Everything else stands in one function below it and asks for Node's modules by `require`: imports
 * would be resolved before any of our code could say, in words, that the runtime is too old.
 */
const opening = (version: string): string => `#!/usr/bin/env node
// Tillmesh ${version}. MIT licence. Made by build.ts: change the sources, not this.
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const runtimeVersion = process.versions.node.split('.').map(Number);
if (!process.versions.bun && (runtimeVersion[0] - ${nodeOldest.major} || runtimeVersion[1] - ${nodeOldest.minor}) < 0) {
  console.error('tillmesh needs Node ${nodeOldest.major}.${nodeOldest.minor} or newer, or Bun: this is Node ' + process.versions.node + '.');
  process.exit(1);
}
`;

async function bundle(entry: string, carried: Assets): Promise<string> {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'iife',
    target: 'node22',
    // Identifiers stay: a stack trace in a shop's log must say something.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    define: {
      'process.env.NODE_ENV': '"production"',
      // ws looks for native packages that are not here.
      'process.env.WS_NO_BUFFER_UTIL': '"1"',
      'process.env.WS_NO_UTF_8_VALIDATE': '"1"',
    },
    plugins: [carryAssets(carried), englishOnly, buffersAsToday],
    logLevel: 'warning',
  });
  const text = result.outputFiles[0]?.text ?? '';
  if (text.includes('new Buffer(')) throw new Error('a package calls "new Buffer": add it to buffersAsToday');
  return text;
}

/** Puts what the file carries in the place of src/assets.ts, which reads from disk. */
const carryAssets = (carried: Assets): Plugin => ({
  name: 'carry-assets',
  setup(plugins) {
    plugins.onLoad({ filter: /[/\\]src[/\\]assets\.ts$/ }, () => ({ contents: assetsModule(carried), loader: 'js' }));
  },
});

/** zod's sentences in fifty languages, a quarter of a megabyte: ours stand in the schemas. */
const englishOnly: Plugin = {
  name: 'english-only',
  setup(plugins) {
    const filter = /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/;
    plugins.onLoad({ filter }, () => ({ contents: "export { default as en } from './en.js';" }));
  },
};

/** What mdns-js brings calls `new Buffer`: outside node_modules Node warns of it on standard error. */
const buffersAsToday: Plugin = {
  name: 'buffers-as-today',
  setup(plugins) {
    const filter = /[/\\]node_modules[/\\](dns-js|qap)[/\\]lib[/\\][^/\\]+\.js$/;
    plugins.onLoad({ filter }, ({ path }) => ({
      contents: `const makeBuffer = (of) => typeof of === 'number' ? Buffer.alloc(of) : Buffer.from(of);
${readFileSync(path, 'utf8').replaceAll('new Buffer(', 'makeBuffer(')}`,
    }));
  },
};

const assetsModule = ({ version, publicFiles, migrations, sqliteAddons }: Assets): string => `
const file = (contentType, base64) => ({ contentType, bytes: Buffer.from(base64, 'base64') });
export const assets = {
  version: ${JSON.stringify(version)},
  publicFiles: new Map([${[...publicFiles].map(
    ([path, { contentType, bytes }]) =>
      `[${JSON.stringify(path)}, file(${JSON.stringify(contentType)}, '${Buffer.from(bytes).toString('base64')}')]`,
  )}]),
  migrations: ${JSON.stringify(migrations)},
  sqliteAddons: ${JSON.stringify(sqliteAddons)},
};`;

function packAddons(platforms: readonly string[]): Record<string, PackedAddon> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json')), 'prebuilds');
  const params = { [constants.ZSTD_c_compressionLevel]: 19 };
  return Object.fromEntries(
    platforms.map((platform) => {
      const bytes = readFileSync(join(folder, `${platform}.node`));
      return [platform, { sha256: sha256(bytes), zstd: zstdCompressSync(bytes, { params }).toString('base64') }];
    }),
  );
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

await main();
