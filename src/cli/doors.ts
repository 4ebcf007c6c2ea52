// Both ports of the appliance: HTTP for tills, TLS for peers (and the same HTTP). They are opened before there is an
// appliance, because it must know its port numbers; until `open` they ask everybody to come back in a moment.

import type { Appliance } from '../appliance.ts';
import type { Settings } from '../config.ts';
import { httpCloseMs, httpPortLimits, liveTlsSocketsMax } from '../core/limits.ts';
import { originRuleOf } from '../edges/http/app.ts';
import { createHostRule } from '../edges/http/hosts.ts';
import type { OriginRule } from '../edges/http/origins.ts';
import { createRequestListener, type Fetch, openHttpServer } from '../edges/http/server.ts';
import { createUpgradeListener } from '../edges/http/upgrades.ts';
import { createLiveSockets, type LiveSockets } from '../edges/live/sockets.ts';
import type { Credentials } from '../edges/peer/channel.ts';
import { createDoor } from '../edges/peer/door.ts';
import { openPeerServer } from '../edges/peer/server.ts';
import type { Log, Timers } from '../ports.ts';
import type { Refused } from './house.ts';
import { namesOf } from './served-origins.ts';

export type Doors = {
  readonly port: number;
  readonly meshPort: number;
  open(appliance: Appliance, fetch: Fetch): void;
  /** Who is being answered has a moment to get it. */
  close(): Promise<void>;
};

const startingText = JSON.stringify({
  title: 'The appliance is starting.',
  status: 503,
  code: 'not_ready',
  detail: 'Ask again in a moment.',
});

const startingAnswer: Fetch = () =>
  new Response(startingText, {
    status: 503,
    headers: { 'Content-Type': 'application/problem+json', 'Retry-After': '1' },
  });

export async function openDoors(
  settings: Settings,
  credentials: Credentials,
  { log, timers }: { log: Log; timers: Timers },
): Promise<{ ok: true; doors: Doors } | Refused> {
  const { host, port, meshPort } = settings;
  let answer = startingAnswer;
  let appliance: Appliance | undefined;
  const isHostAllowed = createHostRule(namesOf(settings));
  const listener = createRequestListener((request, visit) => answer(request, visit), log, isHostAllowed);
  const { corsOrigins, httpsOnly } = settings;
  let isOriginListed: OriginRule = () => false;
  const [plainSockets, tlsSockets] = [createLiveSockets(timers), createLiveSockets(timers, liveTlsSocketsMax)];
  const policy = { isHostAllowed, isOriginListed: (origin: string | null) => isOriginListed(origin), httpsOnly };
  const upgradesTo = ({ accept }: LiveSockets) =>
    createUpgradeListener(policy, log, { fetch: (request, visit) => answer(request, visit), accept });
  const visitors = createDoor(timers, httpPortLimits);
  const onUpgrade = upgradesTo(plainSockets);
  const http = await openHttpServer({ listener, visitors, onUpgrade, host, port, timers, log });
  if (!http.ok) return http;
  const mesh = await openPeerServer({
    credentials,
    host,
    port: meshPort,
    timers,
    log,
    onConnection: (connection) => (appliance ? appliance.accept(connection) : connection.close('starting')),
    onRequest: listener,
    onUpgrade: upgradesTo(tlsSockets),
  });
  if (!mesh.ok) {
    await http.server.close();
    return mesh;
  }
  const doors: Doors = {
    port: http.server.port,
    meshPort: mesh.server.port,
    open(opened, fetch) {
      appliance = opened;
      isOriginListed = originRuleOf(opened, corsOrigins);
      answer = fetch;
    },
    async close() {
      appliance = undefined;
      plainSockets.closeAll();
      tlsSockets.closeAll();
      // Whatever became of a socket: nobody waits for it.
      const late = timers.after(httpCloseMs, visitors.closeAll);
      await http.server.close();
      late.cancel();
      await mesh.server.close();
    },
  };
  return { ok: true, doors };
}
