// Who is let in by the books of a shop whose appliances did not hear of each other in time.

import { describe, expect, test } from 'vitest';
import { makeTerminal } from '../../src/commands/make-terminal.ts';
import { makeUser } from '../../src/commands/make-user.ts';
import { revokeTerminal } from '../../src/commands/revoke-terminal.ts';
import { setAdminToken } from '../../src/commands/set-admin-token.ts';
import { hasAdmin } from '../../src/commands/user-record.ts';
import { createCredentials, hashOf, terminalToken, userToken } from '../../src/edges/http/credentials.ts';
import { until } from '../waiting.ts';
import { equal, linked, openAppliance, peerOf, type TestAppliance } from './appliances.ts';
import { askToJoin, folderOf, joined, moveIn, openAlone, shops } from './shop.ts';

const bytes = (fill: number) => new Uint8Array(32).fill(fill);

/** What a token is good for at an appliance: a role, or why it is not. */
function roleOf(one: TestAppliance, token: string): string {
  const found = createCredentials(one.appliance.books, () => [], null).find(`Bearer ${token}`);
  return 'role' in found ? found.role : found.code;
}

async function makeTill(one: TestAppliance, id: string, fill: number, role?: string): Promise<string> {
  const token = terminalToken(id, bytes(fill));
  const document = { name: id, ...(role && { role }) };
  const made = await one.run(makeTerminal({ id, document, tokenHash: hashOf(token), by: 'admin' }));
  expect(made).toMatchObject({ ok: true });
  return token;
}

describe('tills of one id', () => {
  test('made at two appliances that had not heard of each other sell on, each in its role, until one is revoked', async () => {
    const reaches = new Set<string>();
    const [bar, cellar] = [await openAppliance('Bar', { reaches }), await openAppliance('Cellar', { reaches })];
    const tokens = [await makeTill(bar, 'till-1', 1), await makeTill(cellar, 'till-1', 2, 'read-only')];
    reaches.add(cellar.address);
    bar.appliance.mesh.addPeer(cellar.address);
    await linked(bar, cellar);
    await equal(bar, cellar);
    await until('both are at Bar', () => roleOf(bar, tokens[1] ?? '') !== 'credential_unknown');
    for (const one of [bar, cellar])
      expect(tokens.map((token) => roleOf(one, token))).toEqual(['terminal', 'read-only']);
    await bar.run(revokeTerminal({ id: 'till-1', by: 'admin' }));
    expect(tokens.map((token) => roleOf(bar, token))).toEqual(['credential_unknown', 'credential_unknown']);
  });

  test.each([false, true])('sell on when somebody joins who had one as well (revoked: %s)', async (isRevoked) => {
    const bar = await openAlone('Bar', shops.bar);
    const ofBar = await makeTill(bar, 'till-1', 1);
    const alone = await openAlone('Cellar', shops.cellar);
    const ofCellar = await makeTill(alone, 'till-1', 2);
    if (isRevoked) await alone.run(revokeTerminal({ id: 'till-1', by: 'admin' }));
    await alone.sell('t1');
    const { code } = bar.appliance.mesh.makeJoinCode();
    expect(await askToJoin(alone, { code, peer: bar.address, bringBooks: true })).toMatchObject({ ok: true });
    const cellar = await moveIn(alone);
    await linked(cellar, bar);
    await equal(cellar, bar);
    await until('the till came', () => roleOf(cellar, ofBar) === 'terminal');
    const expected = ['terminal', isRevoked ? 'credential_unknown' : 'terminal'];
    for (const one of [bar, cellar]) expect([ofBar, ofCellar].map((token) => roleOf(one, token))).toEqual(expected);
  });
});

test('B10 what a revoked appliance says of people and tills after its revocation lets nobody in, by whatever way it comes', async () => {
  const bar = await openAlone('Bar', shops.bar);
  const cellar = await joined(await openAlone('Cellar', shops.cellar), bar);
  const attic = await joined(await openAlone('Attic', shops.cellar), bar);
  await linked(cellar, attic);
  const before = await makeTill(attic, 'till-1', 1);
  await equal(bar, cellar, attic);
  await until('the till came', () => roleOf(cellar, before) === 'terminal');
  await bar.stop();
  await cellar.stop();
  const again = (one: TestAppliance, reaches: Set<string>) =>
    openAlone(one.name, shops.bar, { folder: folderOf(one), who: one.who, isFirstStart: false, reaches });
  // Cellar shuts Attic out; Bar, which has not heard of it, goes on with Attic, and then tells Cellar what that one said.
  const cellarAgain = await again(cellar, new Set());
  cellarAgain.appliance.mesh.changePeer(attic.id, { trust: 'revoked' }, 'admin');
  const reaches = new Set([attic.address]);
  const barAgain = await again(bar, reaches);
  await linked(barAgain, attic);
  const stolen = userToken('token-admin', bytes(3));
  await attic.run(setAdminToken({ tokenHash: hashOf(stolen), by: 'admin' }));
  await attic.run(makeUser({ name: 'thief', role: 'admin', passwordHash: 'his', by: 'admin' }));
  const tillOfThief = await makeTill(attic, 'till-2', 4);
  await until(
    'Bar believes it',
    () => roleOf(barAgain, tillOfThief) === 'terminal' && hasAdmin(barAgain.appliance.books),
  );
  reaches.add(cellarAgain.address);
  barAgain.appliance.mesh.addPeer(cellarAgain.address);
  await linked(barAgain, cellarAgain);
  await until('out at Bar, too', () => peerOf(barAgain, attic)?.trust === 'revoked');
  await equal(barAgain, cellarAgain);
  for (const one of [barAgain, cellarAgain]) {
    expect(hasAdmin(one.appliance.books)).toBe(false);
    expect([stolen, tillOfThief, before].map((token) => roleOf(one, token))).toEqual([
      'credential_unknown',
      'credential_unknown',
      'terminal',
    ]);
  }
  // The name is free again.
  await barAgain.run(makeUser({ name: 'thief', role: 'admin', passwordHash: 'another', by: 'admin' }));
  await until('another one, at both', () => hasAdmin(cellarAgain.appliance.books));
});
