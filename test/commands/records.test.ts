// The verbs on records as pure decisions: merge patches, imports, conflicts settled. The books are one record by hand.

import { describe, expect, test } from 'vitest';
import { importRecord, isImportNewer } from '../../src/commands/import-record.ts';
import { mergePatch, patchRecord } from '../../src/commands/patch-record.ts';
import { putRecord } from '../../src/commands/put-record.ts';
import { resolveConflict } from '../../src/commands/resolve-conflict.ts';
import type { Books, ConflictRow, ConflictSide, RecordRow } from '../../src/core/books.ts';
import type { Command, CommandContext } from '../../src/core/command.ts';
import type { JsonObject } from '../../src/core/json.ts';

const row = (fields: JsonObject, more: Partial<RecordRow> = {}): RecordRow => ({
  entity: 'product',
  id: 'p-1',
  fields,
  names: Object.keys(fields),
  rivals: [],
  deleted: false,
  version: 'v1',
  createdAt: 1000,
  updatedAt: 2000,
  origin: 'replica',
  seen: { 'replica.1': 7 },
  ...more,
});

function contextWith(record: RecordRow | undefined): CommandContext {
  const books = { record: () => record } as unknown as Books;
  return { books, replicaId: 'replica', clockMs: 5000, meshMs: 6000, sha256Hex: (text) => text, newId: () => 'new-id' };
}

/** Payloads and what they have seen, or the code of the failure. */
function drafts<Result>(command: Command<Result>, record: RecordRow | undefined) {
  const decision = command(contextWith(record));
  return decision.ok ? decision.drafts.map(({ id, seen, payload }) => ({ id, seen, ...payload })) : decision.code;
}

describe('what an edit writes', () => {
  test('a new record: its members, when it was made, and that it has seen nothing', () => {
    const put = putRecord({ entity: 'product', document: { name: 'A', barcodes: [] }, by: 'admin', mode: 'create' });
    expect(drafts(put, undefined)).toEqual([
      { id: 'new-id', seen: {}, set: { '/name': 'A', createdAt: 6000 }, by: 'admin' },
    ]);
  });

  test('only what it changes, after what it has seen', () => {
    const put = putRecord({ entity: 'product', id: 'p-1', document: { name: 'A', price: 2 }, by: 't', mode: 'put' });
    const record = row({ '/name': 'A', '/price': 1, '/sku': 'S' });
    expect(drafts(put, record)).toEqual([
      { id: 'p-1', seen: { 'replica.1': 7 }, set: { '/price': 2, '/sku': null }, by: 't' },
    ]);
    expect(drafts(patchRecord({ entity: 'product', id: 'p-1', patch: { price: 1 }, by: 't' }), record)).toEqual([]);
  });

  test('a deleted record comes back with what is sent and no more', () => {
    const put = putRecord({ entity: 'product', id: 'p-1', document: { name: 'A' }, by: 't', mode: 'put' });
    const record = row({ '/name': 'A', '/price': 1 }, { deleted: true });
    expect(drafts(put, record)).toMatchObject([{ set: { '/price': null, deleted: false } }]);
  });
});

describe('JSON Merge Patch (RFC 7396, appendix A)', () => {
  test.each<[JsonObject, JsonObject, JsonObject]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j', (target, patch, expected) => {
    expect(mergePatch(target, patch)).toEqual(expected);
  });
});

describe('imports', () => {
  test.each<[string, number | null, number | null, boolean]>([
    ['no stamp here: the import wins', null, 5, true],
    ['no stamp there: ours stays', 5, null, false],
    ['both: theirs is newer', 5, 6, true],
    ['both: ours is newer', 6, 5, false],
    ['both the same: ours stays', 5, 5, false],
    ['neither: ours stays', null, null, false],
  ])('%s', (_name, ours, theirs, wins) => {
    expect(isImportNewer(ours, theirs)).toBe(wins);
  });

  const importing = (updatedAt: number | null, name = 'B') =>
    importRecord({ entity: 'product', id: 'p-1', document: { name }, updatedAt, by: 'admin' });

  test('a record that is not here is taken in, with what it says of its age', () => {
    expect(drafts(importing(900), undefined)).toMatchObject([{ set: { '/name': 'B', importedAt: 900 } }]);
    expect(drafts(importing(null), undefined)).toMatchObject([{ set: { importedAt: 'unknown' } }]);
  });

  test('an edit made here counts from when it was made; an import from when it says', () => {
    const edited = row({ '/name': 'A' });
    expect([drafts(importing(1999), edited), drafts(importing(null), edited)]).toEqual([[], []]);
    expect(drafts(importing(2001), edited)).toMatchObject([{ set: { '/name': 'B', importedAt: 2001 } }]);
    const imported = row({ '/name': 'A', importedAt: 900 });
    expect(drafts(importing(901), imported)).toMatchObject([{ set: { '/name': 'B', importedAt: 901 } }]);
    expect(drafts(importing(900), imported)).toEqual([]);
    expect(drafts(importing(1, 'C'), row({ '/name': 'A', importedAt: 'unknown' }))).toMatchObject([
      { set: { '/name': 'C' } },
    ]);
  });

  test('an edit after an import counts as an edit again', () => {
    const patch = patchRecord({ entity: 'product', id: 'p-1', patch: { name: 'C' }, by: 't' });
    expect(drafts(patch, row({ '/name': 'A', importedAt: 900 }))).toMatchObject([
      { set: { '/name': 'C', importedAt: null } },
    ]);
  });
});

describe('B6 settling a conflict', () => {
  const side = (values: JsonObject): ConflictSide => ({ origin: 'o', number: 1, stamp: '0'.repeat(16), at: 0, values });
  const conflict: ConflictRow = {
    id: 'x',
    entity: 'product',
    recordId: 'p-1',
    kind: 'field',
    fields: ['/name', '/price'],
    winner: side({ '/name': 'W', '/price': 2 }),
    loser: side({ '/name': 'L', '/price': null }),
    strategy: 'latest_edit',
    detectedAt: 0,
    notes: null,
    resolvedAt: null,
    resolvedBy: null,
  };
  const settle = (more: object) =>
    drafts(resolveConflict({ conflict, choose: 'winner', by: 'admin', ...more }), row({ '/name': 'W', '/price': 2 }));

  test('every contested field is written, also with the value it has', () => {
    const resolves = { conflict: 'x', choose: 'winner', notes: '' };
    expect(settle({})).toEqual([
      { id: 'p-1', seen: { 'replica.1': 7 }, set: { '/name': 'W', '/price': 2 }, by: 'admin', resolves },
    ]);
    expect(settle({ choose: 'loser', notes: 'n' })).toMatchObject([
      { set: { '/name': 'L', '/price': null }, resolves: { notes: 'n' } },
    ]);
  });

  test('fields can be given; what is not given stays as it won; null takes away', () => {
    expect(settle({ choose: 'fields', fields: { '/price': 5 } })).toMatchObject([
      { set: { '/name': 'W', '/price': 5 } },
    ]);
    expect(settle({ choose: 'fields', fields: { '/price': null } })).toMatchObject([
      { set: { '/name': 'W', '/price': null } },
    ]);
    expect(settle({ choose: 'fields', fields: { '/sku': 'S' } })).toBe('field_not_contested');
  });

  test('what is settled stays so; documents cannot be made one', () => {
    expect(settle({ conflict: { ...conflict, resolvedAt: 1, resolvedBy: 'system' } })).toBe('conflict_resolved');
    expect(settle({ conflict: { ...conflict, kind: 'rival', entity: 'ticket' } })).toBe('conflict_of_facts');
  });
});
