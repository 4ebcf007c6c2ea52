// The load generator, a process of its own: many connections, each sending the next ticket as soon as the last one is
// answered. Takes its orders from the parent process and tells what came of each.

import { openRawConnection, type RawConnection } from './raw-connection.ts';
import { createTicketRequests, type TicketRequests } from './tickets.ts';

export type Order = {
  readonly port: number;
  /** One for each connection. */
  readonly tokens: readonly string[];
  /** Of all orders of one bench, so that no two send the same ticket. */
  readonly run: number;
  /** What comes first: by time, or by count. */
  readonly seconds: number;
  readonly ticketsMax?: number;
};

export type Outcome = {
  readonly acknowledged: number;
  /** Answers other than 201. */
  readonly others: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What this process itself took of a core: near 1, it was the bottleneck. */
  readonly coreShare: number;
};

async function run(order: Order): Promise<Outcome> {
  const connections = await Promise.all(order.tokens.map(() => openRawConnection(order.port)));
  const latencies: number[] = [];
  const tally = { acknowledged: 0, others: 0, sent: 0 };
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const until = { at: startedAt + order.seconds * 1000, sent: order.ticketsMax ?? Number.POSITIVE_INFINITY };
  await Promise.all(
    connections.map((connection, index) => {
      const requests = createTicketRequests(order.tokens[index] ?? '', { run: order.run, till: index });
      return keepSending(connection, requests, until, tally, latencies);
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const connection of connections) connection.end();
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0;
  const { acknowledged, others } = tally;
  return { acknowledged, others, seconds, p50Ms: at(0.5), p99Ms: at(0.99), coreShare: (user + system) / 1e6 / seconds };
}

function keepSending(
  connection: RawConnection,
  requests: TicketRequests,
  until: { readonly at: number; readonly sent: number },
  tally: { acknowledged: number; others: number; sent: number },
  latencies: number[],
): Promise<void> {
  return new Promise((resolve) => {
    let sentAt = performance.now();
    const sendNext = (): void => {
      if (sentAt >= until.at || tally.sent >= until.sent) return resolve();
      tally.sent += 1;
      connection.send(requests.next(Date.now()), answered);
    };
    const answered = (status: number): void => {
      const now = performance.now();
      if (status === 201) tally.acknowledged += 1;
      else tally.others += 1;
      latencies.push(now - sentAt);
      sentAt = now;
      sendNext();
    };
    sendNext();
  });
}

process.on('message', (order: Order) => {
  run(order).then(
    (outcome) => process.send?.({ outcome }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
