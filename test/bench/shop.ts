// What several figures do with appliances: fill them, link them, wait until they are linked or have everything.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../../src/demo/appliance-process.ts';
import type { BenchAppliance, Lab } from './lab.ts';
import { openRawConnection, requestBytes } from './raw-connection.ts';

/** Tills that sell at the same time. */
export const connectionCount = 32;

const waitMsMax = 60_000;
const askEveryMs = 2;

/** A token of its own for each of `count` tills. */
export async function makeTills(admin: Api, count: number): Promise<string[]> {
  const made = Array.from({ length: count }, (_, index) =>
    admin.post<{ token: string }>('/api/v1/terminals', { name: `Till ${index + 1}` }),
  );
  return (await Promise.all(made)).map(({ token }) => token);
}

/** In batches of 1000. */
export async function postAll(admin: Api, path: string, items: readonly unknown[]): Promise<void> {
  for (let from = 0; from < items.length; from += 1000) {
    await admin.post(`${path}/batch`, { items: items.slice(from, from + 1000) });
  }
}

type Status = { connected: number; meshPort: number };

export const meshAddress = async ({ admin }: BenchAppliance): Promise<string> =>
  `127.0.0.1:${(await admin.get<Status>('/api/v1/p2p/status')).meshPort}`;

/** Two new appliances, linked. */
export async function linkedPair(lab: Lab): Promise<[near: BenchAppliance, far: BenchAppliance]> {
  const near = await lab.start('near');
  const far = await lab.start('far', { peers: [await meshAddress(near)] });
  await Promise.all([near, far].map((appliance) => untilLinked(appliance, 1)));
  return [near, far];
}

/** When it told of so many links, as performance.now() tells it. */
export const untilLinked = (appliance: BenchAppliance, count: number): Promise<number> =>
  untilTold<Status>(appliance, '/api/v1/p2p/status', ({ connected }) => connected >= count);

export type Part = 'products' | 'tickets';

/** When it held so many of them, as performance.now() tells it. */
export const untilCount = (appliance: BenchAppliance, part: Part, count: number): Promise<number> =>
  untilTold<{ counts: Record<Part, number> }>(appliance, '/api/v1/gossip/info', ({ counts }) => counts[part] >= count);

/** Asks over one connection, which costs the appliance little. */
async function untilTold<Told>(
  { port, adminToken, name }: BenchAppliance,
  path: string,
  isTrue: (told: Told) => boolean,
): Promise<number> {
  const connection = await openRawConnection(port);
  const request = requestBytes('GET', path, adminToken);
  const deadline = performance.now() + waitMsMax;
  try {
    for (;;) {
      const text = (await connection.ask(request)).body.toString();
      const at = performance.now();
      if (isTrue(JSON.parse(text) as Told)) return at;
      if (at > deadline) throw new Error(`${name} did not get there in ${waitMsMax / 1000} s; it says ${text}`);
      await sleep(askEveryMs);
    }
  } finally {
    connection.end();
  }
}
