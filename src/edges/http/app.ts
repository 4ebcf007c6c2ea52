// The HTTP app as a value: a request in, a response out, no socket. Who asks is settled before anything else, for every
// address but the public ones; each answer and each problem leaves by the same door.

import { type Context, Hono } from 'hono';
import type { Appliance } from '../../appliance.ts';
import { type Failure, failure, type Outcome } from '../../core/command.ts';
import type { Log, Random, Timers } from '../../ports.ts';
import { fileAnswer } from './actions/about.ts';
import { type Credential, createCredentials } from './credentials.ts';
import { createCursors } from './cursors.ts';
import { openApiText } from './openapi.ts';
import { problemDocument, statusOf } from './problems.ts';
import { type Answer, isAnswer, type PublicFile, type Room, type Route } from './route.ts';
import { methodsAt, publicPaths, routes } from './routes.ts';
import { createWaiters } from './waiters.ts';

export type HttpOptions = {
  readonly version: string;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** SHA-256 (hex) of each admin token; asked at every request, so that a changed list counts at once. */
  readonly adminTokenHashes: () => readonly string[];
  /** By address, such as "/index.html"; open to everybody. */
  readonly publicFiles: ReadonlyMap<string, PublicFile>;
  /** A key of its own for this appliance, from a moment later on; its replica id then. */
  readonly renewIdentity?: (by: string) => Outcome<{ replicaId: string }>;
  /** Fires when the server stops: who waits for changes is answered. */
  readonly stopping?: AbortSignal;
};

type Variables = { credential: Credential };
type AppContext = Context<{ Variables: Variables }>;
export type HttpApp = Hono<{ Variables: Variables }>;

const nobody: Credential = { kind: 'terminal', id: '' };

export function createHttpApp(appliance: Appliance, options: HttpOptions): HttpApp {
  const room = roomOf(appliance, options);
  const credentials = createCredentials(appliance.books, options.adminTokenHashes);
  const open = new Set([...publicPaths, ...options.publicFiles.keys()]);
  const app: HttpApp = new Hono();

  app.use(async (context, next) => {
    const { req } = context;
    if (open.has(req.path) && (req.method === 'GET' || req.method === 'HEAD')) {
      context.set('credential', nobody);
    } else {
      const credential = credentials.find(req.raw.headers.get('authorization'));
      if ('ok' in credential) return respond(credential);
      context.set('credential', credential);
    }
    return next();
  });
  for (const route of routes) {
    app.on(route.method.toUpperCase(), honoPath(route.path), (context) => serve(route, context, room));
  }
  app.notFound((context) => serveUnrouted(context, options.publicFiles));
  app.onError((error) => respond(mishap(error, appliance, options.log)));
  return app;
}

function roomOf(appliance: Appliance, options: HttpOptions): Room {
  const { version, random, timers, log, publicFiles } = options;
  const stopping = options.stopping ?? new AbortController().signal;
  let text: string | undefined;
  return {
    appliance,
    version,
    random,
    log,
    publicFiles,
    renewIdentity: options.renewIdentity ?? (() => failure('not_ready', 'This appliance cannot do that.')),
    cursors: createCursors(appliance.shop, appliance.replicaId),
    waiters: createWaiters(appliance.feed, timers, log, stopping),
    openApiText() {
      text ??= openApiText(routes, version);
      return text;
    },
  };
}

const honoPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

function serve(route: Route, context: AppContext, room: Room): Response | Promise<Response> {
  const credential = context.get('credential');
  if (route.access === 'admin' && credential.kind !== 'admin') {
    return respond(failure('admin_only', 'Ask with the token of an admin: this one is a till’s.'));
  }
  const { req } = context;
  const result = route.handle(
    { request: req.raw, path: req.path, credential, params: () => req.param(), query: () => req.query() },
    room,
  );
  return result instanceof Promise ? result.then(respond) : respond(result);
}

/** No route: a file of the page, another method than the address takes, or nothing. */
function serveUnrouted({ req }: AppContext, files: ReadonlyMap<string, PublicFile>): Response {
  const file = req.method === 'GET' || req.method === 'HEAD' ? files.get(req.path) : undefined;
  if (file) return respond(fileAnswer(file));
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
  if (status === 503) more['Retry-After'] = '2';
  // The rest of a message that is not read would have to be waited for.
  if (status === 413) more.Connection = 'close';
  return withBody(status, JSON.stringify(problemDocument(problem)), problemHeaders, more);
}
