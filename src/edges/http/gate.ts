// Who comes in, settled before anything is read or routed: over which door, with which credential, how often. Default is
// no: only the public routes are open to nobody. A token counts alone; a cookie counts only from our own page.

import { passwordHashOf, userAuthorMark, userRoleOf } from '../../commands/user-record.ts';
import type { Books } from '../../core/books.ts';
import { type Failure, failure } from '../../core/command.ts';
import type { Cookies } from './cookies.ts';
import { type Credential, type Credentials, credentialMissing, hashOf, isSameHash } from './credentials.ts';
import { isSale, type Limiter } from './limiter.ts';
import { isForeign, isFromElsewhere, type Sender, type Visit } from './origins.ts';
import type { Answer } from './route.ts';
import type { Session, Sessions } from './sessions.ts';

export type Gate = {
  /** Who may go on, `nobody` on public ground; a failure or a redirection for who may not. */
  enter(request: Request, path: string, visit: Visit): Promise<Credential | Failure | Answer>;
  /** Who a request that came in long ago would be now; a failure where its credential counts no longer. */
  lookAgain(request: Request, visit: Visit): Credential | Failure;
};

export type GateOptions = {
  readonly books: Books;
  readonly credentials: Credentials;
  readonly sessions: Sessions;
  readonly cookies: Cookies;
  readonly limiter: Limiter;
  /** A till has asked, with a good token. */
  readonly noteUse: (terminalId: string) => void;
  /** Whether a method at a path is open to everybody. */
  readonly isPublic: (method: string, path: string) => boolean;
  /** Whether a path is a file of the page. */
  readonly isPage: (path: string) => boolean;
  readonly httpsOnly: boolean;
  /** Where HTTPS is served, for a page asked for in the clear. */
  readonly httpsPort: number;
};

export const nobody: Credential = { role: 'nobody', id: '' };
export const isCredential = (entry: Credential | Failure | Answer): entry is Credential => 'role' in entry;

const sessionEnded = failure('session_ended', 'You are no longer logged in. Log in again.');
const foreignOrigin = failure(
  'origin_foreign',
  'A page of another origin asked with your cookie. Use the page of this appliance, or a token.',
);
const csrfMissing = failure(
  'csrf_token_wrong',
  'With a session, each change needs the header X-CSRF-Token as the log-in answered it.',
);

export function createGate(options: GateOptions): Gate {
  const { credentials, sessions, limiter, isPublic, isPage, httpsOnly } = options;

  function findCaller(headers: Headers, method: string, visit: Visit, find = sessions.use): Credential | Failure {
    const isTls = visit.isTls === true;
    const authorization = headers.get('authorization');
    if (authorization !== null && authorization !== '') return credentials.find(authorization, visit.isFromHere);
    const id = options.cookies.read(headers.get('cookie'), isTls);
    return id === undefined
      ? credentialMissing
      : findPerson(options, headers, method, isTls, { id, session: find(id) });
  }

  return {
    async enter(request, path, visit) {
      const { method, headers } = request;
      const isTls = visit.isTls === true;
      const isOpen = isPublic(method, path);
      const clear = httpsOnly && !isTls ? answerInTheClear(request, path, isOpen, visit) : undefined;
      if (clear) return clear;
      const found = findCaller(headers, method, visit);
      const caller = 'role' in found ? found : undefined;
      const limited = await limiter.take(
        caller?.countedBy ?? caller?.id,
        visit.address ?? 'unknown',
        isSale(method, path),
      );
      if (limited) return limited;
      if (caller?.terminalId !== undefined) options.noteUse(caller.terminalId);
      if (!isOpen) return found;
      // Nobody shall be logged in, or a shop claimed, by a page that he did not open here.
      if (!isReading(method) && isForeign(senderOf(headers, isTls))) return foreignOrigin;
      return nobody;
    },
    lookAgain: ({ headers }, visit) => findCaller(headers, 'GET', visit, sessions.look),
  };

  function answerInTheClear(
    request: Request,
    path: string,
    isOpen: boolean,
    { isFromHere }: Visit,
  ): Failure | Answer | undefined {
    const { method, headers } = request;
    if (credentials.isConsole(headers.get('authorization'), isFromHere)) return undefined;
    const hasCredential = headers.has('authorization') || options.cookies.read(headers.get('cookie'), false);
    const host = (headers.get('host') ?? '').replace(/:[0-9]+$/, '') || 'HOST';
    const there = `https://${host}:${options.httpsPort}`;
    if (!hasCredential && isReading(method)) {
      if (isPage(path)) return { status: 308, headers: { Location: there + path } };
      if (isOpen) return undefined;
    }
    const warning =
      hasCredential || !isReading(method) ? ' A secret that you sent may have been read: replace it.' : '';
    return failure('https_only', `Use ${there}: this appliance takes credentials over HTTPS alone.${warning}`);
  }
}

function findPerson(
  { books, sessions }: GateOptions,
  headers: Headers,
  method: string,
  isTls: boolean,
  { id, session }: { id: string; session: Session | undefined },
): Credential | Failure {
  const row = session && books.record('user', session.user);
  const passwordHash = passwordHashOf(row);
  if (!session || !row || passwordHash === undefined || hashOf(passwordHash) !== session.passwordMark) {
    if (session) sessions.close(id);
    return sessionEnded;
  }
  if (isFromElsewhere(headers.get('sec-fetch-site')) || isForeign(senderOf(headers, isTls))) return foreignOrigin;
  if (!isReading(method) && !isSameSecret(headers.get('x-csrf-token'), session.csrfToken)) return csrfMissing;
  return { role: userRoleOf(row), id: userAuthorMark + session.user, session };
}

const isReading = (method: string): boolean => method === 'GET' || method === 'HEAD';

/** By their hashes, so that the time tells nothing, whatever their lengths. */
const isSameSecret = (sent: string | null, known: string): boolean =>
  sent !== null && isSameHash(hashOf(sent), hashOf(known));

const senderOf = (headers: Headers, isTls: boolean): Sender => ({
  origin: headers.get('origin'),
  host: headers.get('host'),
  isTls,
});
