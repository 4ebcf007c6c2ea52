// A port with room for few, as a program of its own:
//   door-program plain|tls HASTE     prints its port and the size of a large answer; then from which port somebody asks, and
//                                    when a large answer is over
// HASTE: how much faster than real its timers run.

import crypto from 'node:crypto';
import type { RequestListener } from 'node:http';
import { openHttpServer } from '../../src/edges/http/server.ts';
import { createCertificate } from '../../src/edges/peer/certificate.ts';
import { createDoor } from '../../src/edges/peer/door.ts';
import { openPeerServer } from '../../src/edges/peer/server.ts';
import { systemTimers } from '../../src/edges/system.ts';
import type { Timers } from '../../src/ports.ts';

const [kind, haste = '1'] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const log = { debug() {}, info() {}, warn() {}, error() {} };
const timers: Timers = {
  after: (delayMs, run) => systemTimers.after(delayMs / Number(haste), run),
  soon: systemTimers.soon,
};
const limits = { socketsMax: 8, silentMax: 4, silentMs: 30_000 };
const largeText = 'x'.repeat(24_000_000);

const listener: RequestListener = (request, response) => {
  print({ asks: request.socket.remotePort });
  if (request.url === '/large') {
    response.once('close', () => print({ isOver: true }));
    return void response.end(largeText);
  }
  // "/long" is a long poll.
  if (request.url !== '/long') request.resume().once('end', () => response.end('sold'));
};

async function open(): Promise<number> {
  const common = { host: '127.0.0.1', port: 0, timers, log };
  if (kind === 'plain') {
    const opened = await openHttpServer({ ...common, listener, visitors: createDoor(timers, limits) });
    if (!opened.ok) throw new Error(opened.detail);
    return opened.server.port;
  }
  const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const credentials = { privateKeyPem, certificatePem: await createCertificate(privateKeyPem, 'door') };
  const opened = await openPeerServer({ ...common, credentials, limits, onRequest: listener, onConnection() {} });
  if (!opened.ok) throw new Error(opened.detail);
  return opened.server.port;
}

print({ port: await open(), largeBytes: largeText.length });
