// Logging in and out with a browser, the first admin by claim code, and one's own password. Who guesses is slowed down by
// address; a wrong name takes as long as a wrong password, and is answered alike.

import { z } from '@hono/zod-openapi';
import { changePassword } from '../../../commands/change-password.ts';
import { claimedAlready, claimShop } from '../../../commands/claim-shop.ts';
import { hasAdmin, passwordHashOf, userAuthorMark, userRoleOf } from '../../../commands/user-record.ts';
import { type Failure, failure } from '../../../core/command.ts';
import { hashOf } from '../credentials.ts';
import type { Looked } from '../limiter.ts';
import type { Visit } from '../origins.ts';
import { readBy } from '../reading.ts';
import { type Answer, type Call, type Room, type Route, route } from '../route.ts';
import { newPassword, password, userName } from '../schemas/users.ts';
import { text } from '../schemas/values.ts';
import { timeText } from '../times.ts';

const shown = z
  .object({
    user: z.string(),
    role: z.enum(['admin', 'terminal', 'read-only']),
    csrfToken: z.string().nullable().openapi({ description: 'For the header X-CSRF-Token; null for a token.' }),
    expiresAt: z.string().nullable().openapi({ format: 'date-time', description: 'Later with every use.' }),
  })
  .openapi('Session');

const unknownAddress = 'unknown';
const loginFailed = failure('login_failed', 'Try again, or ask an admin of the shop for a new user.');

/** Opens a session for a person whose password was just checked; the one that was open here before ends. */
function openSession(room: Room, name: string, request: Request, visit: Visit): Answer {
  const { sessions, cookies } = room;
  const isTls = visit.isTls === true;
  const before = cookies.read(request.headers.get('cookie'), isTls);
  if (before !== undefined) sessions.close(before);
  const row = room.appliance.books.record('user', name);
  const { id, session } = sessions.open(name, hashOf(passwordHashOf(row) ?? ''));
  const role = row ? userRoleOf(row) : 'read-only';
  const json = { user: name, role, csrfToken: session.csrfToken, expiresAt: timeText(sessions.endsAt(session)) };
  return { status: 200, json, headers: { 'Set-Cookie': cookies.write(id, isTls) } };
}

async function guess(
  { limiter, log }: Room,
  { address = unknownAddress }: Visit,
  look: () => Promise<Looked>,
  wrong: Failure,
): Promise<Failure | undefined> {
  const looked = await limiter.guess(address, look);
  if (!looked.ok) return looked;
  if (!looked.isRight) log.warn('a password or a claim code was wrong', { address });
  return looked.isRight ? undefined : wrong;
}

const loginBody = z.object({ user: userName.default('admin'), password });
const login = route({
  method: 'post',
  path: '/api/v1/session',
  access: 'public',
  tag: 'Credentials',
  summary: 'Log in with a password',
  description:
    'Answers with a cookie for browsers, and the token that each change must show beside it. Ten wrong passwords in a minute shut an address out for the rest of it.',
  body: {
    schema: loginBody,
    example: { user: 'admin', password: 'the password of the admin' },
    read: (json) => readBy(loginBody, json),
  },
  answers: { 200: { description: 'Logged in.', schema: shown } },
  problems: ['malformed', 'login_failed', 'origin_foreign', 'rate_limited', 'busy'],
  run: async ({ body, request, visit }, room) => {
    const { books } = room.appliance;
    const known = () => passwordHashOf(books.record('user', body.user));
    const before = known();
    const check = () => room.passwords.isRight(body.password, before);
    const refused = await guess(room, visit, check, loginFailed);
    if (refused) return refused;
    // Meanwhile he may have been shut out.
    return known() === before ? openSession(room, body.user, request, visit) : loginFailed;
  },
});

const claimBody = z.object({
  code: z.string({ error: 'must be the claim code: 16 letters and digits' }).max(100),
  password: newPassword,
  shopName: text.min(1, { error: 'must not be empty' }).max(100).optional(),
});
const claim = route({
  method: 'post',
  path: '/api/v1/claim',
  access: 'public',
  tag: 'Credentials',
  summary: 'Make the first admin',
  description:
    'With the claim code that the appliance printed at its first start and keeps in its data folder. The code is used up, and you are logged in as "admin".',
  body: {
    schema: claimBody,
    example: { code: 'XXXX-XXXX-XXXX-XXXX', password: 'a long password of your own', shopName: 'Corner shop' },
    read: (json) => readBy(claimBody, json),
  },
  answers: { 200: { description: 'Claimed, and logged in.', schema: shown } },
  problems: ['malformed', 'claim_code_wrong', 'claimed_already', 'origin_foreign', 'rate_limited', 'busy'],
  run: async ({ body, request, visit, execute }, room) => {
    const { claim: open } = room;
    if (!open || hasAdmin(room.appliance.books)) return claimedAlready();
    const wrong = failure('claim_code_wrong', 'It was printed when the appliance started, and is in its data folder.');
    const check = async () => ({ ok: true, isRight: open.isCode(body.code) }) as const;
    const refused = await guess(room, visit, check, wrong);
    if (refused) return refused;
    const hashed = await room.passwords.hash(body.password);
    if (!hashed.ok) return hashed;
    const name = 'admin';
    const outcome = await execute(claimShop({ name, passwordHash: hashed.hash, shopName: body.shopName }));
    if (!outcome.ok) return outcome;
    open.burn();
    return openSession(room, name, request, visit);
  },
});

const readSession = route({
  method: 'get',
  path: '/api/v1/session',
  access: 'read',
  tag: 'Credentials',
  summary: 'Who asks',
  answers: { 200: { description: 'The session, or whose token it is.', schema: shown } },
  run: ({ credential }, { sessions }) => {
    const { session, role, id } = credential;
    if (!session) return { status: 200, json: { user: id, role, csrfToken: null, expiresAt: null } };
    const expiresAt = timeText(sessions.endsAt(session));
    return { status: 200, json: { user: session.user, role, csrfToken: session.csrfToken, expiresAt } };
  },
});

const logout = route({
  method: 'delete',
  path: '/api/v1/session',
  access: 'read',
  tag: 'Credentials',
  summary: 'Log out',
  answers: { 204: { description: 'The session is over. A token stays good.' } },
  run: ({ credential, request, visit }, room) => {
    if (!credential.session) return { status: 204 };
    endSession(room, request, visit);
    return { status: 204, headers: { 'Set-Cookie': room.cookies.write(null, visit.isTls === true) } };
  },
});

function endSession({ sessions, cookies, waiters, appliance }: Room, request: Request, visit: Visit): void {
  const id = cookies.read(request.headers.get('cookie'), visit.isTls === true);
  if (id !== undefined) sessions.close(id);
  waiters.recheck();
  appliance.realtime.recheck();
}

const passwordBody = z.object({ current: password, password: newPassword });
const putPassword = route({
  method: 'put',
  path: '/api/v1/password',
  access: 'read',
  tag: 'Credentials',
  summary: 'Change your password',
  description: 'Ends every other session of yours, on every appliance as soon as it hears of it.',
  body: {
    schema: passwordBody,
    example: { current: 'the password until now', password: 'a long password of your own' },
    read: (json) => readBy(passwordBody, json),
  },
  answers: { 200: { description: 'Changed; a new session.', schema: shown } },
  problems: ['malformed', 'password_wrong', 'no_password', 'password_changed', 'rate_limited', 'busy'],
  run: ({ credential, ...call }, room) => {
    const { session } = credential;
    if (!session) return failure('no_password', 'Log in with a name and a password to change the password.');
    return replacePassword(session.user, call, room);
  },
});

type PasswordCall = Pick<
  Call<unknown, unknown, z.output<typeof passwordBody>>,
  'body' | 'request' | 'visit' | 'execute'
>;

async function replacePassword(name: string, { body, request, visit, execute }: PasswordCall, room: Room) {
  const before = passwordHashOf(room.appliance.books.record('user', name));
  const wrong = failure('password_wrong', 'Send the password that you logged in with as "current".');
  const refused = await guess(room, visit, () => room.passwords.isRight(body.current, before), wrong);
  if (refused || before === undefined) return refused ?? wrong;
  const hashed = await room.passwords.hash(body.password);
  if (!hashed.ok) return hashed;
  const by = userAuthorMark + name;
  const outcome = await execute(changePassword({ name, before, passwordHash: hashed.hash, by }));
  return outcome.ok ? openSession(room, name, request, visit) : outcome;
}

export const sessionRoutes: readonly Route[] = [login, readSession, logout, putPassword, claim];
