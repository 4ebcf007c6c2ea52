// The limit of HTTP itself: the same server (node-server with Hono), which parses the JSON of each request and answers
// with 201. It keeps nothing.

import { Hono } from 'hono';
import { openHttpServer, toListener } from '../../src/edges/listen.ts';
import { systemTimers } from '../../src/edges/system.ts';

const app = new Hono();
app.post('/api/v1/tickets', async (context) => {
  const body = await context.req.json();
  return context.json({ id: body.id }, 201);
});
const server = await openHttpServer(
  toListener(() => (request) => app.fetch(request)),
  { host: '127.0.0.1', port: 0, timers: systemTimers },
);
process.on('SIGTERM', () => process.exit(0));
process.send?.({ port: server.port });
