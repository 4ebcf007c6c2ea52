// C13: snapshots that are not what they should be. Each is found out, before it counts or soon after, and the newcomer has
// the right books in the end.

import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { assets } from '../../src/assets.ts';
import type { Heads } from '../../src/core/heads.ts';
import { snapshotCarriedOpsMax, snapshotChunkBytes, snapshotOpsMin } from '../../src/core/limits.ts';
import { manifestMessage, type SnapshotManifest } from '../../src/core/snapshot.ts';
import { systemBulk } from '../../src/edges/bulk.ts';
import type { Bulk } from '../../src/ports.ts';
import { encodeChunkFrame } from '../../src/protocol/frames.ts';
import { encodeManifest } from '../../src/protocol/manifest.ts';
import { incomingPath } from '../../src/storage/snapshot-files.ts';
import { makeSomeone } from '../edges/peer-pair.ts';
import { recheckAll, rows } from '../storage/opened.ts';
import { until } from '../waiting.ts';
import {
  alarmsOf,
  equal,
  hasTicket,
  isLinked,
  linked,
  newFolder,
  openAppliance,
  sale,
  shopId,
  signerOf,
  type TestAppliance,
} from './appliances.ts';
import { expectUnharmed } from './pair.ts';
import { openCable } from './proxy.ts';
import { createHeldBulk, enough, makersWord, opsCameIn, stockUp } from './snapshots.ts';
import { enter } from './stranger.ts';

const isOf =
  (suffix: string) =>
  ({ file }: { file: string }) =>
    file.endsWith(suffix);

const letIn = JSON.stringify({
  verdict: 'trusted',
  subject: 'a'.repeat(26),
  pardons: [],
  origin: `${'b'.repeat(26)}.1`,
  number: 1,
  id: 'forged',
  stamp: '0'.repeat(16),
});

describe('C13 a snapshot', () => {
  const altered = (read: Uint8Array): Uint8Array => {
    const changed = read.slice();
    changed[1000] = (changed[1000] ?? 0) ^ 1;
    return changed;
  };

  test('with an altered chunk: it is thrown away and asked for again', async () => {
    let times = 0;
    const { bulk } = createHeldBulk(({ file, bytes, offset }, read) => {
      const isServed = file.endsWith('.snapshot') && bytes === snapshotChunkBytes && offset === 3 * snapshotChunkBytes;
      return isServed && times++ === 0 ? altered(read) : read;
    });
    const bar = await openAppliance('Bar', { bulk });
    await stockUp(bar);
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await equal(bar, cellar);
    expect(times).toBe(2);
    expect(opsCameIn(cellar.wire.received)).toBe(0);
    expect(alarmsOf(cellar)).toEqual([]);
  });

  test('whose chunks stay altered is given up, told, and ops are taken', async () => {
    const { bulk } = createHeldBulk(({ file, bytes }, read) =>
      file.endsWith('.snapshot') && bytes === snapshotChunkBytes ? altered(read) : read,
    );
    const bar = await openAppliance('Bar', { bulk });
    await stockUp(bar);
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await equal(bar, cellar);
    expect(opsCameIn(cellar.wire.received)).toBe(enough + makersWord);
    expect(alarmsOf(cellar, 'snapshot_altered')[0]?.detail).toContain('Bar');
    expect(existsSync(incomingPath(cellar.databasePath))).toBe(false);
  });

  test.each([
    ['a row taken out', "DELETE FROM records WHERE id = 'p7'"],
    ['the digest of a row altered', `UPDATE records SET version = '${'0'.repeat(64)}' WHERE id = 'p7'`],
    ['other heads', 'UPDATE origins SET head = head - 1'],
    ['another chain head', `UPDATE origins SET head_hash = x'${'00'.repeat(32)}'`],
    ['other stock', "INSERT INTO stock VALUES ('p7', 5, 1, 0)"],
  ])('with %s is not what its maker signed: dropped before it counts, and ops are taken', async (_what, sql) => {
    const bar = await openAppliance('Bar', { bulk: alteringBetween(sql) });
    await stockUp(bar);
    const cellar = await openAppliance('Cellar', { peers: [bar.address] });
    await equal(bar, cellar);
    expect(opsCameIn(cellar.wire.received)).toBe(enough + makersWord);
    expect(alarmsOf(cellar, 'snapshot_unfit')).toHaveLength(1);
    await expectUnharmed(bar, cellar);
  });

  test.each([
    ['a price altered in an op', `UPDATE ops SET payload = replace(payload, '"/price":7,', '"/price":1,')`, enough - 1],
    ['a ticket that is in the journal only', "UPDATE tickets SET sold_at = 0 WHERE id = 'last'", 0],
    ['somebody let in by no word of anybody', `UPDATE meta SET value = '[${letIn}]' WHERE key = 'trust'`, 0],
    [
      'a barcode that leads elsewhere',
      "INSERT INTO barcodes SELECT '00012345678905', row FROM records WHERE id = 'p7'",
      0,
    ],
    ['a product that nobody finds', "UPDATE records SET search = '' WHERE id = 'p7'", 0],
  ])(
    'with %s, which its digests do not tell: found soon after, and made anew from what is sealed',
    async (_what, sql, came) => {
      const bar = await openAppliance('Bar', { bulk: alteringBetween(sql) });
      await stockUp(bar);
      await bar.sell('last');
      const cellar = await openAppliance('Cellar', { peers: [bar.address] });
      await until('found', () => alarmsOf(cellar, 'snapshot_broken').length > 0);
      await cellar.sell('sold-meanwhile');
      await until('made anew', () => cellar.log.some(({ message }) => message === 'the books were made anew'));
      await equal(bar, cellar);
      expect(hasTicket(bar, 'sold-meanwhile')).toBe(true);
      expect(cellar.appliance.books.record('product', 'p7')?.fields['/price']).toBe(7);
      expect(cellar.appliance.books.records('product', { limit: 1, search: 'product 7' }).rows[0]?.id).toBe('p7');
      expect(opsCameIn(cellar.wire.received)).toBeLessThanOrEqual(came + 600);
      await expectUnharmed(bar, cellar);
      expect(recheckAll(cellar.databasePath, cellar.id)).toBe(undefined);
    },
  );

  test('is checked after the swap, also when a restart comes between', async () => {
    const bar = await openAppliance('Bar');
    await stockUp(bar);
    const [folder, who] = [newFolder(), await makeSomeone()];
    const first = await openAppliance('Cellar', { peers: [bar.address], folder, who, haste: 1 });
    await until('taken', () => first.log.some(({ message }) => message === 'the books were taken from a snapshot'));
    await first.stop();
    expect(first.log.some(({ message }) => message.includes('every seal holds'))).toBe(false);
    const again = await openAppliance('Cellar', { peers: [bar.address], folder, who, isFirstStart: false });
    await until('checked', () => again.log.some(({ message }) => message.includes('every seal holds')));
    expect(alarmsOf(again)).toEqual([]);
  });

  test('is not begun while the books of another are checked: in its file they may have to be made anew', async () => {
    const bulk = alteringBetween("UPDATE tickets SET sold_at = 0 WHERE id = 'last'");
    const bar = await openAppliance('Bar', { bulk, reaches: new Set() });
    await stockUp(bar, snapshotOpsMin - 1500);
    const cable = await openCable(bar.address);
    const store = await openAppliance('Store', { peers: [cable.address], reaches: new Set([cable.address]) });
    await equal(bar, store);
    cable.cut();
    await until('apart', () => !isLinked(bar, store));
    // The store lacks so few of them that its snapshot is worthwhile after that of the bar.
    await stockUp(bar, snapshotCarriedOpsMax - 100, 'at the bar');
    await bar.sell('last');
    await stockUp(store, enough, 'at the store');
    const [folder, who] = [newFolder(), await makeSomeone()];
    const options = { folder, who, haste: 1, reaches: new Set([bar.address]) };
    const first = await openAppliance('Cellar', { ...options, peers: [bar.address] });
    await until('taken', () => first.log.some(({ message }) => message === 'the books were taken from a snapshot'));
    await first.stop();
    // The check goes on with the first tick; the store is linked before, and its snapshot comes no further than half.
    const held = createHeldBulk();
    held.hold(
      ({ file, kind, offset }) => file.endsWith('.incoming') && kind === 'write' && offset > 2 * snapshotChunkBytes,
    );
    const reaches = new Set([store.address]);
    const peers = [store.address];
    const again = await openAppliance('Cellar', { ...options, reaches, peers, bulk: held.bulk, isFirstStart: false });
    await linked(again, store);
    expect(alarmsOf(again)).toEqual([]);
    await until('made anew', () => again.log.some(({ message }) => message === 'the books were made anew'));
    held.goOn();
    await equal(store, again);
    expect(alarmsOf(again).map(({ code }) => code)).toEqual(['snapshot_broken']);
    const told = again.log.map(({ message }) => message);
    expect(told.slice(0, told.indexOf('the books were made anew'))).not.toContain('a snapshot is being taken');
    await expectUnharmed(store, again);
  });

  test('of books that a second peer knows otherwise is dropped', async () => {
    const [folder, who] = [newFolder(), await makeSomeone()];
    const maker = await openAppliance('Bar', { folder, who });
    await stockUp(maker);
    // Bar tells each of the other: they meet when the test says so.
    const ofStore = new Set([maker.address]);
    const second = await openAppliance('Store', { peers: [maker.address], bulk: null, reaches: ofStore });
    await equal(maker, second);
    await maker.stop();
    // Row and digest together: the file agrees with itself.
    const database = new Sqlite(maker.databasePath);
    const { version } = database.prepare("SELECT version FROM records WHERE id = 'p7'").get() as { version: string };
    const other = `${version.startsWith('0') ? '1' : '0'}${version.slice(1)}`;
    database.prepare("UPDATE records SET version = ? WHERE id = 'p7'").run(other);
    const sums = JSON.parse(
      (database.prepare("SELECT value FROM meta WHERE key = 'sums'").get() as { value: string }).value,
    );
    sums.products.sum = moved(sums.products.sum, version, other);
    database.prepare("UPDATE meta SET value = ? WHERE key = 'sums'").run(JSON.stringify(sums));
    database.close();
    const bar = await openAppliance('Bar', { folder, who, isFirstStart: false, haste: 1 });
    const held = createHeldBulk();
    held.hold(isOf('.incoming'));
    const reaches = new Set([bar.address]);
    const cellar = await openAppliance('Cellar', { peers: [bar.address], bulk: held.bulk, haste: 1, reaches });
    await until('chunks wait', () => held.heldCount() > 0);
    reaches.add(second.address);
    cellar.appliance.mesh.addPeer(second.address);
    await until('disputed', () => alarmsOf(cellar, 'snapshot_disputed').length > 0);
    expect(alarmsOf(cellar, 'snapshot_disputed')[0]?.detail).toMatch(/Bar.*Store.*products/);
    held.goOn();
    await equal(second, cellar);
    expect(opsCameIn(cellar.wire.received)).toBe(enough + 3 * makersWord);
  });
});

describe('C13 a maker that lies', () => {
  /** Somebody of the shop who says that he holds some thousand ops, and offers what a test gives him. */
  async function openLiar(victim: TestAppliance, honest: TestAppliance) {
    const who = await makeSomeone();
    const heads = honest.appliance.books.heads();
    const stranger = await enter(victim, { by: who, heads });
    await stranger.hears('snapshot_request');
    await honest.stop();
    const copy = join(newFolder(), 'offered.db');
    copyFileSync(honest.databasePath, copy);
    const facts = {
      heads,
      hashes: Object.fromEntries(
        rows<{ origin: string; hash: string }>(copy, 'SELECT origin, lower(hex(head_hash)) AS hash FROM origins').map(
          ({ origin, hash }) => [origin, hash],
        ),
      ),
      digests: honestDigests.get(honest) ?? {},
    };
    const offer = (
      change: (manifest: SnapshotManifest) => SnapshotManifest = (manifest) => manifest,
      by = who,
    ): void => {
      const bytes = readFileSync(copy);
      const hashOf = (index: number) =>
        createHash('sha256')
          .update(bytes.subarray(index * snapshotChunkBytes, (index + 1) * snapshotChunkBytes))
          .digest('hex');
      const count = Math.ceil(bytes.length / snapshotChunkBytes);
      const manifest = encodeManifest(
        change({
          format: 1,
          shop: shopId,
          maker: who.replicaId,
          schema: assets.migrations.map(({ when }) => when).join(' '),
          ...facts,
          bytes: bytes.length,
          chunkBytes: snapshotChunkBytes,
          chunks: Array.from({ length: count }, (_, index) => hashOf(index)).join(''),
        }),
      );
      const id = createHash('sha256').update(manifest).digest('hex').slice(0, 32);
      const signature = Buffer.from(signerOf(by).sign(manifestMessage(manifest))).toString('hex');
      stranger.socket.on('data', () => serve());
      let served = 0;
      const serve = (): void => {
        for (const message of stranger.messages.slice(served)) {
          served += 1;
          if (message.type !== 'snapshot_chunks') continue;
          for (const index of message.indexes)
            stranger.send(
              encodeChunkFrame({
                id,
                index,
                isPacked: false,
                bytes: bytes.subarray(index * snapshotChunkBytes, (index + 1) * snapshotChunkBytes),
              }),
            );
        }
      };
      stranger.send({ type: 'snapshot_offer', manifest, signature });
    };
    return { stranger, copy, offer, heads };
  }
  const honestDigests = new Map<TestAppliance, Record<string, string>>();

  async function openVictim(): Promise<{ victim: TestAppliance; honest: TestAppliance }> {
    const honest = await openAppliance('Honest');
    await stockUp(honest);
    honestDigests.set(honest, { ...honest.appliance.books.digests() });
    return { victim: await openAppliance('Cellar', { haste: 1 }), honest };
  }

  test('of nothing is taken: what is offered by hand is what an appliance would offer', async () => {
    const { victim, honest } = await openVictim();
    const { offer } = await openLiar(victim, honest);
    offer();
    await until('taken', () => victim.appliance.books.counts().products === enough);
  });

  test.each<[string, string, (manifest: SnapshotManifest) => SnapshotManifest]>([
    ['heads', 'snapshot_unfit', (manifest) => ({ ...manifest, heads: raised(manifest.heads) })],
    [
      'digests',
      'snapshot_unfit',
      (manifest) => ({ ...manifest, digests: { ...manifest.digests, products: '0'.repeat(64) } }),
    ],
    ['who made it', 'snapshot_forged', (manifest) => ({ ...manifest, maker: 'a'.repeat(26) })],
    ['the shop', 'snapshot_forged', (manifest) => ({ ...manifest, shop: 'z'.repeat(26) })],
  ])('about %s is found out, and its ops are asked for instead', async (_what, code, change) => {
    const { victim, honest } = await openVictim();
    const { offer, stranger } = await openLiar(victim, honest);
    offer(change);
    await until('told', () => alarmsOf(victim, code).length > 0);
    await stranger.hears('want');
    expect(victim.appliance.books.counts().products).toBe(0);
    expect((await victim.run(sale('sold-on'))).ok).toBe(true);
  });

  test('signed by another is not looked at', async () => {
    const { victim, honest } = await openVictim();
    const { offer, stranger } = await openLiar(victim, honest);
    offer((manifest) => manifest, await makeSomeone());
    await until('told', () => alarmsOf(victim, 'snapshot_forged').length > 0);
    await stranger.hears('want');
    expect(stranger.messages.some(({ type }) => type === 'snapshot_chunks')).toBe(false);
  });

  test('by silence, as an older version is, is asked for ops', async () => {
    const victim = await openAppliance('Cellar');
    const stranger = await enter(victim, { heads: { [`${'a'.repeat(26)}.1`]: enough } });
    await stranger.hears('snapshot_request');
    await stranger.hears('want');
    expect(stranger.messages.filter(({ type }) => type === 'snapshot_request')).toHaveLength(1);
  });

  test('about making one, and comes no further with it, is asked for ops', async () => {
    const victim = await openAppliance('Cellar');
    const stranger = await enter(victim, { heads: { [`${'a'.repeat(26)}.1`]: enough } });
    await stranger.hears('snapshot_request');
    const timer = setInterval(() => stranger.send({ type: 'snapshot_making', bytes: 9, bytesDone: 1 }), 50);
    onTestFinished(() => clearInterval(timer));
    await stranger.hears('want');
    expect(victim.log.filter(({ facts }) => facts.reason === 'it does not come on with making it')).toHaveLength(1);
  });

  test('of another version of the tables is asked for ops, without an alarm', async () => {
    const { victim, honest } = await openVictim();
    const { offer, stranger } = await openLiar(victim, honest);
    offer((manifest) => ({ ...manifest, schema: `${manifest.schema} 1895132800000` }));
    await stranger.hears('want');
    expect(alarmsOf(victim)).toEqual([]);
  });
});

const raised = (heads: Heads): Heads =>
  Object.fromEntries(Object.entries(heads).map(([origin, number]) => [origin, number + 1000]));

/** Between the copying and the hashing: the hashes are right, the books are not. */
function alteringBetween(sql: string): Bulk {
  let isDone = false;
  return {
    ...systemBulk,
    open(path, mode) {
      const real = systemBulk.open(path, mode);
      return {
        ...real,
        read(offset, bytes, done) {
          if (!isDone && path.endsWith('.snapshot')) {
            isDone = true;
            const database = new Sqlite(path);
            const { changes } = database.prepare(sql).run();
            database.close();
            if (changes === 0) throw new Error('nothing was altered');
          }
          real.read(offset, bytes, done);
        },
      };
    },
  };
}

/** A digest's sum with one row's term exchanged for another. */
function moved(sum: string, before: string, after: string): string {
  const term = (text: string): bigint =>
    [...Buffer.from(text, 'hex')].reduce((value, byte, index) => value + (BigInt(byte) << BigInt(8 * index)), 0n);
  const words = sum.match(/.{8}/g) ?? [];
  const value = words.reduce((total, word, index) => total + (BigInt(`0x${word}`) << BigInt(32 * index)), 0n);
  const next = (((value - term(before) + term(after)) % 2n ** 256n) + 2n ** 256n) % 2n ** 256n;
  return words
    .map((_word, index) => ((next >> BigInt(32 * index)) & 0xffffffffn).toString(16).padStart(8, '0'))
    .join('');
}
