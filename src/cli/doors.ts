// Both ports of the appliance: HTTP for tills, TLS for peers (and the same HTTP). They are opened before there is an
// appliance, because it must know its port numbers; until `open` they ask everybody to come back in a moment.

import type { Appliance } from '../appliance.ts';
import type { Settings } from '../config.ts';
import { type Fetch, openHttpServer, toListener } from '../edges/listen.ts';
import type { Credentials } from '../edges/peer/channel.ts';
import { openPeerServer } from '../edges/peer/server.ts';
import type { Log, Timers } from '../ports.ts';
import type { Refused } from './house.ts';
import { portSentence } from './ports-free.ts';

export type Doors = {
  readonly port: number;
  readonly meshPort: number;
  open(appliance: Appliance, fetch: Fetch): void;
  /** Who is being answered has a moment to get it. */
  close(): Promise<void>;
};

const answerGraceMs = 2_000;

const startingAnswer: Fetch = () =>
  new Response(
    '{"title":"The appliance is starting.","status":503,"code":"not_ready","detail":"Ask again in a moment."}',
    {
      status: 503,
      headers: { 'content-type': 'application/problem+json', 'retry-after': '1' },
    },
  );

export async function openDoors(
  settings: Settings,
  credentials: Credentials,
  { log, timers }: { log: Log; timers: Timers },
): Promise<{ ok: true; doors: Doors } | Refused> {
  const { host, port } = settings;
  let answer = startingAnswer;
  let appliance: Appliance | undefined;
  const onRequest = toListener(() => answer);
  const http = await openHttpServer(onRequest, { host, port, timers }).catch((error: unknown) =>
    portSentence(error, host, port, '--port'),
  );
  if (typeof http === 'string') return { ok: false, detail: http };
  const mesh = await openPeerServer({
    credentials,
    host,
    port: settings.meshPort,
    timers,
    log,
    onConnection: (connection) => (appliance ? appliance.accept(connection) : connection.close('starting')),
    onRequest,
  });
  if (!mesh.ok) {
    await http.close(0);
    return { ok: false, detail: mesh.detail };
  }
  const doors: Doors = {
    port: http.port,
    meshPort: mesh.server.port,
    open(opened, fetch) {
      appliance = opened;
      answer = fetch;
    },
    async close() {
      appliance = undefined;
      await http.close(answerGraceMs);
      await mesh.server.close();
    },
  };
  return { ok: true, doors };
}
