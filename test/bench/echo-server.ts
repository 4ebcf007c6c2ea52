// The other end of the bare link: TLS 1.3 and a WebSocket, nothing of ours. Every frame is appended to a file. One that
// begins with 1 is then fsynced and answered, one that begins with 2 only answered. Argument: folder.

import { generateKeyPairSync } from 'node:crypto';
import { fsyncSync, openSync, writeSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { WebSocketServer } from 'ws';
import { createCertificate } from '../../src/edges/peer/certificate.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const cert = await createCertificate(key, 'bench');
const file = openSync(join(process.argv[2] ?? '.', 'echo'), 'a');

const http = createHttpServer();
const webSockets = new WebSocketServer({ server: http, perMessageDeflate: false });
webSockets.on('connection', (webSocket) => {
  webSocket.on('message', (frame: Buffer) => {
    writeSync(file, frame);
    if (frame[0] === 1) fsyncSync(file);
    if (frame[0] !== 0) webSocket.send('taken');
  });
});
const server = createServer({ key, cert, minVersion: 'TLSv1.3', noDelay: true }, (socket) =>
  http.emit('connection', socket),
);
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('SIGTERM', () => process.exit(0));
