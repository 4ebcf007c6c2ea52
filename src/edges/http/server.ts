// The plain HTTP port: listens, bounds what a connection may cost before the app sees it, and closes in bounded time.

import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { type Failure, failure } from '../../core/command.ts';
import {
  batchBodyBytesMax,
  httpCloseMs,
  httpHeadBytesMax,
  httpHeadMs,
  keepAliveMs,
  refusedNamesToldMax,
  requestMs,
} from '../../core/limits.ts';
import type { Log, TimerHandle, Timers } from '../../ports.ts';
import type { HostRule } from './hosts.ts';
import { isFromHere, type Visit } from './origins.ts';
import { problemDocument, statusOf } from './problems.ts';

export type Fetch = (request: Request, visit: Visit) => Response | Promise<Response>;

/** The app as Node's servers call it; for the plain port and the TLS port alike. */
export function createRequestListener(fetch: Fetch, log: Log, isHostAllowed: HostRule): RequestListener {
  const listener = createAppListener(fetch, log);
  const tell = tellRefusedNames(log);
  return (request, response) => {
    if (isHostAllowed(request.headers.host)) return void listener(request, response);
    tell(request.headers.host ?? '');
    response.writeHead(421, { Connection: 'close', 'Content-Length': '0' }).end();
  };
}

/** Each name once, and only some: whoever set a name up and forgot to allow it finds it, and nobody fills the log. */
function tellRefusedNames(log: Log): (name: string) => void {
  const told = new Set<string>();
  return (name) => {
    if (told.size >= refusedNamesToldMax || told.has(name)) return;
    told.add(name);
    log.warn('refused a request for a name that is not ours; if it is, allow it with --allow-host', { name });
  };
}

function createAppListener(fetch: Fetch, log: Log) {
  // Without `hostname` node-server would refuse HTTP/1.0, which has no Host.
  return getRequestListener((request, { incoming }) => fetch(request, visitOf(incoming.socket)), {
    hostname: 'localhost',
    errorHandler(error) {
      const isTheirs = error instanceof Error && error.name === 'RequestError';
      if (!isTheirs) log.error('a request broke', { error: error instanceof Error ? error.stack : String(error) });
      const problem = isTheirs
        ? failure('request_malformed', 'The address or the Host header is not as HTTP has it.')
        : failure('internal', '');
      const headers = { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' };
      return new Response(problemText(problem), { status: statusOf(problem.code), headers });
    },
  });
}

/** Told by the socket alone: what a header says of an address anybody can write. */
export function visitOf(socket: Socket): Visit {
  const address = plainAddress(socket.remoteAddress);
  return {
    address,
    isTls: 'encrypted' in socket && socket.encrypted === true,
    isFromHere: isFromHere(address, plainAddress(socket.localAddress)),
  };
}

const plainAddress = (address: string | undefined): string | undefined => address?.replace(/^::ffff:/, '');

const problemText = (problem: Failure): string => JSON.stringify(problemDocument(problem));

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Who may hold a socket for how long. */
export type Visitors = {
  admit(socket: Socket): void;
  request(socket: Socket, request: IncomingMessage, response: ServerResponse): void;
  upgraded(socket: Socket): void;
};

export type HttpServerOptions = {
  readonly listener: RequestListener;
  readonly visitors: Visitors;
  /** Without it an upgrade is answered as if it had not been asked for. */
  readonly onUpgrade?: UpgradeListener;
  /** Null for all interfaces. */
  readonly host: string | null;
  /** 0 picks one. */
  readonly port: number;
  readonly timers: Timers;
  readonly log: Log;
};

export type HttpServer = {
  readonly port: number;
  /** For upgrades to WebSocket. */
  readonly server: Server;
  /** Takes no more, lets answers under way end for a moment, then ends every socket. */
  close(): Promise<void>;
};

export async function openHttpServer(
  options: HttpServerOptions,
): Promise<{ readonly ok: true; readonly server: HttpServer } | Failure> {
  const { visitors, host, port, timers, log } = options;
  const listener: RequestListener = (request, response) => {
    visitors.request(request.socket, request, response);
    options.listener(request, response);
  };
  const server = createServer(
    {
      maxHeaderSize: httpHeadBytesMax,
      headersTimeout: httpHeadMs,
      requestTimeout: requestMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: httpHeadMs / 2,
      // Tools offer h2c with any request; without this they would be taken at their word.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    listener,
  );
  server.on('connection', (socket) => visitors.admit(socket));
  server.on('clientError', refuse);
  const { onUpgrade } = options;
  if (onUpgrade)
    server.on('upgrade', (request, socket, head) => {
      visitors.upgraded(request.socket);
      onUpgrade(request, socket, head);
    });
  server.on('checkContinue', (request, response) => {
    // Who would send too much is told before he does.
    if (!(Number(request.headers['content-length'] ?? 0) > batchBodyBytesMax)) response.writeContinue();
    listener(request, response);
  });
  const trouble = await listen(server, host, port);
  if (trouble) return trouble;
  server.on('error', (error) => log.error('the HTTP port failed', { error: String(error) }));
  const bound = (server.address() as AddressInfo).port;
  return { ok: true, server: { port: bound, server, close: () => close(server, timers) } };
}

function listen(server: Server, host: string | null, port: number): Promise<Failure | undefined> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve(listenFailure(error, host, port));
    server.once('error', failed);
    server.listen({ port, ...(host === null ? {} : { host }) }, () => {
      server.off('error', failed);
      resolve(undefined);
    });
  });
}

function listenFailure({ code, message }: NodeJS.ErrnoException, host: string | null, port: number): Failure {
  switch (code) {
    case 'EADDRINUSE':
      return failure('port_in_use', `Port ${port} is in use: stop what uses it, or choose another with --port.`);
    case 'EACCES':
      return failure('port_not_permitted', `Port ${port} may not be used by this user: choose one above 1023.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return failure('host_unknown', `This machine has no address ${host}: correct --host, or leave it out.`);
    default:
      return failure('listen_failed', `Port ${port} cannot be opened: ${code ?? message}.`);
  }
}

const sweepMs = 25;

function close(server: Server, timers: Timers): Promise<void> {
  return new Promise((resolve) => {
    const timer = timers.after(httpCloseMs, () => server.closeAllConnections());
    let sweeping: TimerHandle | undefined;
    server.close(() => {
      timer.cancel();
      sweeping?.cancel();
      resolve();
    });
    // A connection whose answer has only just left becomes idle after this; nobody should wait for it.
    const sweep = (): void => {
      server.closeIdleConnections();
      sweeping = timers.after(sweepMs, sweep);
    };
    sweep();
  });
}

const statusByParserError: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What is no HTTP gets one answer, and the socket its end. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const status = statusByParserError[error.code ?? ''] ?? '400 Bad Request';
  const text = problemText(failure('request_malformed', 'This is not a request as HTTP has it.'));
  const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n`;
  socket.end(head + text, () => socket.destroy());
}
