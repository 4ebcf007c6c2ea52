// What comes in wrong: each gets a clear error, loses nothing, and stops nobody else. B7: a ticket that is refused is so
// for its form alone.

import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { bodyBytesMax } from '../../src/core/limits.ts';
import { createOpenDatabase } from '../../src/edges/system.ts';
import type { OpenDatabase } from '../../src/ports.ts';
import { openShop, type TestShop } from './appliance.ts';

const tickets = '/api/v1/tickets';

const sent = (shop: TestShop, raw: string | Uint8Array, headers: Record<string, string> = {}) =>
  shop.ask('POST', tickets, undefined, { raw, headers });

/** Status, code and the pointers at fault. */
const refusal = ({ status, json }: { status: number; json: { code?: string; errors?: { pointer: string }[] } }) => [
  status,
  json.code,
  ...(json.errors ?? []).map(({ pointer }) => pointer),
];

describe('a body', () => {
  test.each<[string, string, (string | number)[]]>([
    ['that is not JSON', '{"id": t-1}', [400, 'not_json', '/id']],
    ['that ends too early', '{"id": "t-1"', [400, 'not_json', '']],
    ['that goes on too long', '{"id": "t-1"} x', [400, 'not_json', '']],
    ['that is empty', '', [400, 'not_json', '']],
    ['that is no object', '[1]', [400, 'malformed', '']],
    ['that is null', 'null', [400, 'malformed', '']],
    ['with a member twice (CVE-2017-12635)', '{"id":"t-1","total":1,"total":2}', [400, 'member_repeated', '/total']],
    ['with a member twice, once in disguise', '{"total":1,"t\\u006ftal":2}', [400, 'member_repeated', '/total']],
    [
      'with __proto__',
      '{"attributes":{"__proto__":{"admin":true}}}',
      [400, 'member_forbidden', '/attributes/__proto__'],
    ],
    ['with constructor', '{"constructor":{"prototype":{}}}', [400, 'member_forbidden', '/constructor']],
    ['with 1e309', '{"total":1e309}', [400, 'number_not_exact', '/total']],
    ['with 2^53', '{"total":9007199254740992}', [400, 'number_not_exact', '/total']],
    ['with 2^53+1 in an unknown member', '{"x":[9007199254740993]}', [400, 'number_not_exact', '/x/0']],
    ['with -0', '{"lines":[{"quantity":-0}]}', [400, 'number_not_exact', '/lines/0/quantity']],
    ['with NaN', '{"total":NaN}', [400, 'not_json', '/total']],
    ['with 1e-400', '{"total":1e-400}', [400, 'number_not_exact', '/total']],
    ['with half a surrogate', '{"number":"\\ud83d"}', [400, 'text_not_exact', '/number']],
    ['with NUL', '{"number":"a\\u0000b"}', [400, 'text_not_exact', '/number']],
  ])('%s is told where it is wrong', async (_name, raw, expected) => {
    const shop = openShop();
    const reply = await sent(shop, raw);
    expect(refusal(reply)).toEqual(expected);
    expect(reply.headers.get('content-type')).toBe('application/problem+json');
    expect(reply.json.detail.length).toBeGreaterThan(20);
    expect(shop.appliance.books.counts().tickets).toBe(0);
  });

  test('D1 nothing reaches a prototype', async () => {
    const shop = openShop();
    await shop.ask('PUT', '/api/v1/products/p-1', { name: 'x' });
    const raw = '{"attributes":{"__proto__":{"admin":true}}}';
    expect((await shop.ask('PATCH', '/api/v1/products/p-1', undefined, { raw })).status).toBe(400);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('nested deeper than anybody needs', async () => {
    const shop = openShop();
    const nested = (depth: number) => `{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect((await sent(shop, nested(31))).status).toBe(201);
    expect((await sent(shop, nested(32))).json.code).toBe('too_deep');
    expect((await sent(shop, nested(400_000))).json.code).toBe('too_deep');
  });

  test('with half a UTF-8 sequence', async () => {
    const shop = openShop();
    const bytes = new Uint8Array([
      ...new TextEncoder().encode('{"number":"caf'),
      0xc3,
      ...new TextEncoder().encode('"}'),
    ]);
    expect(refusal(await sent(shop, bytes))).toEqual([400, 'not_utf8']);
  });

  test('with a byte order mark is read', async () => {
    expect((await sent(openShop(), '\ufeff{"id":"t-1"}')).status).toBe(201);
  });

  test('E1 too large, declared or not, is a 413', async () => {
    const shop = openShop();
    const raw = JSON.stringify({ id: 't-1', note: 'x'.repeat(bodyBytesMax) });
    expect(refusal(await sent(shop, raw))).toEqual([413, 'body_too_large']);
    const declared = await sent(shop, '{}', { 'Content-Length': '104857600' });
    expect(refusal(declared)).toEqual([413, 'body_too_large']);
    expect(declared.headers.get('connection')).toBe('close');
  });

  test('E1 a stream without end is read no further than the limit', async () => {
    const shop = openShop();
    let pulled = 0;
    const raw = new ReadableStream({
      pull(controller) {
        pulled += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(32));
      },
    });
    expect((await shop.ask('POST', tickets, undefined, { raw })).status).toBe(413);
    expect(pulled).toBeLessThan(bodyBytesMax * 1.5);
  });

  test('that would grow past the limit when it is written out', async () => {
    const shop = openShop();
    const raw = `{"x":[${Array(150_000).fill('1e15').join(',')}]}`;
    expect(refusal(await sent(shop, raw))).toEqual([413, 'body_too_large']);
    const batch = await shop.ask('POST', '/api/v1/tickets/batch', undefined, { raw: `{"items":[${raw},{}]}` });
    expect(batch.json.data.map((item: { status: number }) => item.status)).toEqual([413, 201]);
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=latin1',
    '',
  ])('A4 A5 sent as "%s" is a 415', async (type) => {
    const reply = await sent(openShop(), '{}', { 'Content-Type': type });
    expect(refusal(reply)).toEqual([415, 'media_type_unsupported']);
  });

  test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset="UTF-8"'])(
    'sent as "%s" is read',
    async (type) => {
      expect((await sent(openShop(), '{}', { 'Content-Type': type })).status).toBe(201);
    },
  );

  test('E3 compressed is a 415', async () => {
    expect(refusal(await sent(openShop(), '{}', { 'Content-Encoding': 'gzip' }))).toEqual([
      415,
      'encoding_unsupported',
    ]);
  });

  test('a merge patch is for PATCH alone', async () => {
    const reply = await sent(openShop(), '{}', { 'Content-Type': 'application/merge-patch+json' });
    expect(reply.status).toBe(415);
  });
});

describe('a ticket is malformed', () => {
  test.each<[string, object, string]>([
    ['a float for money', { total: 1.5 }, '/total'],
    ['money beyond all money', { total: 1e13 }, '/total'],
    ['money as a text', { payments: [{ amount: '5.00' }] }, '/payments/0/amount'],
    ['4 decimals of quantity', { lines: [{ quantity: 1.2345 }] }, '/lines/0/quantity'],
    ['a quantity beyond all stock', { lines: [{ quantity: 2e9 }] }, '/lines/0/quantity'],
    ['a quantity as a text', { lines: [{}, { quantity: '1' }] }, '/lines/1/quantity'],
    ['a tax rate that is no basis points', { lines: [{ taxRate: 5.5 }] }, '/lines/0/taxRate'],
    ['a currency that is a sign', { currency: '€' }, '/currency'],
    ['a kind that is none', { kind: 'gift' }, '/kind'],
    ['lines that are no list', { lines: {} }, '/lines'],
    ['a line that is none', { lines: [17] }, '/lines/0'],
    ['a time without its zone', { soldAt: '2026-11-20T10:00:00' }, '/soldAt'],
    ['a day that is none', { soldAt: '2026-02-30T10:00:00Z' }, '/soldAt'],
    ['a time as a number', { soldAt: 1763631000 }, '/soldAt'],
    ['an id with odd characters', { id: 'a/b' }, '/id'],
    ['an id that is a number', { id: 5 }, '/id'],
    ['an id of 65 characters', { id: 'x'.repeat(65) }, '/id'],
    ['a customer that is a number', { customerId: 17850 }, '/customerId'],
    ['attributes that are a list', { attributes: [] }, '/attributes'],
  ])('%s', async (_name, ticket, pointer) => {
    const shop = openShop();
    expect(refusal(await shop.ask('POST', tickets, ticket))).toEqual([400, 'malformed', pointer]);
    expect(shop.appliance.books.counts().tickets).toBe(0);
  });

  test('with 100,000 lines', async () => {
    const shop = openShop();
    const reply = await shop.ask('POST', tickets, { lines: Array(100_000).fill({}) });
    expect(refusal(reply)).toEqual([400, 'malformed', '/lines']);
    const large = await shop.ask('POST', tickets, { lines: Array(100_000).fill({ name: 'Bread' }) });
    expect(refusal(large)).toEqual([413, 'body_too_large']);
    expect((await shop.ask('POST', tickets, { lines: Array(5000).fill({ name: 'Bread' }) })).status).toBe(201);
  });

  test('errors are told, at most twenty of them', async () => {
    const reply = await openShop().ask('POST', tickets, { lines: Array(1000).fill({ quantity: 'x', total: 'y' }) });
    expect(reply.json.errors).toHaveLength(20);
    expect(reply.json.detail).toContain('1999 more');
  });
});

describe('an address', () => {
  test.each(['a%2Fb', 'a%20b', '%00', '..%2f..', 'caf%C3%A9', 'x'.repeat(65), 'a%ZZ'])(
    'with the id %s is a 400 that names the rule',
    async (id) => {
      const shop = openShop();
      const replies = [
        await shop.ask('GET', `/api/v1/products/${id}`),
        await shop.ask('PUT', `/api/v1/products/${id}`, {}),
        await shop.ask('PUT', `/api/v1/tickets/${id}`, {}),
        await shop.ask('GET', `/api/v1/stock/${id}`),
      ];
      for (const reply of replies) {
        expect(refusal(reply).slice(0, 2)).toEqual([400, 'id_malformed']);
        expect(reply.json.detail).toContain('1 to 64');
      }
    },
  );

  test.each(['limit=0', 'limit=1001', 'limit=x', 'limit=-1', 'limit=1.5', 'archived=maybe'])(
    'with %s is a 400',
    async (query) => {
      expect(refusal(await openShop().ask('GET', `/api/v1/products?${query}`)).slice(0, 2)).toEqual([
        400,
        'query_malformed',
      ]);
    },
  );

  test.each(['from=yesterday', 'to=2026-13-01', 'from=2026-11-20T10:00:00'])('with %s is a 400', async (query) => {
    expect((await openShop().ask('GET', `/api/v1/tickets?${query}`)).json.code).toBe('query_malformed');
  });

  test.each(['wait=long', 'wait=-1', 'entities=product,secrets', 'limit=5000'])(
    'of the feed with %s is a 400',
    async (query) => {
      expect((await openShop().ask('GET', `/api/v1/changes?${query}`)).json.code).toBe('query_malformed');
    },
  );

  test.each([
    '/api/v2/products',
    '/api/v1/nothing',
    '/api',
    '/api/v1/products/',
    '//api/v1/products',
    '/wp-login.php',
    '/api/v1/products/p-1/x',
  ])('that is none, %s, is a 404 in the form of all errors', async (path) => {
    const reply = await openShop().ask('GET', path);
    expect(refusal(reply)).toEqual([404, 'route_unknown']);
    expect(reply.headers.get('content-type')).toBe('application/problem+json');
  });

  test('another method is a 405 that names those it takes', async () => {
    const reply = await openShop().ask('DELETE', '/api/v1/products');
    expect(refusal(reply)).toEqual([405, 'method_not_allowed']);
    expect(reply.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS');
  });

  test('an Idempotency-Key that is none is refused', async () => {
    for (const key of ['', 'a b', 'é', 'x'.repeat(256)]) {
      const reply = await openShop().ask(
        'POST',
        tickets,
        {},
        { headers: { 'Idempotency-Key': encodeURI(key) === key ? key : 'a b' } },
      );
      expect(refusal(reply)).toEqual([400, 'header_malformed']);
    }
  });
});

describe('F12 errors say nothing of the inside', () => {
  test('a mistake of ours is a 500 without its cause, which the log has', async () => {
    const shop = openShop();
    const { books } = shop.appliance;
    Object.assign(books, {
      stock() {
        throw new Error('SELECT secrets FROM /var/lib');
      },
    });
    const reply = await shop.ask('GET', '/api/v1/stock/p-1');
    expect(refusal(reply)).toEqual([500, 'internal']);
    expect(reply.text).not.toMatch(/SELECT|\/var|at |stack/);
    expect(JSON.stringify(shop.log)).toContain('SELECT secrets');
  });

  test('a disk that fails is a 503 for reads and writes, without its path; the till may come again', async () => {
    const disk = failingDisk();
    const shop = openShop({ ports: { openDatabase: disk.openDatabase } });
    const { token } = await shop.makeTill();
    disk.fail();
    const unknown = await shop.ask('POST', tickets, { id: 't-1' });
    expect(refusal(unknown)).toEqual([503, 'outcome_unknown']);
    const write = await shop.ask('POST', tickets, { id: 't-1' });
    const read = await shop.ask('GET', '/api/v1/products', undefined, { token });
    const ready = await shop.ask('GET', '/readyz', undefined, { token: null });
    expect([write, read, ready].map(({ json }) => json.code)).toEqual([
      'storage_unavailable',
      'not_ready',
      'not_ready',
    ]);
    for (const reply of [unknown, write, read, ready]) {
      expect(reply.status).toBe(503);
      expect(reply.headers.get('retry-after')).toBe('2');
      expect(reply.text).not.toContain(shop.folder);
    }
    expect((await shop.ask('GET', '/healthz')).status).toBe(200);
  });
});

/** A real database whose commits and openings fail from some moment on. */
function failingDisk() {
  let isFailing = false;
  const open = createOpenDatabase();
  const failing = (code: string) => new Database.SqliteError('made to fail', code);
  const openDatabase: OpenDatabase = (path, options) => {
    if (isFailing) throw failing('SQLITE_CANTOPEN');
    const database = open(path, options);
    const prepare = database.prepare.bind(database);
    database.prepare = ((sql: string) => {
      const statement = prepare(sql);
      if (sql !== 'COMMIT') return statement;
      const run = statement.run.bind(statement);
      statement.run = (...values: unknown[]) => {
        if (isFailing) throw failing('SQLITE_IOERR_FSYNC');
        return run(...values);
      };
      return statement;
    }) as typeof database.prepare;
    return database;
  };
  return {
    openDatabase,
    fail: () => {
      isFailing = true;
    },
  };
}
