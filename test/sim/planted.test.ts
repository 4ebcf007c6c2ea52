// Each planted bug is caught, by the rule that it breaks, within a few seeds. Without the bug the same seeds hold.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { plantedBugs } from './planted.ts';

const seedsMax = 6;
const faultySeconds = 40;
const pathOf = (module: string): string => new URL(`../../src/${module}`, import.meta.url).pathname;

afterEach(() => {
  vi.doUnmock;
  vi.resetModules();
});

describe('planted bugs', () => {
  for (const bug of plantedBugs) {
    test(`${bug.name}: caught`, { timeout: 120_000 }, async () => {
      const places = [bug, ...(bug.also ? [bug.also] : [])];
      vi.resetModules();
      for (const { module, plant } of places) {
        vi.doMock(pathOf(module), async (importOriginal) => {
          const original = await importOriginal<Record<string, unknown>>();
          return { ...original, ...plant(original) };
        });
      }
      const { simulate } = await import('./simulation.ts');
      const said: string[] = [];
      for (let seed = 1; seed <= seedsMax; seed++) {
        const { broken } = simulate({ seed: `planted ${seed}`, faultySeconds, faultKinds: bug.faults ?? null });
        if (broken) said.push(broken);
        if (broken && bug.caughtBy.test(broken)) {
          console.log(`${bug.name}: caught at seed ${seed}: ${broken.slice(0, 160)}`);
          break;
        }
      }
      for (const { module } of places) vi.doUnmock(pathOf(module));
      expect(said.at(-1) ?? 'nothing').toMatch(bug.caughtBy);
    });
  }

  test('without them the same seeds hold', { timeout: 120_000 }, async () => {
    vi.resetModules();
    const { simulate } = await import('./simulation.ts');
    for (const faults of new Set(plantedBugs.map((bug) => bug.faults?.join() ?? 'all'))) {
      const faultKinds = faults === 'all' ? null : faults.split(',');
      for (let seed = 1; seed <= 2; seed++)
        expect(simulate({ seed: `planted ${seed}`, faultySeconds, faultKinds }).broken).toBeNull();
    }
  });
});
