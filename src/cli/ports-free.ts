// Whether the ports can be had, asked before anything is written: a start that fails must leave nothing behind.

import { createServer } from 'node:net';
import type { Settings } from '../config.ts';

/** Undefined when both ports can be opened; else what is wrong, as a sentence with its remedy. */
export async function portTrouble({ host, port, meshPort }: Settings): Promise<string | undefined> {
  if (port !== 0 && port === meshPort) return `--port and --mesh-port are both ${port}; give them different numbers`;
  return (await tryPort(host, port, '--port')) ?? (await tryPort(host, meshPort, '--mesh-port'));
}

const tryPort = (host: string | null, port: number, flag: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(portSentence(error, host, port, flag)));
    server.listen({ port, ...(host === null ? {} : { host }) }, () => server.close(() => resolve(undefined)));
  });

export function portSentence(error: unknown, host: string | null, port: number, flag: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} is in use by another program; stop it, or choose another port with ${flag}`;
    case 'EACCES':
    case 'EPERM':
      return `port ${port} may not be used by this user; choose one above 1023 with ${flag}`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `no network interface here has the address ${host}; correct --host`;
    default:
      return `port ${port} cannot be opened (${code}); choose another with ${flag}`;
  }
}
