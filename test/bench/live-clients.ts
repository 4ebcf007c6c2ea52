// Many tills in one process: WebSockets that are connected, and one publisher. Arguments: port, count of clients, count of
// messages, token. Publishes one message after another, each when a while has passed since the one before reached everybody;
// tells how long each took to each client, from before it was posted, in milliseconds. Where there are none to publish, the
// clients only listen, until the process is ended.

import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { openRawConnection, requestBytes } from './raw-connection.ts';

const [port = '', clients = '', messages = '', token = ''] = process.argv.slice(2);
const clientCount = Number(clients);
const warmUpCount = messages === '0' ? 0 : 20;
const spacingMs = 20;
const text = 'x'.repeat(200);

const times: number[] = [];
let startedAt = 0;
let waiting = 0;
let all = (): void => {};
let isWarm = false;

async function connect(): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['tillmesh', token]);
  await new Promise<void>((resolve, reject) => {
    socket.once('message', () => resolve());
    socket.once('error', reject);
  });
  socket.on('message', (data: Buffer) => {
    const tookMs = performance.now() - startedAt;
    const { type } = JSON.parse(data.toString()) as { type: string };
    if (type !== 'note') return;
    if (isWarm) times.push(tookMs);
    waiting -= 1;
    if (waiting === 0) all();
  });
}

for (let open = 0; open < clientCount; open += 20) await Promise.all(Array.from({ length: 20 }, connect));
const publisher = await openRawConnection(Number(port));
for (let count = 0; count < Number(messages) + warmUpCount; count++) {
  isWarm = count >= warmUpCount;
  await sleep(spacingMs + (count % 7));
  waiting = clientCount;
  const heard = new Promise<void>((resolve) => {
    all = resolve;
  });
  const request = requestBytes('POST', '/api/sync/broadcast', token, { type: 'note', payload: { count, text } });
  startedAt = performance.now();
  const { status } = await publisher.ask(request);
  if (status !== 200) throw new Error(`a message was answered with ${status}`);
  await heard;
}
process.send?.({ times });
