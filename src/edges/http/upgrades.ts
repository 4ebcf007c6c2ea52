// Upgrades to WebSocket, on both ports: whoever comes under a foreign name or from a foreign page is sent away before
// anything is upgraded (a browser lets any page open a WebSocket anywhere). Behind the checks nothing is served yet.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Log } from '../../ports.ts';
import type { HostRule } from './hosts.ts';
import { isForeign, isListedOrigin } from './origins.ts';

export type UpgradePolicy = {
  readonly isHostAllowed: HostRule;
  readonly corsOrigins: readonly string[];
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
  if (!isForeign({ origin, host: host ?? null, isTls }) || isListedOrigin(origin, policy.corsOrigins)) return undefined;
  return 403;
}

const reasons = { 403: 'Forbidden', 404: 'Not Found', 421: 'Misdirected Request' } as const;

/** For both ports: the socket is ours from here on. */
export function createUpgradeListener(
  policy: UpgradePolicy,
  log: Log,
): (request: IncomingMessage, socket: Duplex) => void {
  return ({ headers }, socket) => {
    const asked = { host: headers.host, origin: headers.origin, isTls: socket instanceof TLSSocket };
    const status = refusalOfUpgrade(asked, policy) ?? 404;
    log.debug('refused an upgrade', { status });
    socket.on('error', () => {});
    const head = `HTTP/1.1 ${status} ${reasons[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
    socket.end(head, () => socket.destroy());
  };
}
