// One end of a real mesh channel as a program of its own, to be bundled and run by either runtime:
//   pair-program serve FOLDER ADDON            prints its address, then what it sees
//   pair-program dial FOLDER ADDON ADDRESS     goes through what can happen to a channel, prints what it saw, ends
// FOLDER is for its identity, ADDON is the file of the SQLite addon for the build's way to load it.

import { join } from 'node:path';
import { frameBytesMax } from '../../src/core/limits.ts';
import { keepCertificate, openIdentity } from '../../src/edges/identity.ts';
import { createCertificate } from '../../src/edges/peer/certificate.ts';
import { openPeerServer } from '../../src/edges/peer/server.ts';
import { createTransport, type PeerTransport } from '../../src/edges/peer/transport.ts';
import { createOpenDatabase, createSystemCrypto, systemRandom, systemTimers } from '../../src/edges/system.ts';
import type { Connection } from '../../src/ports.ts';

const [role, folder = '', addonFile = '', address = ''] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const log = { debug() {}, info() {}, warn() {}, error() {} };

async function whoWeAre() {
  const systemCrypto = createSystemCrypto();
  const opened = openIdentity(folder, { random: systemRandom, sha256: systemCrypto.sha256 }, { mayCreate: true });
  if (!opened.ok) throw new Error(opened.detail);
  const { privateKeyPem, replicaId, signer } = opened.identity;
  const certificatePem = await createCertificate(privateKeyPem, replicaId);
  const failure = keepCertificate(folder, certificatePem);
  if (failure) throw new Error(failure.detail);
  if (!systemCrypto.verify(signer.publicKey, Buffer.from('a'), signer.sign(Buffer.from('a')))) throw new Error('seal');
  return { publicKey: hex(signer.publicKey), credentials: { privateKeyPem, certificatePem } };
}

function openDatabase(): number {
  const loaded = { exports: {} };
  process.dlopen(loaded, addonFile);
  const database = createOpenDatabase(loaded.exports)(join(folder, 'x.db'), { readonly: false });
  const answer = Number(database.prepare('SELECT 6 * 7').pluck().get());
  database.close();
  return answer;
}

const seen = ({ peerKey, channelBinding }: Connection) => ({ peerKey: hex(peerKey), binding: hex(channelBinding) });

async function serve(): Promise<void> {
  const { publicKey, credentials } = await whoWeAre();
  const onConnection = (connection: Connection): void => {
    connection.listen({
      frame: (frame) => (frame === 'flood' ? flood(connection) : connection.send(frame)),
      drained: () => {},
      closed: (reason) => print({ closed: reason }),
    });
    print(seen(connection));
  };
  const onRequest = (_: unknown, response: { end(text: string): void }): void => response.end('the app');
  const options = { credentials, host: '127.0.0.1', port: 0, timers: systemTimers, log, onConnection, onRequest };
  const opened = await openPeerServer(options);
  if (!opened.ok) throw new Error(opened.detail);
  print({ address: `127.0.0.1:${opened.server.port}`, publicKey, sql: openDatabase() });
  // Ends with whoever started it, and cleanly: a close that hangs would be seen.
  process.stdin.resume().once('end', async () => {
    await opened.server.close();
    print({ ended: true });
    process.exit(0);
  });
}

const floodFrames = 8;

function flood(connection: Connection): void {
  for (let count = 0; count < floodFrames; count++) connection.send(new Uint8Array(frameBytesMax));
}

async function dialAll(): Promise<void> {
  const { publicKey, credentials } = await whoWeAre();
  const transport = createTransport(credentials, systemTimers);
  print({ publicKey, sql: openDatabase() });
  print(await echo(transport));
  print(await oversize(transport));
  transport.close();
  print({ ended: true });
  process.exit(0);
}

type Heard = { frames: (string | Uint8Array)[]; drainedCount: number };

/** Runs `step` on a new connection until it closes: what came meanwhile, and why it closed. */
function withConnection(
  transport: PeerTransport,
  step: (connection: Connection, heard: Heard, event: 'open' | 'frame' | 'drained') => void,
): Promise<{ connection: Connection; heard: Heard; closed: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    connection: Connection;
    heard: Heard;
    closed: string;
  }>();
  transport.dial(address, (outcome) => {
    if (!outcome.ok) return reject(new Error(outcome.reason));
    const { connection } = outcome;
    const heard: Heard = { frames: [], drainedCount: 0 };
    connection.listen({
      frame: (frame) => {
        heard.frames.push(frame);
        step(connection, heard, 'frame');
      },
      drained: () => {
        heard.drainedCount++;
        step(connection, heard, 'drained');
      },
      closed: (reason) => resolve({ connection, heard, closed: reason }),
    });
    step(connection, heard, 'open');
  });
  return promise;
}

/** A text and the largest frame there and back, then a flood that is told to have left when it has. */
async function echo(transport: PeerTransport): Promise<object> {
  const large = new Uint8Array(frameBytesMax).map((_, index) => index % 251);
  const { connection, heard, closed } = await withConnection(transport, (connection, heard, event) => {
    if (event === 'open') {
      connection.send('één');
      connection.send(large);
    }
    if (event === 'frame' && heard.frames.length === 2) connection.send('flood');
    if (event === 'frame' && heard.frames.length === 2 + floodFrames) connection.close('enough');
  });
  const isLargeEqual = Buffer.compare(Buffer.from(heard.frames[1] ?? ''), large) === 0;
  return { ...seen(connection), text: heard.frames[0], isLargeEqual, drained: heard.drainedCount > 0, closed };
}

async function oversize(transport: PeerTransport): Promise<object> {
  const { heard, closed } = await withConnection(transport, (connection, _heard, event) => {
    if (event === 'open') connection.send(new Uint8Array(frameBytesMax + 1));
  });
  return { frames: heard.frames.length, closed };
}

await (role === 'serve' ? serve() : dialAll());
