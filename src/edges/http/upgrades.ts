// Upgrades to WebSocket, on both ports: whoever comes under a foreign name or from a foreign page is sent away before
// anything else is looked at (a browser lets any page open a WebSocket anywhere). Then the app is asked, like for any other
// request; only where it says so does the socket become a talk.

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Log } from '../../ports.ts';
import type { OpenTalk } from '../../realtime/talk.ts';
import type { HostRule } from './hosts.ts';
import { isForeign, type OriginRule } from './origins.ts';
import { type Fetch, visitOf } from './server.ts';

export type UpgradePolicy = {
  readonly isHostAllowed: HostRule;
  /** Pages of other origins that may come with a token. */
  readonly isOriginListed: OriginRule;
  readonly httpsOnly: boolean;
};

export type UpgradeRequest = {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly isTls: boolean;
};

/** The status to refuse an upgrade with; undefined where it may go on. */
export function refusalOfUpgrade(request: UpgradeRequest, policy: UpgradePolicy): 403 | 421 | undefined {
  const { host, origin = null, isTls } = request;
  if (!policy.isHostAllowed(host)) return 421;
  if (policy.httpsOnly && !isTls) return 403;
  if (!isForeign({ origin, host: host ?? null, isTls }) || policy.isOriginListed(origin)) return undefined;
  return 403;
}

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export type Upgraded = {
  readonly fetch: Fetch;
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string | undefined, open: OpenTalk): void;
};

/** For both ports: the socket is ours from here on. */
export function createUpgradeListener(policy: UpgradePolicy, log: Log, { fetch, accept }: Upgraded): UpgradeListener {
  return (request, socket, head) => {
    const { headers } = request;
    const asked = { host: headers.host, origin: headers.origin, isTls: socket instanceof TLSSocket };
    const path = request.url?.split('?')[0];
    const isOdd = path !== livePath ? 404 : request.method !== 'GET' ? 405 : undefined;
    const status = refusalOfUpgrade(asked, policy) ?? isOdd;
    // Errors of a socket that is ended anyway are no news; who takes it over sees to them himself.
    const ignore = (): void => {};
    socket.on('error', ignore);
    if (status !== undefined) {
      log.debug('refused an upgrade', { status });
      return end(socket, status, status === 405 ? { Allow: 'GET, HEAD' } : {}, '');
    }
    const offer = readOffer(headers['sec-websocket-protocol']);
    let open: OpenTalk | undefined;
    const visit = {
      ...visitOf(socket as Socket),
      upgrade: (talk: OpenTalk): void => {
        open = talk;
      },
    };
    const settle = async (): Promise<void> => {
      const answer = await fetch(requestOf(request, asked.isTls, offer.token), visit);
      if (!open) return end(socket, answer.status, Object.fromEntries(answer.headers), await answer.text());
      socket.off('error', ignore);
      accept(request, socket, head, offer.protocol, open);
    };
    settle().catch((error: unknown) => {
      log.error('an upgrade broke', { error: error instanceof Error ? error.stack : String(error) });
      socket.destroy();
    });
  };
}

/** What the app looks at: who asks, from where, for what. A token among the subprotocols is one like any other. */
function requestOf({ url = '/', headers }: IncomingMessage, isTls: boolean, token?: string): Request {
  const kept = new Headers();
  for (const name of ['authorization', 'cookie', 'origin', 'host', 'sec-fetch-site']) {
    const value = headers[name];
    if (typeof value === 'string') kept.set(name, value);
  }
  if (token !== undefined && !kept.has('authorization')) {
    // What no header takes is no token of ours, and is refused as such.
    kept.set('authorization', `Bearer ${/^[\x21-\x7e]+$/.test(token) ? token : 'malformed'}`);
  }
  const base = `${isTls ? 'https' : 'http'}://localhost`;
  const path = url.startsWith('/') ? url.replace(/^\/+/, '/') : '/';
  return new Request(new URL(path, base), { headers: kept });
}

const livePath = '/ws';
const liveProtocol = 'tillmesh';
const encodedMark = 'base64url.bearer.';

/**
 * What the client's list of subprotocols says: the last one that is not our name is a token (a browser can send it in no
 * other way). The answer names one that is no secret, where there is one.
 */
export function readOffer(header: string | undefined): { token?: string; protocol: string | undefined } {
  const offered = (header ?? '').split(',').map((name) => name.trim());
  const names = offered.filter((name) => name !== '');
  const token = names.filter((name) => name !== liveProtocol).at(-1);
  const protocol = names.includes(liveProtocol) ? liveProtocol : names[0];
  if (token === undefined) return { protocol };
  const isEncoded = token.startsWith(encodedMark);
  return { token: isEncoded ? Buffer.from(token.slice(encodedMark.length), 'base64url').toString() : token, protocol };
}

const hopByHop = ['connection', 'content-length', 'transfer-encoding', 'keep-alive'];

function end(socket: Duplex, status: number, headers: Record<string, string>, body: string): void {
  const lines = Object.entries(headers).filter(([name]) => !hopByHop.includes(name.toLowerCase()));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
