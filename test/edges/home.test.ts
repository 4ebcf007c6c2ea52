// Where an appliance lives: the same for as long as its folder stays, another for a copy.

import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { homeOf } from '../../src/edges/home.ts';

test('B2 a copied folder is another home; one that is written to, or moved on its disk, is not', () => {
  const outer = mkdtempSync(join(tmpdir(), 'tillmesh-home-'));
  onTestFinished(() => rmSync(outer, { recursive: true, force: true }));
  const folder = mkdtempSync(join(outer, 'data-'));
  const home = homeOf(folder);
  writeFileSync(join(folder, 'identity.json'), '{}');
  expect(homeOf(folder)).toEqual(home);
  cpSync(folder, join(outer, 'copy'), { recursive: true, preserveTimestamps: true });
  expect(homeOf(join(outer, 'copy')).folder).not.toBe(home.folder);
  expect(homeOf(join(outer, 'copy')).machine).toBe(home.machine);
  renameSync(folder, join(outer, 'moved'));
  expect(homeOf(join(outer, 'moved'))).toEqual(home);
});

test('what a home tells is no serial number of the machine', () => {
  expect(homeOf(tmpdir()).machine).toMatch(/^[0-9a-f]{64}$/);
});
