// The edge towards peers, with real sockets on loopback: who is let in, what arrives, and that nothing hangs.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer, request as httpsRequest, type RequestOptions } from 'node:https';
import { type AddressInfo, connect as connectPlain, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { frameBytesMax, tlsPortLimits } from '../../src/core/limits.ts';
import { openPeerServer, type UpgradeListener } from '../../src/edges/peer/server.ts';
import type { Connection } from '../../src/ports.ts';
import { connectionContract, hear } from './connection-contract.ts';
import {
  dial,
  hurriedTimers,
  makeForeignCertificate,
  makeSomeone,
  openPair,
  openPlainServer,
  openServer,
  openTransport,
  type Someone,
  silentLog,
} from './peer-pair.ts';

let ada: Someone;
let bob: Someone;
beforeAll(async () => {
  [ada, bob] = await Promise.all([makeSomeone(), makeSomeone()]);
});

describe('a connection', () => {
  connectionContract(() => openPair(ada, bob));

  test('frames and an end that came before anybody listened are told then, once', async () => {
    const { address } = await openServer(bob, {
      onConnection: (connection) => {
        connection.listen({ frame: () => connection.close('seen'), drained() {}, closed() {} });
        connection.send('welcome');
        connection.send('to the shop');
      },
    });
    const outcome = await dial(openTransport(ada), address);
    if (!outcome.ok) throw new Error(outcome.reason);
    outcome.connection.send('hello');
    const lost = meshSocket(address, ada);
    await once(lost, 'message');
    lost.send('hello');
    await once(lost, 'close');
    const atDialer = hear(outcome.connection);
    expect(atDialer.frames).toEqual([]);
    await atDialer.closes();
    expect(atDialer.frames).toEqual(['welcome', 'to the shop']);
    expect(atDialer.closedReasons).toEqual(['connection lost']);
  });

  test('frames up to the limit arrive whole, both ways', async () => {
    const { dialer, accepted } = await openPair(ada, bob);
    const [atDialer, atAccepted] = [hear(dialer), hear(accepted)];
    const large = new Uint8Array(frameBytesMax).map((_, index) => index % 251);
    dialer.send(large);
    accepted.send(large);
    await Promise.all([atDialer.framesCome(1), atAccepted.framesCome(1)]);
    expect(Buffer.compare(Buffer.from(atDialer.frames[0] ?? ''), large)).toBe(0);
    expect(Buffer.compare(Buffer.from(atAccepted.frames[0] ?? ''), large)).toBe(0);
  });

  test('a reason sent just before a close still arrives', async () => {
    const { dialer, accepted } = await openPair(ada, bob);
    const atDialer = hear(dialer);
    hear(accepted);
    accepted.send('refused, because …');
    accepted.close('refused');
    await atDialer.closes();
    expect(atDialer.frames).toEqual(['refused, because …']);
  });

  test('E6 a frame over the limit closes that connection, says why at both ends, and no other', async () => {
    const { dialer, accepted, address } = await openPair(ada, bob);
    const [atDialer, atAccepted] = [hear(dialer), hear(accepted)];
    dialer.send(new Uint8Array(frameBytesMax + 1));
    await Promise.all([atDialer.closes(), atAccepted.closes()]);
    expect(atAccepted.closedReasons).toEqual([`a frame of more than ${frameBytesMax} bytes came`]);
    expect(atDialer.closedReasons).toEqual(['the peer refused a frame as too large']);
    expect(await dial(openTransport(ada), address)).toMatchObject({ ok: true });
  });

  test('B8 a peer that stops reading makes bytes wait, others are served, and its reading again drains them', async () => {
    const arrived = Promise.withResolvers<Connection>();
    const { address } = await openServer(bob, { onConnection: arrived.resolve });
    const reader = meshSocket(address, ada);
    await once(reader, 'open');
    reader.pause();
    const connection = await arrived.promise;
    const atServer = hear(connection);
    const frame = new Uint8Array(64 * 1024);
    for (let count = 0; count < 256; count++) connection.send(frame);
    await requestOver(address, {});
    expect(atServer.drainedCount).toBe(0);
    expect(connection.bufferedBytes()).toBeGreaterThan(4 * 1024 * 1024);
    reader.resume();
    await atServer.until(() => atServer.drainedCount > 0);
    expect(connection.bufferedBytes()).toBe(0);
  });

  test('a peer that vanishes is told as lost', async () => {
    const { dialer, accepted, transport } = await openPair(ada, bob);
    hear(dialer);
    const atAccepted = hear(accepted);
    transport.close();
    await atAccepted.closes();
    expect(atAccepted.closedReasons).toEqual(['connection lost']);
  });
});

describe('the port', () => {
  test('serves the HTTP app over HTTPS to clients without a certificate', async () => {
    const { address } = await openServer(bob, {
      onRequest: (request, response) => void response.end(`${request.method} ${request.url}`),
    });
    const answer = await requestOver(address, { method: 'POST', path: '/api/v1/tickets?x=1' }, '{}');
    expect(answer).toEqual({ status: 200, body: 'POST /api/v1/tickets?x=1' });
  });

  test('C1 refuses the mesh to a client without a certificate', async () => {
    let connectionCount = 0;
    const { address } = await openServer(bob, { onConnection: () => void connectionCount++ });
    expect(await upgradeOver(address, {}, '/mesh', 'tillmesh')).toBe(403);
    expect(connectionCount).toBe(0);
  });

  test('C1 refuses the mesh to a certificate of another kind of key', async () => {
    const { address } = await openServer(bob);
    expect(await upgradeOver(address, await makeForeignCertificate(), '/mesh', 'tillmesh')).toBe(403);
  });

  test('refuses the mesh to who does not speak its protocol', async () => {
    const { address } = await openServer(bob);
    const { privateKeyPem: key, certificatePem: cert } = ada.credentials;
    expect(await upgradeOver(address, { key, cert }, '/mesh', 'chat')).toBe(400);
    expect(await upgradeOver(address, { key, cert }, '/mesh', undefined)).toBe(400);
  });

  test('hands other upgrades on, and refuses them where nobody takes them', async () => {
    const [closed, open] = [await openServer(bob), await openServer(bob, { onUpgrade: answerTeapot })];
    expect(await upgradeOver(closed.address, {}, '/ws', 'live')).toBe(404);
    expect(await upgradeOver(open.address, {}, '/ws?topics=a', 'live')).toBe(418);
  });

  test.each([
    ['plain HTTP', 'GET /healthz HTTP/1.1\r\nHost: till\r\n\r\n'],
    ['zeros', '\0'.repeat(4096)],
    ['a TLS record of nonsense', '\x16\x03\x01\x02\x00nonsense'.repeat(200)],
  ])('closes on %s and goes on serving', async (_what, garbage) => {
    const { address } = await openServer(bob);
    const socket = plainSocket(address);
    socket.write(garbage, 'latin1');
    socket.resume();
    await once(socket, 'close');
    expect(await requestOver(address, {})).toMatchObject({ status: 200 });
  });

  test('closes on nonsense inside TLS and goes on serving', async () => {
    const { address } = await openServer(bob);
    const socket = tlsSocket(address);
    socket.write('\x01\x02 nonsense\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    expect(await requestOver(address, {})).toMatchObject({ status: 200 });
  });

  test.each([
    ['before TLS', ''],
    ['within the TLS handshake', '\x16\x03\x01\xff\xffhalf a record'],
  ])('a reset %s harms nobody', async (_when, text) => {
    const { address } = await openServer(bob);
    const socket = plainSocket(address);
    await once(socket, 'connect');
    socket.write(text, 'latin1');
    socket.resetAndDestroy();
    expect(await requestOver(address, {})).toMatchObject({ status: 200 });
    expect(await dial(openTransport(ada), address)).toMatchObject({ ok: true });
  });

  test.each([
    ['after TLS', ''],
    ['within a head', 'GET / HTTP/1.1\r\nHost:'],
    ['within a body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc'],
  ])('a reset %s harms nobody', async (_when, text) => {
    const { address } = await openServer(bob);
    const below = plainSocket(address);
    const socket = tlsSocket(address, { socket: below });
    await once(socket, 'secureConnect');
    if (text) await new Promise((resolve) => socket.write(text, resolve));
    below.resetAndDestroy();
    expect(await requestOver(address, {})).toMatchObject({ status: 200 });
    expect(await dial(openTransport(ada), address)).toMatchObject({ ok: true });
  });

  test('closes on TLS older than 1.3', async () => {
    const { address } = await openServer(bob);
    const socket = tlsSocket(address, { maxVersion: 'TLSv1.2' });
    await expect(once(socket, 'secureConnect')).rejects.toThrow();
  });

  test.each([
    ['before TLS', (address: string) => plainSocket(address)],
    ['after TLS', (address: string) => tlsSocket(address)],
    ['within the head of a request', (address: string) => said(tlsSocket(address), 'GET / HTTP/1.1\r\nHost:')],
    [
      'within a body',
      (address: string) => said(tlsSocket(address), 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc'),
    ],
    ['after a request', (address: string) => said(tlsSocket(address), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ])('E4 does not wait for ever for one who falls silent %s', async (_when, open) => {
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      void (request.method === 'GET' && response.end());
    const { address } = await openServer(bob, { timers: hurriedTimers, onRequest });
    await once(open(address).resume(), 'close');
  });

  test('E4 silent strangers in masses keep out neither a till nor a peer', async () => {
    const { address } = await openServer(bob);
    const strangers = Array.from({ length: tlsPortLimits.silentMax * 3 }, () => plainSocket(address).resume());
    const closes = strangers.map((stranger) => once(stranger, 'close'));
    await Promise.all(strangers.map((stranger) => once(stranger, 'connect')));
    expect(await requestOver(address, {})).toMatchObject({ status: 200 });
    expect(await dial(openTransport(ada), address)).toMatchObject({ ok: true });
    await Promise.all(closes.slice(0, tlsPortLimits.silentMax * 2));
    expect(strangers.filter((stranger) => !stranger.destroyed).length).toBeGreaterThan(0);
  });

  test('E6 negotiates no compression', async () => {
    const { address } = await openServer(bob);
    const socket = meshSocket(address, ada);
    await once(socket, 'open');
    expect(socket.extensions).toBe('');
  });

  test('closes at once and wholly, whoever is connected', async () => {
    const { dialer, accepted, server, address } = await openPair(ada, bob);
    const [atDialer, atAccepted] = [hear(dialer), hear(accepted)];
    const [silent, idle] = [plainSocket(address).resume(), tlsSocket(address).resume()];
    await Promise.all([once(silent, 'connect'), once(idle, 'secureConnect')]);
    const gone = [once(silent, 'close'), once(idle, 'close')];
    await server.close();
    await Promise.all([atDialer.closes(), atAccepted.closes(), ...gone]);
    expect(await dial(openTransport(ada), address)).toEqual({ ok: false, reason: `nothing listens at ${address}` });
    const again = await openServer(bob, { port: server.port });
    expect(again.server.port).toBe(server.port);
  });

  test('a port in use is said with its number and the remedy', async () => {
    const { server } = await openServer(bob);
    const second = await tryOpen({ port: server.port });
    expect(second).toMatchObject({ ok: false, code: 'port_in_use' });
    expect(second).toHaveProperty('detail', expect.stringMatching(new RegExp(`${server.port}.*--mesh-port`)));
  });

  test('an address of somebody else is said with the remedy', async () => {
    expect(await tryOpen({ host: '192.0.2.1' })).toMatchObject({
      code: 'host_not_ours',
      detail: expect.stringMatching(/192\.0\.2\.1.*--host/),
    });
  });
});

describe('a dial', () => {
  test('to a closed port fails at once and says so', async () => {
    const { server, address } = await openServer(bob);
    await server.close();
    expect(await dial(openTransport(ada), address)).toEqual({ ok: false, reason: `nothing listens at ${address}` });
  });

  test.each([
    ['says nothing', (_socket: Socket) => {}, 'did not answer within 5 s'],
    ['hangs up', (socket: Socket) => void socket.destroy(), 'closed the connection'],
    ['speaks no TLS', (socket: Socket) => void socket.write('220 mail ready\r\n'), 'not as an appliance'],
  ])('to one who %s ends in time and repeats nothing of it', async (_what, behave, expected) => {
    const address = await openPlainServer(behave);
    const outcome = await dial(openTransport(ada, hurriedTimers), address);
    expect(outcome).toEqual({ ok: false, reason: expect.stringContaining(expected) });
    expect(outcome).toHaveProperty('reason', expect.stringContaining(address));
  });

  test('to a TLS server that is no appliance fails', async () => {
    const { privateKeyPem: key, certificatePem: cert } = bob.credentials;
    const server = createHttpsServer({ key, cert }, (_request, response) => response.end('<b>hello</b>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const outcome = await dial(openTransport(ada), `127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(outcome).toEqual({ ok: false, reason: expect.stringContaining('not as an appliance') });
  });

  test.each(['', 'nowhere', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:65536', 'a b:1', '::1:3031', 'http://x:1'])(
    'to "%s" is refused without dialing',
    async (address) => {
      expect(await dial(openTransport(ada), address)).toEqual({
        ok: false,
        reason: expect.stringContaining('HOST:PORT'),
      });
    },
  );

  test('to ourselves shows our own key', async () => {
    const { address } = await openServer(bob);
    const outcome = await dial(openTransport(bob), address);
    expect(outcome.ok && Buffer.from(outcome.connection.peerKey)).toEqual(Buffer.from(bob.publicKey));
  });

  test('to a name that nobody has says so', async () => {
    const outcome = await dial(openTransport(ada, hurriedTimers), 'nobody.invalid:3031');
    expect(outcome).toEqual({ ok: false, reason: expect.stringMatching(/not known|did not answer/) });
  });

  test('that is under way ends when the transport closes', async () => {
    const transport = openTransport(ada);
    const address = await openPlainServer(() => transport.close());
    expect(await dial(transport, address)).toMatchObject({ ok: false });
    expect(await dial(transport, address)).toMatchObject({ ok: false });
  });
});

/** A raw client of the mesh's, to misbehave with. */
function meshSocket(address: string, someone: Someone, protocol = 'tillmesh'): WebSocket {
  const { privateKeyPem: key, certificatePem: cert } = someone.credentials;
  const socket = new WebSocket(`wss://${address}/mesh`, protocol, { key, cert, rejectUnauthorized: false });
  socket.on('error', () => {});
  onTestFinished(() => socket.terminate());
  return socket;
}

const tryOpen = (change: { host?: string; port?: number }) =>
  openPeerServer({
    credentials: ada.credentials,
    host: '127.0.0.1',
    port: 0,
    timers: hurriedTimers,
    log: silentLog,
    onConnection: () => {},
    onRequest: () => {},
    ...change,
  });

const hostAndPort = (address: string) => ({ host: '127.0.0.1', port: Number(address.split(':')[1]) });

function tlsSocket(address: string, options: ConnectionOptions = {}): TLSSocket {
  const socket = connectTls({ ...hostAndPort(address), rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

function plainSocket(address: string): Socket {
  const socket = connectPlain(hostAndPort(address));
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

const said = (socket: TLSSocket, text: string): TLSSocket => {
  socket.write(text);
  return socket;
};

/** One request over HTTPS on a connection of its own. */
async function requestOver(address: string, options: RequestOptions, body = '') {
  const request = httpsRequest({ ...hostAndPort(address), rejectUnauthorized: false, agent: false, ...options });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}

/** Status of the answer to an upgrade; 101 when it is granted. */
async function upgradeOver(address: string, options: ConnectionOptions, path: string, protocol: string | undefined) {
  const socket = new WebSocket(`wss://${address}${path}`, protocol ?? [], { ...options, rejectUnauthorized: false });
  onTestFinished(() => socket.terminate());
  socket.on('error', () => {});
  return new Promise<number | undefined>((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    socket.on('open', () => resolve(101));
  });
}

const answerTeapot: UpgradeListener = (_request, socket) =>
  void socket.end("HTTP/1.1 418 I'm a teapot\r\nConnection: close\r\n\r\n");
