// Appliances of shops that no key opens, and how one of them comes to be of another's.

import { join } from 'node:path';
import { expect } from 'vitest';
import type { Outcome } from '../../src/core/command.ts';
import type { JoinAnswer, JoinRequest } from '../../src/mesh/mesh.ts';
import { type ApplianceOptions, linked, newFolder, openAppliance, type TestAppliance } from './appliances.ts';

export const shops = { bar: 'barbarbarbarbarbarbarbarba', cellar: 'cellarcellarcellarcellarce' };

export const openAlone = (name: string, shop: string, options: ApplianceOptions = {}): Promise<TestAppliance> =>
  openAppliance(name, { shop, shopKey: null, ...options });

export const askToJoin = (one: TestAppliance, request: Partial<JoinRequest>): Promise<Outcome<JoinAnswer>> =>
  new Promise((resolve) => one.appliance.mesh.join({ bringBooks: false, ...request }, resolve));

/** What the command line does once a shop has let it in: the new books take the place of the old, and it starts again. */
export async function moveIn(one: TestAppliance, options: ApplianceOptions = {}): Promise<TestAppliance> {
  const welcome = one.welcomes.at(-1);
  if (!welcome) throw new Error('nobody let it in');
  const folder = newFolder();
  const prepared = one.appliance.prepareFor(welcome, join(folder, 'books.db'));
  expect(prepared).toMatchObject({ ok: true });
  await one.stop();
  return openAlone(one.name, welcome.shop, { folder, who: one.who, isFirstStart: false, ...options });
}

export async function joined(
  one: TestAppliance,
  host: TestAppliance,
  options?: ApplianceOptions,
): Promise<TestAppliance> {
  const { code } = host.appliance.mesh.makeJoinCode();
  const answer = await askToJoin(one, { code, peer: host.address });
  expect(answer).toMatchObject({ ok: true, result: { state: 'joined' } });
  const moved = await moveIn(one, options);
  await linked(moved, host);
  return moved;
}

export const folderOf = (one: TestAppliance): string => one.databasePath.replace('/books.db', '');
