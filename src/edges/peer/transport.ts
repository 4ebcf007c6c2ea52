// The Transport port: dials mesh ports. A dial ends within its time, whatever does not answer, and says why in words of
// our own: what the other end sent is never repeated.

import { connect, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { dialMs } from '../../core/limits.ts';
import type { DialOutcome, Timers, Transport } from '../../ports.ts';
import { type Address, formatAddress, parseAddress } from './address.ts';
import { type Credentials, channelFactsOf, channelOptions, meshPath, meshProtocol } from './channel.ts';
import { createConnection, webSocketOptions } from './connection.ts';

export type PeerTransport = Transport & {
  /** Ends dials that are under way and connections that were dialed; dials fail from here on. */
  close(): void;
};

export function createTransport(credentials: Credentials, timers: Timers): PeerTransport {
  const channel = channelOptions(credentials);
  const sockets = new Set<TLSSocket>();
  let isClosed = false;

  return {
    dial(text, done) {
      const address = parseAddress(text);
      if (!address || isClosed) {
        const reason = isClosed ? 'this appliance is stopping' : `${text} is no address: write HOST:PORT`;
        timers.soon(() => done({ ok: false, reason }));
        return;
      }
      const socket = connect({ ...channel, ...address, servername: '' });
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      upgrade(socket, address, timers, done);
    },
    close() {
      isClosed = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

function upgrade(socket: TLSSocket, address: Address, timers: Timers, done: (outcome: DialOutcome) => void): void {
  const name = formatAddress(address.host, address.port);
  // The host in it names nothing: the socket is there already, and an address with a zone (%eth0) is no URL.
  const webSocket = new WebSocket(`wss://${meshProtocol}${meshPath}`, meshProtocol, {
    ...webSocketOptions,
    createConnection: () => socket,
    // Masks keep a page's script from forging bytes for a proxy; inside TLS there is none. A mask of zeros needs no copy:
    // a frame of 64 KB costs a third.
    generateMask: () => {},
  });
  let isDone = false;
  const finish = (outcome: DialOutcome): void => {
    if (isDone) return;
    isDone = true;
    timeout.cancel();
    if (!outcome.ok) socket.destroy();
    done(outcome);
  };
  const fail = (reason: string): void => finish({ ok: false, reason });
  const timeout = timers.after(dialMs, () => fail(`${name} did not answer within ${dialMs / 1000} s`));
  socket.on('error', (error) => fail(dialReason(error, name)));
  socket.on('close', () => fail(`${name} closed the connection`));
  webSocket.on('error', (error) => fail(dialReason(error, name)));
  webSocket.on('open', () => {
    const facts = channelFactsOf(socket);
    if (!facts) return fail(notAnAppliance(name));
    finish({
      ok: true,
      connection: createConnection(webSocket, { ...facts, address: name, dialedByUs: true }, timers),
    });
  });
}

const notAnAppliance = (name: string): string => `${name} answers, but not as an appliance's mesh port does`;

function dialReason(error: Error, name: string): string {
  const code = 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ECONNREFUSED':
      return `nothing listens at ${name}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name in ${name} is not known`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return `${name} cannot be reached from here`;
    case 'ETIMEDOUT':
      return `${name} did not answer`;
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ERR_SOCKET_CLOSED': // Bun's word for it
      return `${name} closed the connection`;
    default:
      return notAnAppliance(name);
  }
}
