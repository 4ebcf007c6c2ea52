// Holds the house as DESIGN has it: who may import whom, and that time, chance and disks come in through ports alone.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { complaintsAbout, importsOf, roomOf } from './architecture-rules.ts';

const root = join(import.meta.dirname, '..');

function sources() {
  const paths = readdirSync(join(root, 'src'), { recursive: true })
    .map(String)
    .filter((path) => path.endsWith('.ts'));
  return paths.sort().map((path) => ({ path, text: readFileSync(join(root, 'src', path), 'utf8') }));
}

test('the house is in order', () => {
  const files = sources();
  expect(files.length).toBeGreaterThan(10);
  expect(complaintsAbout(files)).toEqual([]);
});

test('the top level holds what DESIGN lists and nothing else', () => {
  const fixed = ['package.json', 'build.ts', 'src', 'public', 'migrations', 'test', 'Dockerfile'];
  const expected = ['README.md', 'SECURITY.md', 'LICENSE', 'CHANGELOG.md', 'package-lock.json', 'tsconfig.json'];
  const tools = ['biome.json', 'vitest.config.ts', 'drizzle.config.ts'];
  const made = ['node_modules', 'dist', 'coverage', 'tillmesh-data'];
  const known = new Set([...fixed, ...expected, ...tools, ...made]);
  expect(readdirSync(root).filter((name) => !name.startsWith('.') && !known.has(name))).toEqual([]);
});

describe('the checker sees', () => {
  /** Complaints about one planted file; its opening comment is there already. */
  const about = (path: string, code: string): string =>
    complaintsAbout([{ path, text: `// Planted.\n${code}\n` }]).join('\n');

  test.each([
    ['core/x.ts', `import { readFileSync } from 'node:fs';`, 'take it as a port'],
    ['core/x.ts', `import type { Log } from '../ports.ts';`, 'arrows point inward'],
    ['core/x.ts', `import { z } from 'zod';`, 'core takes npm packages: nothing'],
    ['storage/x.ts', `import { execute } from '../commands/execute.ts';`, 'arrows point inward'],
    ['storage/x.ts', `import {\n  a,\n  type B,\n} from '../mesh/mesh.ts';`, 'imports mesh'],
    ['commands/x.ts', `import { mesh } from '../mesh/mesh.ts';`, 'imports mesh'],
    ['mesh/x.ts', `export * from '../appliance.ts';`, 'imports appliance'],
    ['mesh/x.ts', `const late = () => import('../edges/peer/server.ts');`, 'imports edges/peer'],
    ['feed/x.ts', `import Database from 'better-sqlite3';`, 'only storage knows SQL'],
    ['edges/http/x.ts', `import { eq } from 'drizzle-orm/sqlite-core';`, 'only storage knows SQL'],
    ['edges/http/app.ts', `import { link } from '../peer/link.ts';`, 'edges meet in main.ts only'],
    ['edges/log.ts', `import { systemClock } from './system.ts';`, 'edges meet in main.ts only'],
    ['ports.ts', `import Database from 'better-sqlite3';`, 'ports takes npm packages'],
    ['cli/x.ts', `import { main } from '../main.ts';`, 'imports main'],
    ['cellar/x.ts', 'export const a = 1;', 'in no room'],
  ])('a forbidden import in %s: %s', (path, code, complaint) => {
    expect(about(path, code)).toContain(complaint);
  });

  test.each([
    ['edges/http/x.ts', 'const at = Date.now();', 'ask the Clock port: clock.now()'],
    ['mesh/x.ts', 'const at = new Date().toISOString();', 'Clock'],
    ['mesh/x.ts', 'const at = new Date;', 'Clock'],
    ['core/x.ts', 'const luck = Math.random();', 'Random'],
    ['mesh/x.ts', 'setTimeout(run, 5);', 'timers.after'],
    ['mesh/x.ts', 'setInterval(run, 5);', 'timers.after'],
    ['main.ts', 'setImmediate(run);', 'timers.soon'],
    ['storage/x.ts', 'queueMicrotask(run);', 'timers.soon'],
    ['edges/system.ts', 'const row = found as any;', 'parse it from unknown'],
    ['commands/x.ts', 'export async function sell() {}', 'async or await'],
    ['mesh/x.ts', `const text = \`at \${Date.now()}\`;`, 'Clock'],
  ])('a ban broken in %s: %s', (path, code, complaint) => {
    expect(about(path, code)).toContain(complaint);
  });

  test('a file without its opening comment', () => {
    expect(complaintsAbout([{ path: 'core/x.ts', text: 'export const a = 1;\n' }])).toHaveLength(1);
  });

  test.each([
    ['storage/x.ts', `import { migrate } from 'drizzle-orm/better-sqlite3';\nimport type { Log } from '../ports.ts';`],
    ['edges/system.ts', `import Database from 'better-sqlite3';\nconst now = () => Date.now();\nsetTimeout(run, 1);`],
    ['edges/http/x.ts', `import { execute } from '../../commands/execute.ts';\nimport { b } from './b.ts';`],
    ['ports.ts', `import type BetterSqlite3 from 'better-sqlite3';`],
    ['mesh/x.ts', `// Date.now() would not do.\nconst at = new Date(clock.now());\nlog.info('no Math.random() here');`],
    ['main.ts', `import { createHttpApp } from './edges/http/app.ts';`],
  ])('nothing wrong with %s: %s', (path, code) => {
    expect(about(path, code)).toBe('');
  });

  test('imports of every form', () => {
    const text = `import a from 'a';\nimport type { B } from "b";\nimport 'c';\nexport { d } from './d.ts';\n// import e from 'e';`;
    expect(importsOf(text).map(({ from }) => from)).toEqual(['a', 'b', 'c', './d.ts']);
    expect(roomOf('edges/http/app.ts')).toBe('edges/http');
  });
});
