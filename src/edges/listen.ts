// The plain HTTP port: opens it, hands requests to an app, and closes it without cutting off who is being answered.

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { keepAliveMs, requestMs } from '../core/limits.ts';
import type { TimerHandle, Timers } from '../ports.ts';

export type HttpServer = {
  readonly port: number;
  /** Takes no more; resolves when all are answered, or cut off after `graceMs`. */
  close(graceMs: number): Promise<void>;
};

const sweepMs = 25;

/** What answers a request; may change while the server runs. */
export type Fetch = (request: Request) => Response | Promise<Response>;

export const toListener = (fetch: () => Fetch): RequestListener => {
  const listener = getRequestListener((request) => fetch()(request));
  return (request, response) => void listener(request, response);
};

/** `host` null is all interfaces, `port` 0 a free one. Rejects with Node's error when the port cannot be had. */
export async function openHttpServer(
  onRequest: RequestListener,
  { host, port, timers }: { host: string | null; port: number; timers: Timers },
): Promise<HttpServer> {
  const server = createServer({ keepAliveTimeout: keepAliveMs, requestTimeout: requestMs, noDelay: true }, onRequest);
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: (graceMs) =>
      new Promise((resolve) => {
        const cutOff = timers.after(graceMs, () => server.closeAllConnections());
        let sweep: TimerHandle | undefined;
        server.close(() => {
          cutOff.cancel();
          sweep?.cancel();
          resolve();
        });
        // A connection whose answer has just left is idle only then.
        const sweepAgain = (): void => {
          server.closeIdleConnections();
          sweep = timers.after(sweepMs, sweepAgain);
        };
        sweepAgain();
      }),
  };
}

const listen = (server: Server, host: string | null, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === null ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
