// The HTTP app as a value: a request in, a response out, no socket. Who asks is settled before anything else, for every
// address but the public ones; each answer and each problem leaves by the same door.

import { type Context, Hono } from 'hono';
import type { Appliance } from '../../appliance.ts';
import { type Failure, failure, type Outcome } from '../../core/command.ts';
import type { Clock, Log, Random, Timers } from '../../ports.ts';
import { fileAnswer } from './actions/about.ts';
import type { Claim } from './claim.ts';
import { createCookies } from './cookies.ts';
import { type Cors, createCors } from './cors.ts';
import { type Credential, createCredentials, credentialMissing } from './credentials.ts';
import { createCursors } from './cursors.ts';
import { createGate, type Gate, isCredential, nobody } from './gate.ts';
import { createLimiter } from './limiter.ts';
import { openApiText } from './openapi.ts';
import { createOriginRule, type OriginRule, type Visit } from './origins.ts';
import { createPasswords } from './passwords.ts';
import { createPolls } from './polls.ts';
import { problemDocument, statusOf } from './problems.ts';
import { type Answer, isAnswer, type PublicFile, type Room, type Route } from './route.ts';
import { isPublicRoute, methodsAt, routes } from './routes.ts';
import { createSessions } from './sessions.ts';
import { createTalks } from './talks.ts';
import { createWaiters } from './waiters.ts';

export type HttpOptions = {
  readonly version: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** SHA-256 (hex) of each admin token of this appliance alone; asked at every request of an admin. */
  readonly adminTokenHashes: () => readonly string[];
  /** Of the console's token, which is an admin's and may come in the clear: it never leaves this machine. */
  readonly consoleTokenHash?: string | null;
  /** By address, such as "/index.html"; open to everybody. */
  readonly publicFiles: ReadonlyMap<string, PublicFile>;
  /** A key of its own for this appliance, from a moment later on; its replica id then. */
  readonly renewIdentity?: (by: string) => Outcome<{ replicaId: string }>;
  /** False turns all limits off but that of log-ins. */
  readonly rateLimit: boolean;
  /** For the first admin; without one nobody can claim the shop. */
  readonly claim?: Claim | null;
  /** Exact origins whose pages may use tokens; none without. */
  readonly corsOrigins?: readonly string[];
  /** Credentials and pages over TLS alone. */
  readonly httpsOnly?: boolean;
  /** Where the same app is served over TLS. */
  readonly httpsPort?: number;
  /** Of the TLS port, for people to download. */
  readonly certificatePem?: string | null;
  /** Fires when the server stops: who waits for changes is answered. */
  readonly stopping?: AbortSignal;
};

type Environment = { Bindings: Visit; Variables: { credential: Credential } };
type AppContext = Context<Environment>;
export type HttpApp = Hono<Environment>;

export function createHttpApp(appliance: Appliance, options: HttpOptions): HttpApp {
  const room = roomOf(appliance, options);
  const gate = gateOf(room, options);
  const cors = createCors(originRuleOf(appliance, options.corsOrigins));
  const app: HttpApp = new Hono();

  app.use(async (context, next) => {
    const { req } = context;
    const preflight = cors.preflight(req.raw, () => methodsAt(req.path));
    if (preflight) return respond({ status: 204, headers: preflight });
    const entry = await gate.enter(req.raw, req.path, context.env ?? {});
    if (!isCredential(entry)) return withCors(respond(entry), cors, req.raw);
    context.set('credential', entry);
    if (!req.raw.headers.has('origin')) return next();
    await next();
    withCors(context.res, cors, req.raw);
  });
  for (const route of routes) {
    app.on(route.method.toUpperCase(), honoPath(route.path), (context) => serve(route, context, room, gate));
  }
  app.notFound((context) => serveUnrouted(context, options.publicFiles));
  app.onError((error) => respond(mishap(error, appliance, options.log)));
  return app;
}

/** Pages of other origins that may use tokens, here and where a request asks to become a WebSocket. */
export const originRuleOf = ({ mesh }: Appliance, listed: readonly string[] = []): OriginRule =>
  createOriginRule(listed, mesh.peerOrigins);

function roomOf(appliance: Appliance, options: HttpOptions): Room {
  const { version, clock, random, timers, log, publicFiles, claim = null, certificatePem = null } = options;
  const { books, feed, shop, replicaId } = appliance;
  const stopping = options.stopping ?? new AbortController().signal;
  let text: string | undefined;
  return {
    appliance,
    version,
    clock,
    random,
    log,
    publicFiles,
    renewIdentity: options.renewIdentity ?? (() => failure('not_ready', 'This appliance cannot do that.')),
    claim,
    certificatePem,
    credentials: createCredentials(books, options.adminTokenHashes, options.consoleTokenHash ?? null),
    sessions: createSessions(clock, random),
    cookies: createCookies(replicaId),
    passwords: createPasswords(random),
    limiter: createLimiter(options.rateLimit),
    cursors: createCursors(shop, replicaId),
    waiters: createWaiters(feed, books.recordRevision, timers, log, stopping),
    talks: createTalks({
      realtime: appliance.realtime,
      now: clock.now,
      broke: (error) => log.error('a frame broke', { error: error instanceof Error ? error.stack : String(error) }),
    }),
    polls: createPolls(appliance.realtime, timers, stopping),
    openApiText() {
      text ??= openApiText(routes, version);
      return text;
    },
  };
}

function gateOf(room: Room, { publicFiles, httpsOnly = false, httpsPort = 0 }: HttpOptions): Gate {
  const { credentials, sessions, cookies, limiter, appliance, clock } = room;
  const isPage = (path: string): boolean => path === '/' || publicFiles.has(path);
  const isPublic = (method: string, path: string): boolean =>
    isPublicRoute(method, path) || ((method === 'GET' || method === 'HEAD') && publicFiles.has(path));
  const { books, observe } = appliance;
  const noteUse = (terminalId: string): void => observe.terminalUses.note(terminalId, clock.now());
  const parts = { books, credentials, sessions, cookies, limiter, noteUse };
  return createGate({ ...parts, isPublic, isPage, httpsOnly, httpsPort });
}

const honoPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

function serve(route: Route, context: AppContext, room: Room, gate: Gate): Response | Promise<Response> {
  const credential = context.get('credential') ?? nobody;
  const refusal = refusalOf(route, credential);
  if (refusal) return respond(refusal);
  const { req } = context;
  const visit = context.env ?? {};
  const credentialNow = (): Credential | Failure => {
    if (credential.role === 'nobody') return credential;
    const found = gate.lookAgain(req.raw, visit);
    return (isCredential(found) ? refusalOf(route, found) : undefined) ?? found;
  };
  const refusalNow = (): Failure | undefined => {
    const found = credentialNow();
    return isCredential(found) ? undefined : found;
  };
  const asked = { request: req.raw, path: req.path, credential, visit, refusalNow, credentialNow };
  const result = route.handle({ ...asked, params: () => req.param(), query: () => req.query() }, room);
  return result instanceof Promise ? result.then((answer) => respond(answer)) : respond(result);
}

function refusalOf({ access }: Route, { role }: Credential): Failure | undefined {
  // The gate lets nobody else come this far; should it ever, this is closed all the same.
  if (access !== 'public' && role === 'nobody') return credentialMissing;
  if (access === 'admin' && role !== 'admin') {
    return failure('admin_only', 'Ask with the token of an admin, or as one: who asks is none.');
  }
  if (access === 'terminal' && role === 'read-only') {
    return failure('read_only', 'Ask an admin for a credential that may write.');
  }
  return undefined;
}

function withCors(response: Response, cors: Cors, request: Request): Response {
  const headers = cors.headersFor(request.headers.get('origin'));
  for (const [name, value] of Object.entries(headers ?? {})) response.headers.set(name, value);
  return response;
}

/** No route: a file of the page, another method than the address takes, or nothing. */
function serveUnrouted({ req }: AppContext, files: ReadonlyMap<string, PublicFile>): Response {
  const file = req.method === 'GET' || req.method === 'HEAD' ? files.get(req.path) : undefined;
  if (file) return respond(fileAnswer(req.path, file));
  const methods = methodsAt(req.path);
  if (methods.length === 0) {
    return respond(failure('route_unknown', 'Nothing is served here; /openapi.json lists what is.'));
  }
  const allow = [...methods, 'OPTIONS'].join(', ');
  if (req.method === 'OPTIONS') return respond({ status: 204, headers: { Allow: allow } });
  return respond(failure('method_not_allowed', `This address takes ${allow}.`), { Allow: allow });
}

function mishap(error: Error, appliance: Appliance, log: Log): Failure {
  const now = appliance.readiness();
  log.error('a request broke', { error: error.stack ?? String(error) });
  return now.ready ? failure('internal', '') : failure('not_ready', now.detail);
}

// Everything leaves here. Headers go as a plain object: with it node-server needs no Headers of its own.

const always = { 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer', 'Cache-Control': 'no-store' };
const jsonHeaders = { ...always, 'Content-Type': 'application/json' };
const problemHeaders = { ...always, 'Content-Type': 'application/problem+json' };

function respond(result: Answer | Failure, headers?: Readonly<Record<string, string>>): Response {
  if (!isAnswer(result)) return respondProblem(result, headers);
  const { status, json, content } = result;
  if (json !== undefined) return withBody(status, JSON.stringify(json), jsonHeaders, result.headers);
  if (content) return withBody(status, content.bytes, { ...always, 'Content-Type': content.type }, result.headers);
  return new Response(null, { status, headers: { ...always, ...result.headers } });
}

/** With its length: Bun would send it in chunks. */
function withBody(
  status: number,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>> | undefined,
): Response {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  return new Response(body as string | Uint8Array<ArrayBuffer>, {
    status,
    headers: { ...headers, 'Content-Length': String(length), ...more },
  });
}

function respondProblem(problem: Failure, headers?: Readonly<Record<string, string>>): Response {
  const status = statusOf(problem.code);
  const more: Record<string, string> = { ...headers };
  if (status === 401) more['WWW-Authenticate'] = 'Bearer realm="tillmesh"';
  if (status === 426) more.Upgrade = 'websocket';
  if (status === 503) more['Retry-After'] = String(problem.facts?.retryAfter ?? 2);
  if (status === 429) more['Retry-After'] = String(problem.facts?.retryAfter ?? 60);
  // The rest of a message that is not read would have to be waited for.
  if (status === 413) more.Connection = 'close';
  return withBody(status, JSON.stringify(problemDocument(problem)), problemHeaders, more);
}
