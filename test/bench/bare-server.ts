// The limits of what the appliance stands on: a bare server (node-server with Hono) that parses the JSON of each request
// and answers with 201. With a path it also keeps what came, in three rows of SQLite and group commit, and nothing else:
// no check, no look-up, no hash, no seal, no merge. Argument: the path of a new database, if any.

import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { Hono } from 'hono';
import { assets } from '../../src/assets.ts';
import { pageBytes, walBytesSoft } from '../../src/core/limits.ts';
import { serve } from './compose.ts';

type Ticket = { readonly id: string; readonly terminalId: string; readonly number: string; readonly soldAt: string };

const [path] = process.argv.slice(2);
const write = path === undefined ? undefined : groupCommit(path);
const app = new Hono();
app.post('/api/v1/tickets', async (context) => {
  const text = await context.req.text();
  const ticket = JSON.parse(text) as Ticket;
  if (write) await new Promise<void>((resolve) => write(ticket, text, resolve));
  return context.json({ id: ticket.id }, 201);
});
const port = await serve((request) => app.fetch(request));
process.on('SIGTERM', () => process.exit(0));
process.send?.({ port });

function groupCommit(file: string): (ticket: Ticket, text: string, done: () => void) => void {
  const database = new Database(file);
  database.pragma(`page_size = ${pageBytes}`);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma('wal_autocheckpoint = 0');
  for (const { sql } of assets.migrations) database.exec(sql);
  const addOp = database.prepare('INSERT INTO ops (key, arrival, header, payload) VALUES (?, ?, ?, ?)');
  const addChange = database.prepare('INSERT INTO changes (seq, op, at) VALUES (?, ?, ?)');
  const addTicket = database.prepare(
    'INSERT INTO tickets (seq, op, id, terminal, number, sold_at, movements, rival) VALUES (?, ?, ?, ?, ?, ?, 5, 0)',
  );
  const [begin, commit] = ['BEGIN IMMEDIATE', 'COMMIT'].map((sql) => database.prepare(sql));
  let waiting: { ticket: Ticket; text: string; done: () => void }[] = [];
  let seq = 0;
  return (ticket, text, done) => {
    waiting.push({ ticket, text, done });
    if (waiting.length === 1) setImmediate(drain);
  };
  function drain(): void {
    const batch = waiting;
    waiting = [];
    begin?.run();
    for (const { ticket, text } of batch) {
      seq += 1;
      addOp.run(seq, seq, '{}', text);
      addChange.run(seq, seq, Date.now());
      addTicket.run(seq, seq, ticket.id, ticket.terminalId, ticket.number, Date.parse(ticket.soldAt));
    }
    commit?.run();
    for (const { done } of batch) done();
    if (statSync(`${file}-wal`).size > walBytesSoft) database.pragma('wal_checkpoint(PASSIVE)');
  }
}
