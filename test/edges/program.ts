// Programs of the tests, bundled as the build does and run by either runtime; each prints lines of JSON.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { build } from 'esbuild';
import { onTestFinished } from 'vitest';
import type { Runtime } from '../built-file.ts';

/** Bundles a file of this folder into `folder`; the path of what can be run. */
export async function bundleProgram(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
    logLevel: 'warning',
  });
  return outfile;
}

/** Runs it until the test ends, or its standard input. */
export function startProgram(runtime: Runtime, program: string, words: readonly string[]) {
  const child = spawn(runtime.path, [program, ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  return {
    line: lineQueue(createInterface({ input: child.stdout })),
    /** Its exit code, after the end of its standard input. */
    async end(): Promise<unknown> {
      child.stdin.end();
      return (await exited)[0];
    },
  };
}

/** One line of JSON after the other; an empty object when the program is gone. */
function lineQueue(lines: Interface): () => Promise<Record<string, unknown>> {
  const iterator = lines[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await iterator.next();
    return done ? {} : JSON.parse(value);
  };
}
