// Appliances that only look around, as programs of the lab's hosts: by Node from source, by another runtime as the build
// makes it.

import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { node, type Runtime } from '../../built-file.ts';
import type { Lab, Program } from '../../lab/lab.ts';

const source = join(import.meta.dirname, 'appliance-program.ts');

export type Lookout = (host: number, character: string, name: string, runtime?: Runtime) => Program;

export function createLookout(lab: Lab): Lookout {
  const bundled = join(lab.folder, 'appliance-program.mjs');
  buildSync({
    entryPoints: [source],
    outfile: bundled,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
  return (host, character, name, runtime = node) =>
    lab.run(host, runtime.path, runtime === node ? source : bundled, character, name);
}
