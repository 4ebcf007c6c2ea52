// Each planted bug is caught, by the rule that it breaks, within a few seeds. Without the bug the same seeds hold.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { plantedBugs } from './planted.ts';

const seedsMax = 6;
const faultySeconds = 40;

afterEach(() => {
  vi.doUnmock;
  vi.resetModules();
});

describe('planted bugs', () => {
  for (const bug of plantedBugs) {
    test(`${bug.name}: caught`, { timeout: 120_000 }, async () => {
      const path = new URL(`../../src/${bug.module}`, import.meta.url).pathname;
      vi.resetModules();
      vi.doMock(path, async (importOriginal) => {
        const original = await importOriginal<Record<string, unknown>>();
        return { ...original, ...bug.plant(original) };
      });
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
      vi.doUnmock(path);
      expect(said.at(-1) ?? 'nothing').toMatch(bug.caughtBy);
    });
  }

  test('without them the same seeds hold', { timeout: 120_000 }, async () => {
    vi.resetModules();
    const { simulate } = await import('./simulation.ts');
    for (let seed = 1; seed <= seedsMax; seed++)
      expect(simulate({ seed: `planted ${seed}`, faultySeconds, faultKinds: null }).broken).toBeNull();
  });
});
