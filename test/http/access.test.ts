// Who may do what: every route that the appliance describes, with every kind of credential. What is expected follows from
// the access that the description states, and each route's access stands here by hand, so that a new one is not forgotten.

import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/edges/system.ts';
import { adminToken, openShop, type TestShop } from './appliance.ts';
import { claimed, type LoggedIn, logIn } from './people.ts';

type Access = 'public' | 'read' | 'terminal' | 'admin';

/** A new route is entered here by hand: who may use it is decided by a person. */
const accessByRoute: Readonly<Record<string, Access>> = {
  'GET /': 'public',
  'GET /certificate.pem': 'public',
  'GET /healthz': 'public',
  'GET /openapi.json': 'public',
  'GET /readyz': 'public',
  'GET /version': 'public',
  'POST /api/v1/claim': 'public',
  'POST /api/v1/session': 'public',

  'DELETE /api/v1/session': 'read',
  'GET /api/sync/poll': 'read',
  'GET /api/sync/status': 'read',
  'GET /api/v1/appliances': 'read',
  'GET /ws': 'read',
  'GET /api/v1/changes': 'read',
  'GET /api/v1/customers': 'read',
  'GET /api/v1/customers/{id}': 'read',
  'GET /api/v1/digest': 'read',
  'GET /api/v1/gossip/info': 'read',
  'GET /api/v1/p2p/stats': 'read',
  'GET /api/v1/p2p/status': 'read',
  'GET /api/v1/products': 'read',
  'GET /api/v1/products/{id}': 'read',
  'GET /api/v1/session': 'read',
  'GET /api/v1/stock': 'read',
  'GET /api/v1/stock/movements': 'read',
  'GET /api/v1/stock/{productId}': 'read',
  'GET /api/v1/tickets': 'read',
  'GET /api/v1/tickets/{id}': 'read',
  'PUT /api/v1/password': 'read',

  'DELETE /api/v1/customers/{id}': 'terminal',
  'POST /api/sync/send': 'terminal',
  'DELETE /api/v1/products/{id}': 'terminal',
  'PATCH /api/v1/customers/{id}': 'terminal',
  'PATCH /api/v1/products/{id}': 'terminal',
  'POST /api/v1/customers': 'terminal',
  'POST /api/v1/customers/batch': 'terminal',
  'POST /api/v1/products': 'terminal',
  'POST /api/v1/products/batch': 'terminal',
  'POST /api/v1/stock/movements': 'terminal',
  'POST /api/v1/tickets': 'terminal',
  'POST /api/v1/tickets/batch': 'terminal',
  'PUT /api/v1/customers/{id}': 'terminal',
  'PUT /api/v1/products/{id}': 'terminal',
  'PUT /api/v1/tickets/{id}': 'terminal',

  'DELETE /api/v1/peers/{id}': 'admin',
  'POST /api/sync/broadcast': 'admin',
  'DELETE /api/v1/join': 'admin',
  'POST /api/v1/join': 'admin',
  'POST /api/v1/join-codes': 'admin',
  'GET /api/v1/shop-key': 'admin',
  'POST /api/v1/shop-key': 'admin',
  'POST /api/v1/identity/renew': 'admin',
  'DELETE /api/v1/terminals/{id}': 'admin',
  'DELETE /api/v1/users/{name}': 'admin',
  'GET /api/v1/conflicts': 'admin',
  'GET /api/v1/conflicts/{id}': 'admin',
  'GET /api/v1/gossip/items/changes': 'admin',
  'GET /api/v1/peers': 'admin',
  'GET /api/v1/sync/history': 'admin',
  'GET /api/v1/terminals': 'admin',
  'GET /api/v1/users': 'admin',
  'PATCH /api/v1/peers/{id}': 'admin',
  'POST /api/v1/admin-token': 'admin',
  'POST /api/v1/conflicts/{id}/resolve': 'admin',
  'POST /api/v1/gossip/items/batch': 'admin',
  'POST /api/v1/gossip/sync': 'admin',
  'POST /api/v1/p2p/reconnect': 'admin',
  'POST /api/v1/p2p/toggle': 'admin',
  'POST /api/v1/peers': 'admin',
  'POST /api/v1/peers/{id}/sync': 'admin',
  'POST /api/v1/terminals': 'admin',
  'POST /api/v1/users': 'admin',
};

/** What comes in, and what it may do once it is known to be good. */
type Kind = {
  readonly name: string;
  readonly may: readonly Access[];
  /** Known, but not let in for this: 403 in place of 401 where it may not. */
  readonly isKnown: boolean;
  readonly headers: (cast: Cast, method: string) => Record<string, string>;
};

type Cast = {
  readonly terminal: string;
  readonly readOnly: string;
  readonly revoked: string;
  readonly person: LoggedIn;
  readonly looker: LoggedIn;
  readonly gone: LoggedIn;
};

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const all: readonly Access[] = ['public', 'read', 'terminal', 'admin'];

const kinds: readonly Kind[] = [
  { name: 'nobody', may: ['public'], isKnown: false, headers: () => ({}) },
  { name: 'a garbage token', may: ['public'], isKnown: false, headers: () => bearer('till_garbage') },
  {
    name: 'Basic',
    may: ['public'],
    isKnown: false,
    headers: () => ({ Authorization: `Basic ${btoa(`admin:${adminToken}`)}` }),
  },
  { name: 'a revoked terminal', may: ['public'], isKnown: false, headers: ({ revoked }) => bearer(revoked) },
  { name: 'a read-only terminal', may: ['public', 'read'], isKnown: true, headers: ({ readOnly }) => bearer(readOnly) },
  {
    name: 'a terminal',
    may: ['public', 'read', 'terminal'],
    isKnown: true,
    headers: ({ terminal }) => bearer(terminal),
  },
  { name: 'an admin token', may: all, isKnown: true, headers: () => bearer(adminToken) },
  { name: 'an admin’s session with its CSRF token', may: all, isKnown: true, headers: ({ person }) => person.withCsrf },
  {
    name: 'a read-only session with its CSRF token',
    may: ['public', 'read'],
    isKnown: true,
    headers: ({ looker }) => looker.withCsrf,
  },
  { name: 'an expired session', may: ['public'], isKnown: false, headers: ({ gone }) => gone.withCsrf },
  {
    name: 'an expired session beside a good token',
    may: all,
    isKnown: true,
    headers: ({ gone }) => ({ ...gone.withCsrf, ...bearer(adminToken) }),
  },
  {
    name: 'an admin’s session beside a garbage token',
    may: ['public'],
    isKnown: false,
    headers: ({ person }) => ({ ...person.withCsrf, ...bearer('garbage') }),
  },
];

/** The rule of the table. 0: passed the door, whatever comes then. */
const expected = (access: Access, { may, isKnown }: Kind): number => (may.includes(access) ? 0 : isKnown ? 403 : 401);

type Operation = { 'x-access': Access; security: object[] };
type Described = { method: string; path: string; operation: Operation };

describe('B10 every route with every kind of credential', () => {
  let shop: TestShop;
  let cast: Cast;
  let operations: Described[];
  let laterMs = 0;

  async function setUp(): Promise<void> {
    laterMs = 0;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + laterMs };
    shop = openShop({ http: { clock } });
    const gone = await claimed(shop);
    laterMs = 8 * 24 * 3_600_000;
    const revoked = await shop.makeTill('Revoked');
    await shop.ask('DELETE', `/api/v1/terminals/${revoked.id}`);
    await shop.ask('POST', '/api/v1/users', { name: 'looker', password: 'may look, no more', role: 'read-only' });
    const readOnly = (await shop.ask('POST', '/api/v1/terminals', { name: 'Screen', role: 'read-only' })).json;
    cast = {
      terminal: (await shop.makeTill()).token,
      readOnly: readOnly.token,
      revoked: revoked.token,
      person: await logIn(shop),
      looker: await logIn(shop, 'looker', 'may look, no more'),
      gone,
    };
    const { json } = await shop.ask('GET', '/openapi.json', undefined, { token: null });
    operations = Object.entries(json.paths as Record<string, Record<string, Operation>>).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    );
  }

  async function statusOf({ method, path }: Described, headers: Record<string, string>): Promise<number> {
    const body = method === 'GET' || method === 'DELETE' ? undefined : {};
    const reply = await shop.ask(method, path.replace(/\{\w+\}/g, 'x'), body, { token: null, headers });
    return [401, 403].includes(reply.status) ? reply.status : 0;
  }

  test('the description states the access that was decided here by hand', async () => {
    await setUp();
    const described = operations.map(({ method, path, operation }) => [`${method} ${path}`, operation['x-access']]);
    expect(Object.fromEntries(described)).toEqual(accessByRoute);
    expect(described.length).toBe(Object.keys(accessByRoute).length);
    for (const { operation } of operations) {
      const schemes = operation['x-access'] === 'public' ? [] : [{ token: [] }, { session: [] }];
      expect(operation.security).toEqual(schemes);
    }
  });

  test.each(kinds.map((kind) => [kind.name, kind] as const))('%s', async (_name, kind) => {
    await setUp();
    const answered: Record<string, number> = {};
    const wanted: Record<string, number> = {};
    for (const described of operations) {
      const name = `${described.method} ${described.path}`;
      answered[name] = await statusOf(described, kind.headers(cast, described.method));
      wanted[name] = expected(described.operation['x-access'], kind);
      // Whoever could, has logged out.
      if (name === 'DELETE /api/v1/session') {
        cast = { ...cast, person: await logIn(shop), looker: await logIn(shop, 'looker', 'may look, no more') };
      }
    }
    expect(answered).toEqual(wanted);
  });

  test('an admin’s session without its CSRF token may read, and change nothing', async () => {
    await setUp();
    for (const described of operations) {
      if (described.operation['x-access'] === 'public') continue;
      const name = `${described.method} ${described.path}`;
      const wrong = { ...cast.person.cookie, 'X-CSRF-Token': cast.looker.csrfToken };
      const status = described.method === 'GET' ? 0 : 403;
      expect([name, await statusOf(described, cast.person.cookie)]).toEqual([name, status]);
      expect([name, await statusOf(described, wrong)]).toEqual([name, status]);
    }
  });
});
