// The description of the API, made from the routes and the schemas that validate, when it is first asked for.

import { OpenAPIHono, z } from '@hono/zod-openapi';
import { problems } from './problems.ts';
import type { Access, AnswerDescription, Route } from './route.ts';
import { problem } from './schemas/requests.ts';

type RouteConfig = Parameters<OpenAPIHono['openAPIRegistry']['registerPath']>[0];
type Responses = RouteConfig['responses'];

const headerDescriptions = {
  'If-Match': 'ETag of the version you read: 412 when it is another by now.',
  'If-None-Match': 'Reading: the ETag you hold. Writing: * to write only what is not there.',
  'Idempotency-Key': 'For requests without ids: the same key is the same request, for ever.',
};

export function openApiText(routes: readonly Route[], version: string): string {
  const { openAPIRegistry: registry, getOpenAPI31Document } = new OpenAPIHono();
  registry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'Token of a till or of an admin.',
  });
  registry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: 'tillmesh_…',
    description:
      'Cookie of POST /api/v1/session, of people in a browser. Every method but GET and HEAD shows X-CSRF-Token beside it.',
  });
  for (const route of routes) registry.registerPath(pathConfig(route));
  const document = getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Tillmesh', version, description, license: { name: 'MIT' } },
    servers: [{ url: '/' }],
    tags: ['Books', 'Live', 'Terminals', 'Credentials', 'Mesh', 'Operating'].map((name) => ({ name })),
  });
  return JSON.stringify(document);
}

const description = [
  'The books of a shop on the appliance that you ask, and on all its peers.',
  'Errors are application/problem+json (RFC 9457) with a stable `code`. Money is whole minor units, quantities have at most 3 decimals, tax rates are basis points, times are RFC 3339 in UTC.',
  'Unknown members are kept and replicated. Null is as good as missing. Whatever has an id can be sent again: it counts once.',
].join('\n\n');

const accessSentences: Readonly<Record<Access, string>> = {
  public: '',
  read: '',
  terminal: 'Not for credentials that only read.',
  admin: 'Needs the credential of an admin.',
};

function pathConfig(route: Route): RouteConfig {
  const config: RouteConfig = {
    method: route.method,
    path: route.path,
    tags: [route.tag],
    summary: route.summary,
    operationId: operationIdOf(route),
    security: route.access === 'public' ? [] : [{ token: [] }, { session: [] }],
    'x-access': route.access,
    request: requestOf(route),
    responses: responsesOf(route),
  };
  const access = accessSentences[route.access];
  const text = [route.description, access].filter(Boolean).join(' ');
  return text === '' ? config : { ...config, description: text };
}

function requestOf(route: Route): NonNullable<RouteConfig['request']> {
  const request: NonNullable<RouteConfig['request']> = {};
  if (route.params) request.params = route.params;
  if (route.query) request.query = route.query;
  if (route.headers) {
    request.headers = z.object(
      Object.fromEntries(
        route.headers.map((name) => [name, z.string().optional().openapi({ description: headerDescriptions[name] })]),
      ),
    );
  }
  if (route.body) {
    const media = { schema: route.body.schema, example: route.body.example };
    const content: NonNullable<typeof request.body>['content'] = { 'application/json': media };
    if (route.body.kind === 'mergePatch') content['application/merge-patch+json'] = media;
    request.body = { required: route.body.kind !== 'optional', content };
  }
  return request;
}

function responsesOf(route: Route): Responses {
  const responses: Responses = {};
  for (const [status, answer] of Object.entries(route.answers)) responses[status] = responseOf(answer);
  const ofCredential = ['credential_missing', 'credential_unknown', 'session_ended', 'origin_foreign', 'rate_limited'];
  const ofChange = route.method === 'get' ? [] : ['csrf_token_wrong'];
  const general = route.access === 'public' ? [] : [...ofCredential, ...ofChange];
  const ofBody = route.body ? ['not_json', 'body_too_large', 'media_type_unsupported', 'storage_unavailable'] : [];
  const admin = route.access === 'admin' ? ['admin_only'] : route.access === 'terminal' ? ['read_only'] : [];
  const byStatus = new Map<number, string[]>();
  for (const code of new Set([...(route.problems ?? []), ...general, ...admin, ...ofBody])) {
    const status = problems[code as keyof typeof problems]?.status ?? 422;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  for (const [status, codes] of [...byStatus].sort(([a], [b]) => a - b)) {
    responses[status] = {
      description: codes.join(', '),
      content: { 'application/problem+json': { schema: problem } },
    };
  }
  return responses;
}

function responseOf(answer: AnswerDescription): Responses[string] {
  if (answer.schema) {
    const media = answer.example === undefined ? {} : { example: answer.example };
    return { description: answer.description, content: { 'application/json': { schema: answer.schema, ...media } } };
  }
  const content = answer.type ? { content: { [answer.type]: { schema: z.string() } } } : {};
  return { description: answer.description, ...content };
}

/** get /api/v1/products/{id} → getProductsById */
const operationIdOf = ({ method, path }: Route): string =>
  method +
  (path === '/' ? 'Page' : path)
    .replace('/api/v1', '')
    .replace(/\{(\w+)\}/g, 'by-$1')
    .replace(/[/._-]+(\w)/g, (_, letter: string) => letter.toUpperCase());
