// The TLS port: peers with a certificate become connections on /mesh; everybody else is served the same HTTP app as on
// the plain port. Whether a peer is of the shop is not decided here. The socket comes from tls.createServer and not from
// https.createServer, which on Bun tells nothing of the peer's certificate.

import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { WebSocketServer } from 'ws';
import { keepAliveMs, type PortLimits, tlsPortLimits } from '../../core/limits.ts';
import type { Connection, Log, Timers } from '../../ports.ts';
import { formatAddress } from './address.ts';
import { type Credentials, channelFactsOf, channelOptions, meshPath, meshProtocol } from './channel.ts';
import { createConnection, webSocketOptions } from './connection.ts';
import { createDoor } from './door.ts';
import { type ListenFailure, listenFailure } from './listen-failure.ts';

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export type PeerServerOptions = {
  credentials: Credentials;
  /** All interfaces when null. */
  host: string | null;
  /** 0 picks a free one. */
  port: number;
  timers: Timers;
  log: Log;
  /** A peer has dialed; must `listen` before the next turn. */
  onConnection: (connection: Connection) => void;
  onRequest: RequestListener;
  /** Upgrades to other paths than the mesh's; refused without it. */
  onUpgrade?: UpgradeListener;
  /** Those of the TLS port without it. */
  limits?: PortLimits;
};

export type PeerServer = {
  readonly port: number;
  /** Takes no more, ends every socket at once, and resolves when the port is free. */
  close(): Promise<void>;
};

export async function openPeerServer(
  options: PeerServerOptions,
): Promise<{ ok: true; server: PeerServer } | ListenFailure> {
  const { host, port, log, timers, limits = tlsPortLimits } = options;
  const door = createDoor(timers, limits);
  const httpServer = createHttpServer({ keepAliveTimeout: keepAliveMs }, (request, response) => {
    door.request(request.socket, request, response);
    options.onRequest(request, response);
  });
  const upgrade = createUpgrade(options, (socket) => door.upgraded(socket));
  httpServer.on('upgrade', (request, socket, head) => upgrade(request, socket, head));

  const server = createTlsServer({ ...channelOptions(options.credentials), requestCert: true, noDelay: true });
  server.on('connection', (socket) => door.admit(socket));
  server.on('secureConnection', (socket) => {
    // A reset is no news: the socket closes, and that is seen.
    socket.on('error', () => {});
    httpServer.emit('connection', socket);
  });
  server.on('tlsClientError', (error, socket) => {
    log.debug('a TLS handshake failed', { address: formatAddress(socket.remoteAddress, socket.remotePort), error });
    socket.destroy();
  });
  const failure = await new Promise<ListenFailure | undefined>((resolve) => {
    server.once('error', (error) => resolve(listenFailure(error, host, port)));
    server.listen({ port, ...(host === null ? {} : { host }) }, () => resolve(undefined));
  });
  if (failure) return failure;
  server.on('error', (error) => log.error('the mesh port failed', { error }));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      door.closeAll();
    });
  return { ok: true, server: { port: (server.address() as AddressInfo).port, close } };
}

function createUpgrade(options: PeerServerOptions, settled: (socket: TLSSocket) => void): UpgradeListener {
  const webSocketServer = new WebSocketServer({
    ...webSocketOptions,
    noServer: true,
    handleProtocols: (offered) => offered.has(meshProtocol) && meshProtocol,
  });
  const refuse = (socket: TLSSocket, status: string): void => {
    const address = formatAddress(socket.remoteAddress, socket.remotePort);
    options.log.debug('refused an upgrade', { address, status });
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
  };
  return (request, socket, head) => {
    if (!(socket instanceof TLSSocket)) return void socket.destroy();
    if (request.url?.split('?')[0] !== meshPath) {
      if (!options.onUpgrade) return refuse(socket, '404 Not Found');
      settled(socket);
      return options.onUpgrade(request, socket, head);
    }
    const channel = channelFactsOf(socket);
    if (!channel) return refuse(socket, '403 Forbidden');
    if (!protocolsOf(request).includes(meshProtocol)) return refuse(socket, '400 Bad Request');
    const address = formatAddress(socket.remoteAddress, socket.remotePort);
    webSocketServer.handleUpgrade(request, socket, head, (webSocket) => {
      settled(socket);
      const facts = { ...channel, address, dialedByUs: false };
      options.onConnection(createConnection(webSocket, facts, options.timers));
    });
  };
}

const protocolsOf = ({ headers }: IncomingMessage): string[] =>
  (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
