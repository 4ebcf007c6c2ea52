// What is IndexedDB's own among the media of the outbox: a browser closes databases, fills disks and deletes what it likes.

import { describe, expect, test } from 'vitest';
import { createIndexedDbMedium } from '../../src/client/indexed-db-medium.ts';
import type { Entry, OutboxMedium } from '../../src/client/outbox-medium.ts';
import { createFakeIndexedDb } from './fake-indexed-db.ts';

const rejection = { code: 'malformed', detail: 'A line is odd.', rejectedAt: 7, isFinal: true };
const ticket = (id: string) => ({ id, lines: [{ name: 'Tea "hot"\n' }] });
const idsOf = (entries: readonly Entry[]) => entries.map((entry) => entry.ticket.id);
let keyCount = 0;
const createKey = () => `key-${++keyCount}`;

describe('B1 IndexedDB', () => {
  test('every write is on the disk before it counts', async () => {
    const factory = createFakeIndexedDb();
    const medium = createIndexedDbMedium(factory, 'tillmesh', createKey);
    const [a] = await medium.add([ticket('a')]);
    await medium.reject(a?.key ?? '', rejection);
    await medium.renew(a?.key ?? '', ticket('a'));
    await medium.remove(a?.key ?? '');
    // What is gone is not written down again.
    await medium.reject(a?.key ?? '', rejection);
    expect(factory.rowCount()).toBe(1);
    const writes = factory.durabilities.filter((durability) => durability !== 'readonly');
    expect(writes).toEqual(['strict', 'strict', 'strict', 'strict', 'strict']);
  });

  test('a database that the browser has closed is opened again', async () => {
    const factory = createFakeIndexedDb();
    const medium = createIndexedDbMedium(factory, 'tillmesh', createKey);
    await medium.add([ticket('a')]);
    factory.closeAll();
    await medium.add([ticket('b')]);
    expect(idsOf(await medium.load())).toEqual(['a', 'b']);
    expect(factory.openCount()).toBe(1);
  });

  test('deleted while a page has it open: what the page knows is there again, and no key means another entry', async () => {
    const factory = createFakeIndexedDb();
    const medium = createIndexedDbMedium(factory, 'tillmesh', createKey);
    const [a] = await medium.add([ticket('a')]);
    const [refused] = await medium.add([ticket('refused')]);
    await medium.reject(refused?.key ?? '', rejection);
    factory.deleteAll();
    const [b] = await medium.add([ticket('b')]);
    expect(await medium.load()).toEqual([a, { ...refused, rejection }, b]);
    await medium.remove(a?.key ?? '');
    expect(idsOf(await medium.load())).toEqual(['refused', 'b']);
  });

  test('deleted while two pages have it open: what they know is there again, once', async () => {
    const factory = createFakeIndexedDb();
    const [one, two] = [1, 2].map(() => createIndexedDbMedium(factory, 'tillmesh', createKey)) as [
      OutboxMedium,
      OutboxMedium,
    ];
    const [a] = await one.add([ticket('a')]);
    await two.load();
    await two.add([ticket('b')]);
    factory.deleteAll();
    await one.add([ticket('c')]);
    await two.add([ticket('d')]);
    expect(idsOf(await one.load()).sort()).toEqual(['a', 'b', 'c', 'd']);
    // The place of an entry is another one's by now, for a page that has not read since.
    await two.remove(a?.key ?? '');
    expect(idsOf(await one.load()).sort()).toEqual(['b', 'c', 'd']);
  });

  test('one failure is tried once more, all or nothing; a full disk is told', async () => {
    const factory = createFakeIndexedDb();
    const medium = createIndexedDbMedium(factory, 'tillmesh', createKey);
    factory.failNextCommit();
    await medium.add([ticket('a'), ticket('b')]);
    expect(idsOf(await medium.load())).toEqual(['a', 'b']);
    factory.failNextCommit();
    factory.failNextCommit();
    await expect(medium.add([ticket('c')])).rejects.toThrow('full');
    expect(idsOf(await medium.load())).toEqual(['a', 'b']);
  });
});
