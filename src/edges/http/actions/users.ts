// People who log in, and the shop's admin token: known to every appliance of the shop, and revoked on all of them.

import { z } from '@hono/zod-openapi';
import { makeUser } from '../../../commands/make-user.ts';
import { revokeUser } from '../../../commands/revoke-user.ts';
import { setAdminToken } from '../../../commands/set-admin-token.ts';
import { adminTokenUser } from '../../../commands/user-record.ts';
import { hashOf, tokenBytes, userToken } from '../credentials.ts';
import { userDocument } from '../documents.ts';
import { listAnswer } from '../lists.ts';
import { readBy } from '../reading.ts';
import { type Route, route } from '../route.ts';
import * as requests from '../schemas/requests.ts';
import { storedUser, user, userName } from '../schemas/users.ts';

const list = route({
  method: 'get',
  path: '/api/v1/users',
  access: 'admin',
  tag: 'Credentials',
  summary: 'List people who may log in',
  query: requests.page,
  answers: { 200: { description: 'A page, by name; never a hash.', schema: requests.listOf(storedUser) } },
  problems: ['query_malformed', 'cursor_malformed', 'cursor_of_another_list', 'cursor_of_another_shop'],
  run: ({ query }, room) =>
    listAnswer(room, 'users', query, (place) => room.appliance.books.records('user', place), userDocument),
});

const make = route({
  method: 'post',
  path: '/api/v1/users',
  access: 'admin',
  tag: 'Credentials',
  summary: 'Let somebody log in',
  description: 'A name that was revoked can be given again.',
  body: {
    schema: user,
    example: { name: 'ada', password: 'a long password of hers', role: 'read-only' },
    read: (json) => readBy(user, json),
  },
  answers: { 201: { description: 'Made.', schema: storedUser } },
  problems: ['malformed', 'id_reserved', 'user_exists', 'too_many_users', 'busy'],
  run: async ({ body, credential, execute }, room) => {
    const hashed = await room.passwords.hash(body.password);
    if (!hashed.ok) return hashed;
    const { name, role } = body;
    const outcome = await execute(makeUser({ name, role, passwordHash: hashed.hash, by: credential.id }));
    return outcome.ok ? { status: 201, json: userDocument(outcome.result.row) } : outcome;
  },
});

const byName = z.object({ name: userName.openapi({ param: { name: 'name', in: 'path' } }) });
const revoke = route({
  method: 'delete',
  path: '/api/v1/users/{name}',
  access: 'admin',
  tag: 'Credentials',
  summary: 'Shut somebody out',
  description: `At once here, and on every appliance as soon as it hears of it. "${adminTokenUser}" is the shop’s admin token.`,
  params: byName,
  answers: { 204: { description: 'Shut out, now or before.' } },
  problems: ['id_malformed', 'not_found', 'last_admin'],
  run: async ({ params, credential, execute }) => {
    const outcome = await execute(revokeUser({ name: params.name, by: credential.id }));
    return outcome.ok ? { status: 204 } : outcome;
  },
});

const makeAdminToken = route({
  method: 'post',
  path: '/api/v1/admin-token',
  access: 'admin',
  tag: 'Credentials',
  summary: 'Make the shop’s admin token',
  description: 'Shown in this answer and never again; good on every appliance, where the one before is good no longer.',
  body: { schema: z.object({}), example: {}, kind: 'optional', read: (json) => readBy(z.looseObject({}), json) },
  answers: {
    201: { description: 'Made.', schema: z.object({ token: z.string().openapi({ example: 'user_…' }) }) },
  },
  run: async ({ credential, execute }, room) => {
    const token = userToken(adminTokenUser, room.random.bytes(tokenBytes));
    const outcome = await execute(setAdminToken({ tokenHash: hashOf(token), by: credential.id }));
    return outcome.ok ? { status: 201, json: { token } } : outcome;
  },
});

export const userRoutes: readonly Route[] = [list, make, revoke, makeAdminToken];
