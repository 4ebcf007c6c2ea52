// Packets that hang, crash or mislead what reads mDNS, on the wire against a running discovery, and the readers alone
// against anything.

import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { mdnsNameJumpsMax } from '../../../src/core/limits.ts';
import { readPacket } from '../../../src/edges/discovery/read-packet.ts';
import { safePacket } from '../../../src/edges/discovery/safe-packet.ts';
import { freePort, look, stranger, until } from './loopback.ts';
import { announcement, attacks, dice, foreignDevice, idOf, mutated, nameBytes, record, shopId } from './packets.ts';

const own = { instance: 'Bar', fullname: 'Bar._tillmesh._tcp.local', host: 'tillmesh-x' };

test.for(attacks)('E10 $title: nobody is seen, nothing is harmed', async ({ packet, isBroken }) => {
  const port = await freePort();
  const a = look('a', { port });
  const attacker = await stranger(port, '127.0.0.66');
  onTestFinished(async () => {
    attacker.close();
    await a.discovery.stop();
  });
  await until(() => a.discovery.status().interfaces.length > 0);
  await attacker.say(packet);
  await until(() => a.discovery.status().packetsHeard === 1);
  expect(a.discovery.status()).toMatchObject({ packetsDropped: isBroken ? 1 : 0, seen: 0, lastError: null });
  await attacker.say(announcement({ id: idOf('b'), name: 'newcomer' }));
  await a.sees('newcomer');
  expect(a.events).toHaveLength(1);
});

test('E10 whatever the bytes are, reading ends, and gives nothing or what was there', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 600 }),
      fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }),
      (bytes, counts) => {
        const packet = Buffer.concat([Buffer.alloc(12), bytes]);
        packet[2] = (bytes[0] ?? 0) & 0x80;
        for (const [index, count] of counts.entries()) packet[5 + index * 2] = count;
        readPacket(packet, own);
      },
    ),
    { numRuns: 5000, seed: 1 },
  );
});

test('E10 what passes the first look is read by the decoder without a complaint', () => {
  const next = dice(7);
  const samples = [announcement({ id: idOf('b'), address: '127.0.0.1' }), foreignDevice()];
  let passed = 0;
  for (let count = 0; count < 20_000; count++) {
    const packet = mutated(samples, next);
    if (safePacket(packet) === null) continue;
    passed++;
    readPacket(packet, own);
  }
  expect(passed).toBeGreaterThan(1000);
});

test('E10 names may be shared by a few pointers, as packers do, and by no more', () => {
  const withJumps = (count: number): Buffer => {
    const names = [nameBytes('_tillmesh', '_tcp', 'local')];
    let at = 12;
    for (let index = 0; index < count; index++) {
      names.push(Buffer.from([1, 97, 0xc0 | (at >> 8), at & 0xff]));
      at = index === 0 ? 12 + 22 + 10 : at + 4 + 10;
    }
    const records = names.map((name) => record(name, 250, Buffer.alloc(0)));
    const header = Buffer.from([0, 0, 0x84, 0, 0, 0, 0, records.length, 0, 0, 0, 0]);
    return Buffer.concat([header, ...records]);
  };
  expect(safePacket(withJumps(mdnsNameJumpsMax))).not.toBeNull();
  expect(safePacket(withJumps(mdnsNameJumpsMax + 1))).toBeNull();
});

test('E10 a long name may not be pointed to by every record of a packet', () => {
  const long = nameBytes(...Array.from({ length: 110 }, () => 'a'), '_tillmesh');
  const withPointers = (count: number): Buffer => {
    const records = [record(long, 250, Buffer.alloc(0))];
    for (let index = 0; index < count; index++)
      records.push(record(Buffer.from([0xc0, 12]), 12, Buffer.from([0xc0, 12])));
    const header = Buffer.from([0, 0, 0x84, 0, 0, 0, records.length >> 8, records.length & 0xff, 0, 0, 0, 0]);
    return Buffer.concat([header, ...records]);
  };
  expect(safePacket(withPointers(30))).not.toBeNull();
  expect(safePacket(withPointers(400))).toBeNull();
});

test('E10 members of TXT named like those of objects are no members', async () => {
  const port = await freePort();
  const a = look('a', { port });
  const attacker = await stranger(port, '127.0.0.66');
  onTestFinished(async () => {
    attacker.close();
    await a.discovery.stop();
  });
  await until(() => a.discovery.status().interfaces.length > 0);
  const txt = ['__proto__=x', 'constructor=y', 'toString=z', `id=${idOf('b')}`, `shop=${shopId}`, 'name=plain'];
  await attacker.say(announcement({ id: idOf('b'), txt }));
  expect(Object.keys(await a.sees('plain')).sort()).toEqual(['address', 'name', 'replicaId', 'shop']);
});
