// The limit of HTTP itself: the same server (node-server with Hono), which parses the JSON of each request and answers
// with 201. It keeps nothing.

import { Hono } from 'hono';
import { serve } from './compose.ts';

const app = new Hono();
app.post('/api/v1/tickets', async (context) => {
  const body = await context.req.json();
  return context.json({ id: body.id }, 201);
});
const port = await serve((request) => app.fetch(request));
process.on('SIGTERM', () => process.exit(0));
process.send?.({ port });
