// Two real appliances' edges towards each other on loopback, for tests: keys, certificates, a server, a dialer.

import crypto from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { replicaIdOf } from '../../src/core/identity.ts';
import { createCertificate } from '../../src/edges/peer/certificate.ts';
import type { Credentials } from '../../src/edges/peer/channel.ts';
import { openPeerServer, type PeerServerOptions } from '../../src/edges/peer/server.ts';
import { createTransport } from '../../src/edges/peer/transport.ts';
import { createSystemCrypto, systemTimers } from '../../src/edges/system.ts';
import type { Connection, DialOutcome, Log, Timers, Transport } from '../../src/ports.ts';

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Real timers in a hurry, so that a test sees a time-out of seconds in tenths. */
export const hurriedTimers: Timers = {
  after: (delayMs, run) => systemTimers.after(delayMs / 50, run),
  soon: systemTimers.soon,
};

export type Someone = { publicKey: Uint8Array; replicaId: string; credentials: Credentials };

export async function makeSomeone(): Promise<Someone> {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const point = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-65));
  const replicaId = replicaIdOf(createSystemCrypto().sha256, point);
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const certificatePem = await createCertificate(privateKeyPem, replicaId);
  return { publicKey: point, replicaId, credentials: { privateKeyPem, certificatePem } };
}

/** A good certificate, but of a P-384 key. */
export async function makeForeignCertificate() {
  await import('reflect-metadata');
  const { X509CertificateGenerator } = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  const keys = await crypto.webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({ keys, signingAlgorithm: algorithm });
  const key = crypto.KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { key, cert: certificate.toString('pem') };
}

/** A server on a free port, closed after the test. Connections that nobody asked for are listened to and kept. */
export async function openServer(someone: Someone, options: Partial<PeerServerOptions> = {}) {
  const opened = await openPeerServer({
    credentials: someone.credentials,
    host: '127.0.0.1',
    port: 0,
    timers: systemTimers,
    log: silentLog,
    onConnection: (connection) => connection.listen({ frame() {}, drained() {}, closed() {} }),
    onRequest: (_request, response) => void response.end('the app'),
    ...options,
  });
  if (!opened.ok) throw new Error(opened.detail);
  onTestFinished(() => opened.server.close());
  return { server: opened.server, address: `127.0.0.1:${opened.server.port}` };
}

export function openTransport(someone: Someone, timers: Timers = systemTimers) {
  const transport = createTransport(someone.credentials, timers);
  onTestFinished(() => transport.close());
  return transport;
}

export const dial = (transport: Transport, address: string): Promise<DialOutcome> =>
  new Promise((resolve) => transport.dial(address, resolve));

/** Both ends of one new connection, nobody listening yet. */
export async function openPair(a: Someone, b: Someone) {
  const accepted = Promise.withResolvers<Connection>();
  const { address, server } = await openServer(b, {
    onConnection: (connection) => accepted.resolve(connection),
  });
  const transport = openTransport(a);
  const outcome = await dial(transport, address);
  if (!outcome.ok) throw new Error(outcome.reason);
  return {
    dialer: outcome.connection,
    accepted: await accepted.promise,
    dialerKey: a.publicKey,
    acceptedKey: b.publicKey,
    server,
    transport,
    address,
  };
}

/** A plain TCP server that does with a socket what it is told; closed after the test. */
export async function openPlainServer(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}
