// Two appliances that each know the other's address, started at the same time: how long after both have said that they
// are ready each of them tells of the link.

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { type Figure, inMs, type Row, type Setting } from './figure.ts';
import { untilLinked } from './shop.ts';

export const linkUp: Figure = { name: 'link-up', run };

async function run({ lab, link, quick, note }: Setting): Promise<Row[]> {
  const times: number[] = [];
  for (let round = 0; round < (quick ? 2 : 8); round++) {
    const [one, other] = [await freePort(), await freePort()];
    const pair = await Promise.all([
      lab.start('one', { meshPort: one, peers: [`127.0.0.1:${other}`] }),
      lab.start('other', { meshPort: other, peers: [`127.0.0.1:${one}`] }),
    ]);
    const readyAt = Math.max(...pair.map((appliance) => appliance.readyAt));
    const linkedAt = Math.max(...(await Promise.all(pair.map((appliance) => untilLinked(appliance, 1)))));
    times.push(Math.max(0, linkedAt - readyAt));
    await Promise.all(pair.map((appliance) => appliance.stop()));
  }
  note(`link up after: ${times.map(inMs).join(', ')}`);
  const bare = await link.handshakeMs();
  const slowest = Math.max(...times);
  return [
    {
      what: `both ends linked, slowest of ${times.length} starts`,
      measured: inMs(slowest),
      beside: `${inMs(bare)} bare TLS WebSocket`,
      ratio: slowest / bare,
      wanted: quick ? '≤ 200 ×' : '< 500 ms',
      passed: quick ? slowest / bare <= 200 : slowest < 500,
    },
  ];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
