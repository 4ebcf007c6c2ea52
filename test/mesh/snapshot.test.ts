import { existsSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import {
  snapshotChunkBytes,
  snapshotMakeMs,
  snapshotOpsMin,
  snapshotStepBytes,
  snapshotWindowChunks,
} from '../../src/core/limits.ts';
import { incomingPath, madePath } from '../../src/storage/snapshot-files.ts';
import { makeSomeone } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { alarmsOf, equal, hasTicket, linked, newFolder, openAppliance, peerOf } from './appliances.ts';
import { expectUnharmed } from './pair.ts';
import { openCable } from './proxy.ts';
import { chunksIn, createHeldBulk, enough, kindsIn, makersWord, opsCameIn, stockUp } from './snapshots.ts';

const isOf =
  (suffix: string) =>
  ({ file }: { file: string }) =>
    file.endsWith(suffix);

describe('B3 a newcomer', () => {
  test('that lacks some thousand ops takes a snapshot, then the tail, and equals its maker', async () => {
    const bar = await openAppliance('Bar');
    await stockUp(bar);
    await bar.sell('before');
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await equal(bar, cellar);
    expect(chunksIn(cellar.wire.received).length).toBeGreaterThan(5);
    expect(opsCameIn(cellar.wire.received)).toBe(0);
    await expectUnharmed(bar, cellar);
    await until('found equal', () => peerOf(cellar, bar)?.verifiedEqualAt !== null);
    expect(alarmsOf(cellar)).toEqual([]);
    expect([existsSync(incomingPath(cellar.databasePath)), peerOf(cellar, bar)?.snapshot]).toEqual([false, null]);
  });

  test('that lacks fewer takes ops', async () => {
    const bar = await openAppliance('Bar');
    await stockUp(bar, snapshotOpsMin - 1);
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await equal(bar, cellar);
    expect(chunksIn(cellar.wire.received)).toEqual([]);
    expect(opsCameIn(cellar.wire.received)).toBe(snapshotOpsMin - 1 + makersWord);
  });

  test('keeps what it sold before and meanwhile (B1, B7), its own peers and settings, and nothing of its maker', async () => {
    const bar = await openAppliance('Bar');
    await stockUp(bar);
    const held = createHeldBulk();
    held.hold(isOf('.incoming'));
    const cellar = await openAppliance('Cellar', { bulk: held.bulk, haste: 1 });
    await cellar.sell('before-the-link');
    const added = cellar.appliance.mesh.addPeer(bar.address);
    expect(added.ok).toBe(true);
    await until('chunks wait', () => held.heldCount() > 0);
    await cellar.sell('meanwhile');
    const cursor = cellar.appliance.feed.read({ limit: 10 });
    held.goOn();
    await equal(bar, cellar);
    expect([hasTicket(bar, 'before-the-link'), hasTicket(bar, 'meanwhile')]).toEqual([true, true]);
    const after = cursor.ok ? cellar.appliance.feed.read({ limit: 10, after: cursor.next }) : cursor;
    expect(after).toMatchObject({ ok: false, code: 'resync' });
    await cellar.stop();
    const database = new Sqlite(cellar.databasePath, { readonly: true });
    expect(database.prepare('SELECT id FROM peers').all()).toEqual([{ id: bar.id }]);
    expect(database.prepare('SELECT address FROM static_peers').all()).toEqual([{ address: bar.address }]);
    database.close();
  });

  test('of a newcomer that knows none, or does not answer about it, ops are taken', async () => {
    const bar = await openAppliance('Bar', { bulk: null });
    await stockUp(bar);
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await equal(bar, cellar);
    expect(kindsIn(bar.wire.received)).toContain('snapshot_request');
    expect(opsCameIn(cellar.wire.received)).toBe(enough + makersWord);
  });
});

describe('B7 sales go on', () => {
  test('at the maker while its file is copied and hashed, and come after it; both sides show how far it is', async () => {
    const held = createHeldBulk();
    const bar = await openAppliance('Bar', { bulk: held.bulk, haste: 1 });
    await stockUp(bar);
    held.hold(({ kind, bytes }) => kind === 'read' && bytes === snapshotStepBytes);
    const cellar = await openAppliance('Cellar', { peers: [bar.address], haste: 1 });
    await until('the copying waits', () => held.heldCount() > 0);
    await bar.sell('while-it-is-copied');
    await until('told', () => peerOf(cellar, bar)?.snapshot?.step === 'making');
    expect(peerOf(bar, cellar)).toMatchObject({ state: 'syncing', snapshot: { direction: 'sending', step: 'making' } });
    held.goOn();
    await equal(bar, cellar);
    expect(opsCameIn(cellar.wire.received)).toBe(1);
    expect(hasTicket(cellar, 'while-it-is-copied')).toBe(true);
  });
});

describe('B7 a maker whose disk hangs', () => {
  async function waitingAt() {
    const held = createHeldBulk();
    const bar = await openAppliance('Bar', { bulk: held.bulk });
    await stockUp(bar);
    held.hold(({ kind, bytes }) => kind === 'read' && bytes === snapshotStepBytes);
    const store = await openAppliance('Store', { bulk: null, peers: [bar.address] });
    await equal(bar, store);
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await until('waited for', () => peerOf(cellar, bar)?.snapshot?.step === 'making');
    cellar.appliance.mesh.addPeer(store.address);
    await linked(cellar, store);
    return { bar, store, cellar };
  }

  test('is given up by a newcomer, which takes ops of everybody; its own database is frozen no longer', async () => {
    const { bar, store, cellar } = await waitingAt();
    await equal(bar, store, cellar);
    expect(chunksIn(cellar.wire.received)).toEqual([]);
    expect(cellar.log.filter(({ message }) => message === 'no snapshot is taken, ops are')[0]?.facts.peer).toBe('Bar');
    await until('given up', () => bar.log.some(({ message }) => message === 'a snapshot could not be made'));
    expect(existsSync(madePath(bar.databasePath))).toBe(false);
  });

  test('and that is revoked meanwhile (B10) is out at the newcomer, too', async () => {
    const { bar, store, cellar } = await waitingAt();
    expect(store.appliance.mesh.changePeer(bar.id, { trust: 'revoked' }, 'admin').ok).toBe(true);
    expect(peerOf(cellar, bar)?.trust).toBe('trusted');
    await until('heard', () => peerOf(cellar, bar)?.trust === 'revoked');
    await equal(store, cellar);
  });
});

describe('B8 a transfer', () => {
  test('cut in the middle goes on with what is missing, and the maker is asked for no other', async () => {
    const bar = await openAppliance('Bar', { haste: 1 });
    await stockUp(bar, 2 * enough);
    const cable = await openCable(bar.address);
    const held = createHeldBulk();
    held.hold(
      ({ file, kind, offset }) => file.endsWith('.incoming') && kind === 'write' && offset > 12 * snapshotChunkBytes,
    );
    const cellar = await openAppliance('Cellar', { peers: [cable.address], bulk: held.bulk, haste: 1 });
    await until('in the middle', () => held.heldCount() > 0 && (peerOf(cellar, bar)?.snapshot?.chunksDone ?? 0) >= 13);
    const { chunks } = peerOf(cellar, bar)?.snapshot ?? { chunks: 0 };
    cable.cut();
    await until('cut', () => peerOf(cellar, bar)?.snapshot === null);
    held.goOn();
    cable.heal();
    cellar.appliance.mesh.reconnect();
    await equal(bar, cellar);
    const sent = chunksIn(bar.wire.sent).length;
    expect(sent).toBeGreaterThanOrEqual(chunks);
    expect(sent).toBeLessThanOrEqual(chunks + snapshotWindowChunks);
    expect(new Set(chunksIn(bar.wire.sent).map(({ id }) => id)).size).toBe(1);
    expect(opsCameIn(cellar.wire.received)).toBe(0);
  });

  test('cut by a restart of the newcomer goes on with what its file holds', async () => {
    const bar = await openAppliance('Bar', { haste: 1 });
    await stockUp(bar, 2 * enough);
    const held = createHeldBulk();
    held.hold(
      ({ file, kind, offset }) => file.endsWith('.incoming') && kind === 'write' && offset > 12 * snapshotChunkBytes,
    );
    const [folder, who] = [newFolder(), await makeSomeone()];
    const first = await openAppliance('Cellar', { peers: [bar.address], bulk: held.bulk, haste: 1, folder, who });
    await until('in the middle', () => held.heldCount() > 0 && (peerOf(first, bar)?.snapshot?.chunksDone ?? 0) >= 13);
    const { chunks } = peerOf(first, bar)?.snapshot ?? { chunks: 0 };
    await first.stop();
    const again = await openAppliance('Cellar', { peers: [bar.address], haste: 1, folder, who, isFirstStart: false });
    await equal(bar, again);
    expect(chunksIn(again.wire.received).length).toBeLessThanOrEqual(chunks - 13);
    expect(opsCameIn(again.wire.received)).toBe(0);
  });

  test('whose maker was started again begins anew, and leaves nothing behind', async () => {
    const [barFolder, barWho] = [newFolder(), await makeSomeone()];
    const bar = await openAppliance('Bar', { haste: 1, folder: barFolder, who: barWho });
    await stockUp(bar);
    const held = createHeldBulk();
    held.hold(({ file, kind, offset }) => file.endsWith('.incoming') && kind === 'write' && offset > 0);
    const cellar = await openAppliance('Cellar', { peers: [bar.address], bulk: held.bulk, haste: 1 });
    await until('in the middle', () => held.heldCount() > 0);
    await bar.stop();
    const again = await openAppliance('Bar', { haste: 1, folder: barFolder, who: barWho, isFirstStart: false });
    await again.sell('after-the-restart');
    held.goOn();
    cellar.appliance.mesh.addPeer(again.address);
    await equal(again, cellar);
    expect(opsCameIn(cellar.wire.received)).toBeLessThan(10);
    await again.stop();
    expect(existsSync(madePath(bar.databasePath))).toBe(false);
  });

  test('is asked of one maker by two newcomers: one file serves both', async () => {
    const bar = await openAppliance('Bar');
    await stockUp(bar);
    const [cellar, attic] = await Promise.all([
      openAppliance('Cellar', { peers: [bar.address] }),
      openAppliance('Attic', { peers: [bar.address] }),
    ]);
    await equal(bar, cellar, attic);
    expect(new Set(chunksIn(bar.wire.sent).map(({ id }) => id)).size).toBe(1);
    expect(bar.log.filter(({ message }) => message === 'a snapshot was made')).toHaveLength(1);
  });

  test('is not taken away by a second newcomer, however much has come since: it gets the same, and the rest as ops', async () => {
    let aheadMs = 0;
    const bar = await openAppliance('Bar', { haste: 1, clock: { monotonic: () => performance.now() + aheadMs } });
    await stockUp(bar, 2 * enough);
    const held = createHeldBulk();
    held.hold(
      ({ file, kind, offset }) => file.endsWith('.incoming') && kind === 'write' && offset > 4 * snapshotChunkBytes,
    );
    const slow = await openAppliance('Slow', { peers: [bar.address], bulk: held.bulk, haste: 1 });
    await until('in the middle', () => held.heldCount() > 0);
    await stockUp(bar, snapshotOpsMin, 'imported');
    aheadMs += snapshotMakeMs;
    const other = await openAppliance('Other', { peers: [bar.address] });
    await equal(bar, other);
    held.goOn();
    await equal(bar, slow, other);
    expect(new Set(chunksIn(bar.wire.sent).map(({ id }) => id)).size).toBe(1);
    for (const one of [slow, other])
      expect(one.log.filter(({ message }) => message === 'the books were taken from a snapshot')).toHaveLength(1);
  });
});
