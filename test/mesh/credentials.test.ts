// Who is let in by the books of a shop whose appliances did not hear of each other in time.

import { describe, expect, test } from 'vitest';
import { changePassword } from '../../src/commands/change-password.ts';
import { makeTerminal } from '../../src/commands/make-terminal.ts';
import { makeUser } from '../../src/commands/make-user.ts';
import { revokeTerminal } from '../../src/commands/revoke-terminal.ts';
import { revokeUser } from '../../src/commands/revoke-user.ts';
import { setAdminToken } from '../../src/commands/set-admin-token.ts';
import { hasAdmin, passwordHashOf } from '../../src/commands/user-record.ts';
import { isSameHeads } from '../../src/core/heads.ts';
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

describe('what a revoked appliance says of people and tills after its revocation', () => {
  /** Cellar shuts Attic out; Bar, which has not heard of it, goes on with Attic, and then tells Cellar what that one said. */
  async function toldByBar(
    before: (bar: TestAppliance) => Promise<void>,
    after: (attic: TestAppliance) => Promise<void>,
  ) {
    const bar = await openAlone('Bar', shops.bar);
    const cellar = await joined(await openAlone('Cellar', shops.cellar), bar);
    const attic = await joined(await openAlone('Attic', shops.cellar), bar);
    await linked(cellar, attic);
    await before(bar);
    await equal(bar, cellar, attic);
    const hasAll = (one: TestAppliance, other: TestAppliance): Promise<void> =>
      until(`${one.name} has all of ${other.name}`, () =>
        isSameHeads(one.appliance.books.heads(), other.appliance.books.heads()),
      );
    for (const one of [cellar, attic]) await hasAll(one, bar);
    await bar.stop();
    await cellar.stop();
    const again = (one: TestAppliance, reaches: Set<string>) =>
      openAlone(one.name, shops.bar, { folder: folderOf(one), who: one.who, isFirstStart: false, reaches });
    const cellarAgain = await again(cellar, new Set());
    cellarAgain.appliance.mesh.changePeer(attic.id, { trust: 'revoked' }, 'admin');
    const reaches = new Set([attic.address]);
    const barAgain = await again(bar, reaches);
    await linked(barAgain, attic);
    await after(attic);
    await hasAll(barAgain, attic);
    reaches.add(cellarAgain.address);
    barAgain.appliance.mesh.addPeer(cellarAgain.address);
    await linked(barAgain, cellarAgain);
    await until('out at Bar, too', () => peerOf(barAgain, attic)?.trust === 'revoked');
    await equal(barAgain, cellarAgain);
    return { bar: barAgain, cellar: cellarAgain, reaches };
  }
  const adminTokens = [1, 2, 3].map((fill) => userToken('token-admin', bytes(fill)));
  const [leaked = '', present = '', stolen = ''] = adminTokens;
  const replaceToken = (one: TestAppliance, token: string) =>
    one.run(setAdminToken({ tokenHash: hashOf(token), by: 'admin' }));

  test('B10 lets nobody in, by whatever way it comes, nor in another shop', async () => {
    const tills: string[] = [];
    const { bar, cellar, reaches } = await toldByBar(
      async (one) => void tills.push(await makeTill(one, 'till-1', 4)),
      async (attic) => {
        await replaceToken(attic, stolen);
        await attic.run(makeUser({ name: 'thief', role: 'admin', passwordHash: 'his', by: 'admin' }));
        tills.push(await makeTill(attic, 'till-2', 5));
      },
    );
    const roles = (one: TestAppliance) => [...tills, stolen].map((token) => roleOf(one, token));
    const good = ['terminal', 'credential_unknown', 'credential_unknown'];
    expect([roles(bar), roles(cellar)]).toEqual([good, good]);
    expect([bar, cellar].map((one) => hasAdmin(one.appliance.books))).toEqual([false, false]);
    // His name is free.
    await cellar.run(makeUser({ name: 'thief', role: 'admin', passwordHash: 'another', by: 'admin' }));
    expect(hasAdmin(cellar.appliance.books)).toBe(true);
    const other = await openAlone('Other', 'otherotherotherotherothera');
    const { code } = other.appliance.mesh.makeJoinCode();
    reaches.add(other.address);
    expect(await askToJoin(bar, { code, peer: other.address, bringBooks: true })).toMatchObject({ ok: true });
    const moved = await moveIn(bar);
    await linked(moved, other);
    await until('the good till came', () => roleOf(other, tills[0] ?? '') === 'terminal');
    expect(roles(other)).toEqual(good);
  });

  test('B10 voids what it wrote over, until that is made anew: not his word counts, nor what had been replaced before', async () => {
    const { bar, cellar } = await toldByBar(
      async (one) => {
        await one.run(makeUser({ name: 'anna', role: 'admin', passwordHash: 'old', by: 'admin' }));
        await one.run(changePassword({ name: 'anna', before: 'old', passwordHash: 'present', by: 'user:anna' }));
        await one.run(makeUser({ name: 'eve', role: 'admin', passwordHash: 'of eve', by: 'admin' }));
        await one.run(revokeUser({ name: 'eve', by: 'admin' }));
        for (const token of [leaked, present]) await replaceToken(one, token);
      },
      async (attic) => {
        await attic.run(changePassword({ name: 'anna', before: 'present', passwordHash: 'his', by: 'user:anna' }));
        await attic.run(makeUser({ name: 'eve', role: 'admin', passwordHash: 'his', by: 'admin' }));
        await replaceToken(attic, stolen);
      },
    );
    const held = (one: TestAppliance) => [
      ...['anna', 'eve'].map((name) => passwordHashOf(one.appliance.books.record('user', name))),
      ...adminTokens.map((token) => roleOf(one, token)),
    ];
    const nobody = [undefined, undefined, ...adminTokens.map(() => 'credential_unknown')];
    expect([held(bar), held(cellar)]).toEqual([nobody, nobody]);
    await replaceToken(bar, present);
    await bar.run(revokeUser({ name: 'anna', by: 'admin' }));
    await bar.run(makeUser({ name: 'anna', role: 'admin', passwordHash: 'new', by: 'admin' }));
    await until('made anew at both', () => roleOf(cellar, present) === 'admin' && hasAdmin(cellar.appliance.books));
    expect(held(cellar)).toEqual(['new', undefined, 'credential_unknown', 'admin', 'credential_unknown']);
  });
});
