// The description is made from the routes and schemas, and hides nothing.

import { expect, test } from 'vitest';
import { problems } from '../../src/edges/http/problems.ts';
import { openShop } from './appliance.ts';

type Operation = {
  summary: string;
  operationId: string;
  security: object[];
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: unknown; example?: unknown }> };
  responses: Record<string, { content?: Record<string, { schema: unknown }> }>;
};

async function describedShop() {
  const shop = openShop();
  const { json, headers } = await shop.ask('GET', '/openapi.json', undefined, { token: null });
  const operations = Object.entries(json.paths as Record<string, Record<string, Operation>>).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
  return { shop, json, headers, operations };
}

test('each route of the app is in the document, and the other way round', async () => {
  const { shop, operations } = await describedShop();
  const described = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  const served = shop.app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
  expect(described.sort()).toEqual(served.sort());
  expect(new Set(described).size).toBe(described.length);
  expect(described.length).toBeGreaterThan(40);
});

test('every route says what it does, takes and answers', async () => {
  const { json, operations } = await describedShop();
  expect(json.openapi).toBe('3.1.0');
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, method, operation } of operations) {
    expect(operation.summary.length, path).toBeGreaterThan(5);
    for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
      expect(operation.parameters, path).toContainEqual(expect.objectContaining({ name, in: 'path' }));
    }
    if (['post', 'put', 'patch'].includes(method)) {
      const media = operation.requestBody?.content['application/json'];
      expect([path, media?.schema !== undefined, media?.example !== undefined]).toEqual([path, true, true]);
    }
    const statuses = Object.keys(operation.responses);
    expect(
      statuses.some((status) => status.startsWith('2') || (path === '/ws' && status === '101')),
      path,
    ).toBe(true);
    if (operation.security.length > 0) expect(statuses, path).toContain('401');
  }
});

test('references lead somewhere, and no example holds a token', async () => {
  const { json } = await describedShop();
  const text = JSON.stringify(json);
  for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
    expect(Object.keys(json.components.schemas)).toContain(name);
  }
  expect(text).not.toMatch(/till_[A-Za-z0-9]/);
  expect(Object.keys(json.components.schemas)).toEqual(
    expect.arrayContaining(['Product', 'Customer', 'Ticket', 'TicketLine', 'Movement', 'Problem', 'Peer', 'Conflict']),
  );
});

test('the examples of requests are taken by the routes they stand at', async () => {
  const { shop, operations } = await describedShop();
  const creating = operations.filter(
    ({ method, path }) => method === 'post' && !/p2p|peers|gossip|conflicts|session|claim|join$|identity/.test(path),
  );
  expect(creating.length).toBeGreaterThan(6);
  for (const { path, operation } of creating) {
    const reply = await shop.ask('POST', path, operation.requestBody?.content['application/json']?.example);
    expect([path, reply.status < 300]).toEqual([path, true]);
  }
});

test('problems have a status, a sentence and a stable name', () => {
  for (const [code, { status, title }] of Object.entries(problems)) {
    expect(code).toMatch(/^[a-z0-9_]+$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(title).toMatch(/^[A-Z].*\.$/);
  }
});
