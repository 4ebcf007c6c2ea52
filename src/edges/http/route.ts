// A route as one value: what it is called, who may use it, what it takes and answers (for validation and for the
// document alike), and what it does. Reading what came in is done here, once, for all of them.

import type { z } from '@hono/zod-openapi';
import type { Appliance } from '../../appliance.ts';
import type { Command, Failure, Outcome } from '../../core/command.ts';
import { failure } from '../../core/command.ts';
import type { Json } from '../../core/json.ts';
import { batchBodyBytesMax, bodyBytesMax } from '../../core/limits.ts';
import type { Clock, Log, Random } from '../../ports.ts';
import { readBody } from './body.ts';
import type { Claim } from './claim.ts';
import type { Cookies } from './cookies.ts';
import type { Credential, Credentials } from './credentials.ts';
import type { Cursors } from './cursors.ts';
import type { Limiter } from './limiter.ts';
import type { Visit } from './origins.ts';
import type { Passwords } from './passwords.ts';
import type { Polls } from './polls.ts';
import { type Reading, readBy } from './reading.ts';
import type { Sessions } from './sessions.ts';
import type { Talks } from './talks.ts';
import type { Waiters } from './waiters.ts';

export type PublicFile = { readonly bytes: Uint8Array; readonly contentType: string };

/** What every action can reach. */
export type Room = {
  readonly appliance: Appliance;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly cursors: Cursors;
  readonly renewIdentity: (by: string) => Outcome<{ replicaId: string }>;
  readonly credentials: Credentials;
  readonly sessions: Sessions;
  readonly cookies: Cookies;
  readonly passwords: Passwords;
  readonly limiter: Limiter;
  /** Null where nobody can claim the shop any more. */
  readonly claim: Claim | null;
  readonly certificatePem: string | null;
  readonly publicFiles: ReadonlyMap<string, PublicFile>;
  readonly waiters: Waiters;
  readonly talks: Talks;
  readonly polls: Polls;
  readonly openApiText: () => string;
};

export type Answer = {
  readonly status: number;
  /** Said as JSON. */
  readonly json?: unknown;
  /** Said as it is. */
  readonly content?: { readonly type: string; readonly bytes: Uint8Array | string };
  readonly headers?: Readonly<Record<string, string>>;
};

export const isAnswer = (value: Answer | Failure): value is Answer => 'status' in value;

export type Call<Params, Query, Body> = {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly credential: Credential;
  readonly request: Request;
  readonly path: string;
  readonly visit: Visit;
  /** Why who asked would no longer be let in: for answers that take their time. */
  readonly refusalNow: () => Failure | undefined;
  /** Who asks, as he would be let in now. */
  readonly credentialNow: () => Credential | Failure;
  /** Runs a command, if who asked would still be let in; resolves after the fsync. */
  readonly execute: Execute;
};

export type Execute = <Outcoming>(command: Command<Outcoming>) => Promise<Outcome<Outcoming>>;

type Result = Answer | Failure | Promise<Answer | Failure>;

export type AnswerDescription = {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly type?: string;
  readonly example?: Json;
};

export type BodyDescription<Body> = {
  /** For the document; `read` is what validates, by the same schema. */
  readonly schema: z.ZodType;
  readonly example: Json;
  readonly read: (value: Json) => Reading<Body>;
  readonly kind?: 'optional' | 'batch' | 'mergePatch';
};

/** public: nobody is asked who he is. read: any credential. terminal: not those that only read. admin: an admin's. */
export type Access = 'public' | 'read' | 'terminal' | 'admin';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

type Described = {
  readonly method: Method;
  /** As OpenAPI writes it: /api/v1/products/{id} */
  readonly path: string;
  readonly access: Access;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** What it answers when all is well. */
  readonly answers: { readonly [status: number]: AnswerDescription };
  /** Codes of problems.ts that are of this route. */
  readonly problems?: readonly string[];
  readonly headers?: readonly ('If-Match' | 'If-None-Match' | 'Idempotency-Key')[];
};

type Definition<P extends z.ZodObject, Q extends z.ZodObject, Body> = Described & {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: BodyDescription<Body>;
  readonly run: (call: Call<z.output<P>, z.output<Q>, Body>, room: Room) => Result;
};

/** What came in, before it is read. */
export type Incoming = {
  readonly request: Request;
  readonly path: string;
  readonly credential: Credential;
  readonly visit: Visit;
  readonly refusalNow: () => Failure | undefined;
  readonly credentialNow: () => Credential | Failure;
  params(): Record<string, string>;
  query(): Record<string, string>;
};

export type Route = Described & {
  readonly params: z.ZodObject | undefined;
  readonly query: z.ZodObject | undefined;
  readonly body: BodyDescription<unknown> | undefined;
  readonly handle: (incoming: Incoming, room: Room) => Result;
};

export function route<P extends z.ZodObject, Q extends z.ZodObject, Body>(definition: Definition<P, Q, Body>): Route {
  const { params: paramsSchema, query: querySchema, body: bodyDescription, run, ...described } = definition;
  const rule = bodyDescription && bodyRule(bodyDescription.kind);

  function handle(incoming: Incoming, room: Room): Result {
    const params = paramsSchema ? readBy(paramsSchema, incoming.params(), 'id_malformed') : nothing;
    if (!params.ok) return params;
    const query = querySchema ? readBy(querySchema, filled(incoming.query()), 'query_malformed') : nothing;
    if (!query.ok) return query;
    const call = {
      ...incoming,
      execute: executeFor(incoming, room),
      params: params.value as z.output<P>,
      query: query.value as z.output<Q>,
    };
    if (!bodyDescription || !rule) return run({ ...call, body: undefined as Body }, room);
    return readBody(incoming.request, rule).then((json) => {
      if (!json.ok) return json;
      // It may have been long in coming.
      const refused = incoming.refusalNow();
      if (refused) return refused;
      const body = bodyDescription.read(json.value);
      return body.ok ? run({ ...call, body: body.value }, room) : body;
    });
  }
  return { ...described, params: paramsSchema, query: querySchema, body: bodyDescription, handle };
}

const nothing = { ok: true, value: {} } as const;

function bodyRule(kind: BodyDescription<unknown>['kind']) {
  return {
    bytesMax: kind === 'batch' ? batchBodyBytesMax : bodyBytesMax,
    isOptional: kind === 'optional',
    isBatch: kind === 'batch',
    isMergePatch: kind === 'mergePatch',
  };
}

/** `?sku=` is as good as no sku. */
const filled = (query: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''));

/** Nothing is written but by this, so who is shut out meanwhile, be it while a password is hashed, writes nothing. */
const executeFor =
  ({ refusalNow }: Incoming, { appliance }: Room): Execute =>
  (command) =>
    new Promise((resolve) => {
      const refused = refusalNow();
      if (refused) resolve(refused);
      else appliance.execute(command, resolve);
    });

/** The id to write under: that of the address, or of the body, which must not be two. */
export function agreedId(inPath: string, inBody: string | undefined): Failure | undefined {
  if (inBody === undefined || inBody === inPath) return undefined;
  return failure('id_differs', `The address says "${inPath}", the message says "${inBody}". Leave the id out of it.`);
}
