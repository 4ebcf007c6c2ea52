// What anybody may ask: whether the appliance lives and can work, what version it is, how it is spoken to, its page.

import { z } from '@hono/zod-openapi';
import { failure } from '../../../core/command.ts';
import { type Answer, type PublicFile, type Route, route } from '../route.ts';

const health = route({
  method: 'get',
  path: '/healthz',
  access: 'public',
  tag: 'Operating',
  summary: 'Whether the process lives',
  answers: { 200: { description: 'It does.', schema: z.object({ status: z.literal('alive') }) } },
  run: () => ({ status: 200, json: { status: 'alive' } }),
});

const readiness = route({
  method: 'get',
  path: '/readyz',
  access: 'public',
  tag: 'Operating',
  summary: 'Whether it can work',
  description: 'The database is open, migrated and can be written.',
  answers: { 200: { description: 'It can.', schema: z.object({ status: z.literal('ready') }) } },
  problems: ['not_ready'],
  run: (_call, { appliance }) => {
    const now = appliance.readiness();
    return now.ready ? { status: 200, json: { status: 'ready' } } : failure('not_ready', now.detail);
  },
});

const version = route({
  method: 'get',
  path: '/version',
  access: 'public',
  tag: 'Operating',
  summary: 'What it is',
  answers: {
    200: { description: 'Name and version.', schema: z.object({ name: z.literal('tillmesh'), version: z.string() }) },
  },
  run: (_call, room) => ({ status: 200, json: { name: 'tillmesh', version: room.version } }),
});

const openApi = route({
  method: 'get',
  path: '/openapi.json',
  access: 'public',
  tag: 'Operating',
  summary: 'This description',
  answers: { 200: { description: 'OpenAPI 3.1.', schema: z.looseObject({}) } },
  run: (_call, room) => ({ status: 200, content: { type: 'application/json', bytes: room.openApiText() } }),
});

const page = route({
  method: 'get',
  path: '/',
  access: 'public',
  tag: 'Operating',
  summary: 'The page',
  answers: { 200: { description: 'For people.', type: 'text/html' } },
  problems: ['route_unknown'],
  run: (_call, { publicFiles }) => {
    const file = publicFiles.get('/index.html');
    return file ? fileAnswer('/', file) : failure('route_unknown', 'This appliance was built without its page.');
  },
});

const certificate = route({
  method: 'get',
  path: '/certificate.pem',
  access: 'public',
  tag: 'Operating',
  summary: 'The certificate of its HTTPS port',
  description: 'Made by the appliance itself: import it where you want to be sure to speak to this one.',
  answers: { 200: { description: 'PEM.', type: 'application/x-pem-file' } },
  problems: ['route_unknown'],
  run: (_call, { certificatePem }) => {
    if (certificatePem === null) return failure('route_unknown', 'This appliance serves no HTTPS.');
    return {
      status: 200,
      content: { type: 'application/x-pem-file', bytes: certificatePem },
      headers: { 'Content-Disposition': 'attachment; filename="tillmesh.pem"' },
    };
  },
});

/** A file of the page. It can load from here alone, and be framed nowhere. */
export const fileAnswer = (path: string, file: PublicFile): Answer => ({
  status: 200,
  content: { type: file.contentType, bytes: file.bytes },
  headers: {
    ...pageHeaders,
    'Content-Security-Policy': policyFor(path === tillPage ? anyAppliance : "'self'"),
    ...(path === clientModule && { 'X-TypeScript-Types': '/client.d.ts' }),
  },
});

/**
 * The till's page goes on at another appliance when its own is off, at whatever address that has by then: one that came, or
 * moved, after the page was loaded is not known to its policy.
 */
const tillPage = '/till.html';
const anyAppliance = "'self' http: https: ws: wss:";
const clientModule = '/client.js';

const pageHeaders = {
  'Cache-Control': 'no-cache',
  'X-Frame-Options': 'DENY',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

const policyFor = (connect: string): string =>
  `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src ${connect}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

export const aboutRoutes: readonly Route[] = [health, readiness, version, openApi, certificate, page];
