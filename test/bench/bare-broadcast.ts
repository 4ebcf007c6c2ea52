// The limit of what live messages stand on: the `ws` package alone. Takes a message by HTTP, parses it, and sends it to
// everybody who is connected; no credential, no order, no place to go on from.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const clients = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  handleProtocols: (offered) => offered.values().next().value ?? false,
});
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const text = JSON.stringify(JSON.parse(Buffer.concat(chunks).toString()));
    for (const client of clients.clients) client.send(text);
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"success":true}');
  });
});
server.on('upgrade', (request, socket, head) => {
  clients.handleUpgrade(request, socket, head, (client) => client.send('{"type":"connected"}'));
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('SIGTERM', () => process.exit(0));
