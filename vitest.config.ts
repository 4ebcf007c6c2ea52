// Three projects: "fast" needs nothing but the sources; "smoke" runs the built file and builds it first; "lab" runs it on
// hosts with networks of their own, and measures: file by file, when all else has ended.

import { defineConfig } from 'vitest/config';

const onBuiltFile = [
  'test/smoke.test.ts',
  'test/real-day.test.ts',
  'test/command-line.test.ts',
  'test/start.test.ts',
  'test/joining.test.ts',
  'test/live.test.ts',
  'test/disks.test.ts',
  'test/attacks/*.test.ts',
];
const onHosts = 'test/lab/*.test.ts';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: [...onBuiltFile, onHosts],
          // From 1: where there is one worker, vitest runs the files of group 0 last.
          sequence: { groupOrder: 1 },
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'smoke',
          include: onBuiltFile,
          globalSetup: ['test/build-once.ts'],
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'lab',
          include: [onHosts],
          globalSetup: ['test/build-once.ts'],
          sequence: { groupOrder: 3 },
          fileParallelism: false,
          testTimeout: 120_000,
        },
      },
    ],
  },
});
