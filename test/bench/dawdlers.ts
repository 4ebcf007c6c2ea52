// A till that sells while five hundred sockets say a request byte by byte (slowloris), and new ones come for those that were
// ended. Beside it the same till without them.

import { connect, type Socket } from 'node:net';
import { type Figure, inMs, type Row, type Setting } from './figure.ts';
import type { BenchAppliance } from './lab.ts';
import { openRawConnection, requestBytes } from './raw-connection.ts';
import { makeTills, postAll } from './shop.ts';
import { quantileOf } from './statistics.ts';
import { productCount, products, ticket } from './tickets.ts';

export const dawdlers: Figure = { name: 'dawdlers', run };

const socketCount = 500;
const byteEveryMs = 200;

async function run({ lab, quick, note }: Setting): Promise<Row[]> {
  const appliance = await lab.start('dawdled at');
  await postAll(appliance.admin, '/api/v1/products', products(productCount));
  const [token = ''] = await makeTills(appliance.admin, 1);
  const count = quick ? 300 : 1500;
  const alone = await sell(appliance, token, count, 0);
  const slow = openDawdlers(appliance.port);
  await slow.untilOpen();
  const among = await sell(appliance, token, count, 1);
  note(`${slow.openCount()} sockets open at the end, ${slow.endedCount()} were ended meanwhile`);
  slow.end();
  const [p99, p99Alone] = [quantileOf(among, 0.99), quantileOf(alone, 0.99)];
  return [
    {
      what: `a sale among ${socketCount} sockets that dawdle, p99`,
      measured: inMs(p99),
      beside: `${inMs(p99Alone)} without them`,
      ratio: p99 / p99Alone,
      wanted: quick ? '≤ 50 ×' : '< 200 ms',
      passed: quick ? p99 / p99Alone <= 50 : p99 < 200,
    },
  ];
}

/** One after another; how long each took, ms. */
async function sell({ port }: BenchAppliance, token: string, count: number, round: number): Promise<number[]> {
  const till = await openRawConnection(port);
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const body = ticket({ run: round, till: 0 }, index, Date.now());
    const startedAt = performance.now();
    const { status } = await till.ask(requestBytes('POST', '/api/v1/tickets', token, body));
    if (status !== 201) throw new Error(`a ticket was answered with ${status}`);
    times.push(performance.now() - startedAt);
  }
  till.end();
  return times;
}

function openDawdlers(port: number) {
  const open = new Set<Socket>();
  let ended = 0;
  let isOver = false;

  function dawdle(): void {
    if (isOver) return;
    const socket = connect(port, '127.0.0.1', () => {
      open.add(socket);
      socket.write('POST /api/v1/tickets HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    });
    socket.on('error', () => {});
    socket.resume();
    socket.on('close', () => {
      open.delete(socket);
      if (isOver) return;
      ended += 1;
      setTimeout(dawdle, byteEveryMs);
    });
  }

  for (let index = 0; index < socketCount; index++) dawdle();
  const drip = setInterval(() => {
    for (const socket of open) socket.write('x');
  }, byteEveryMs);

  return {
    async untilOpen(): Promise<void> {
      const deadline = performance.now() + 10_000;
      while (open.size < socketCount && performance.now() < deadline) await new Promise((go) => setTimeout(go, 20));
    },
    openCount: () => open.size,
    endedCount: () => ended,
    end(): void {
      isOver = true;
      clearInterval(drip);
      for (const socket of open) socket.destroy();
    },
  };
}
