// Packets as others send them: an appliance's, a printer's, what an attacker makes, and mutations of all of them.

import { type Answer, AUTHORITATIVE_ANSWER, encode } from 'dns-packet';

export const service = '_tillmesh._tcp.local';
export const idOf = (character: string): string => character.repeat(26);
export const shopId = idOf('s');

export type Said = {
  id: string;
  shop?: string;
  name?: string;
  label?: string;
  start?: string;
  port?: number;
  ttl?: number;
  host?: string;
  /** An A record of the host, where there is one. */
  address?: string;
  txt?: (string | Buffer)[];
};

export const labelOf = ({ id, label = id }: Said): string => label;

/** All that an appliance says of itself. */
export function announcement(...all: Said[]): Buffer {
  const answers: Answer[] = [];
  const additionals: Answer[] = [];
  for (const said of all) {
    const { id, shop = shopId, name = 'Bar', start = '0', port = 3031, ttl = 120, host = `${id}.local` } = said;
    const fullname = `${labelOf(said)}.${service}`;
    const txt = said.txt ?? [`id=${id}`, `shop=${shop}`, 'v=1', `start=${start}`, `name=${name}`];
    answers.push(
      { type: 'PTR', name: service, ttl, data: fullname },
      { type: 'SRV', name: fullname, ttl, flush: true, data: { port, target: host, priority: 0, weight: 0 } },
      { type: 'TXT', name: fullname, ttl, flush: true, data: txt },
    );
    if (said.address) additionals.push({ type: 'A', name: host, ttl, flush: true, data: said.address });
  }
  return encode({ type: 'response', flags: AUTHORITATIVE_ANSWER, answers, additionals });
}

export const goodbye = (said: Said): Buffer => announcement({ ...said, ttl: 0 });

/** Of an instance nothing but its name. */
export const nameOnly = (said: Said): Buffer =>
  encode({
    type: 'response',
    flags: AUTHORITATIVE_ANSWER,
    answers: [{ type: 'PTR', name: service, ttl: 4500, data: `${labelOf(said)}.${service}` }],
  });

export const question = (name = service, type: 'PTR' | 'ANY' | 'SRV' | 'TXT' | 'A' = 'PTR'): Buffer =>
  // The declaration knows no ANY; the library does.
  encode({ type: 'query', questions: [{ type: type as 'PTR', name }] });

export const knowing = (ttl: number, ...fullnames: string[]): Buffer =>
  encode({
    type: 'query',
    questions: [{ type: 'PTR', name: service }],
    answers: fullnames.map((data) => ({ type: 'PTR', name: service, ttl, data }) as const),
  });

/** A television, with the records that Apple's and Google's devices send. */
export function foreignDevice(type = '_googlecast._tcp.local'): Buffer {
  const fullname = `Chromecast-Ultra-1234.${type}`;
  return encode({
    type: 'response',
    flags: AUTHORITATIVE_ANSWER,
    answers: [
      { type: 'PTR', name: type, ttl: 120, data: fullname },
      { type: 'PTR', name: '_services._dns-sd._udp.local', ttl: 4500, data: type },
    ],
    additionals: [
      { type: 'TXT', name: fullname, ttl: 4500, flush: true, data: ['id=123', 'md=tillmesh of another kind'] },
      { type: 'SRV', name: fullname, ttl: 120, flush: true, data: { port: 8009, target: 'tv.local' } },
      { type: 'A', name: 'tv.local', ttl: 120, flush: true, data: '127.0.0.66' },
      { type: 'AAAA', name: 'tv.local', ttl: 120, flush: true, data: 'fe80::1' },
      { type: 'NSEC', name: fullname, ttl: 120, flush: true, data: { nextDomain: fullname, rrtypes: ['TXT', 'SRV'] } },
    ],
  });
}

const header = (questions: number, answers: number, authorities = 0, additionals = 0, isAnswer = true): Buffer => {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(isAnswer ? 0x8400 : 0, 2);
  [questions, answers, authorities, additionals].forEach((count, index) => {
    bytes.writeUInt16BE(count, 4 + index * 2);
  });
  return bytes;
};

export const nameBytes = (...labels: (string | Buffer)[]): Buffer =>
  Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.alloc(1),
  ]);

const serviceBytes = nameBytes('_tillmesh', '_tcp', 'local');

export function record(name: Buffer, type: number, data: Buffer, length = data.length): Buffer {
  const middle = Buffer.alloc(10);
  middle.writeUInt16BE(type, 0);
  middle.writeUInt16BE(1, 2);
  middle.writeUInt32BE(120, 4);
  middle.writeUInt16BE(length, 8);
  return Buffer.concat([name, middle, data]);
}

const packetOf = (...records: Buffer[]): Buffer => Buffer.concat([header(0, records.length), ...records]);

/** A record whose content is a chain of pointers, each to the one before, and one that is named by the last of them. */
function chainOf(count: number): Buffer {
  const start = 12 + serviceBytes.length + 10;
  const pointers = Buffer.alloc(count * 2);
  for (let index = 0; index < count; index++) {
    pointers.writeUInt16BE(0xc000 + (index === 0 ? 12 : start + (index - 1) * 2), index * 2);
  }
  const last = Buffer.alloc(2);
  last.writeUInt16BE(0xc000 + start + (count - 1) * 2);
  return packetOf(record(serviceBytes, 250, pointers), record(last, 12, serviceBytes));
}

/** By name, each of which once did harm somewhere, or might. `isBroken`: it must be counted as dropped. */
export const attacks: readonly { title: string; packet: Buffer; isBroken: boolean }[] = [
  {
    title: 'a name that points to itself (18 bytes, hung mdns-js for ever)',
    packet: Buffer.concat([header(1, 0, 0, 0, false), Buffer.from([0xc0, 12, 0, 12, 0, 1])]),
    isBroken: false,
  },
  {
    title: 'the same, about our service',
    packet: Buffer.concat([header(2, 0, 0, 0, false), serviceBytes, Buffer.from([0, 12, 0, 1, 0xc0, 38, 0, 12, 0, 1])]),
    isBroken: true,
  },
  {
    title: 'a record of 36 bytes of a type that is no type (crashed mdns-js)',
    packet: packetOf(record(nameBytes('_tcp'), 12, nameBytes('xyzxyz'))),
    isBroken: false,
  },
  {
    title: 'a service type of more than 20 characters',
    packet: foreignDevice('_a-service-type-that-is-much-too-long._tcp.local'),
    isBroken: false,
  },
  { title: 'a service outside .local', packet: foreignDevice('_http._tcp.example.com'), isBroken: false },
  {
    title: 'our service outside .local',
    packet: foreignDevice('_tillmesh._tcp.example.com'),
    isBroken: false,
  },
  {
    title: 'our service with another protocol',
    packet: foreignDevice('_tillmesh._sctp.local'),
    isBroken: false,
  },
  {
    title: 'a pointer forwards',
    packet: packetOf(record(Buffer.from([0xc0, 40]), 12, serviceBytes), record(serviceBytes, 12, serviceBytes)),
    isBroken: true,
  },
  {
    title: 'two pointers to each other',
    packet: packetOf(record(serviceBytes, 12, Buffer.from([0xc0, 46, 0xc0, 44]))),
    isBroken: true,
  },
  { title: 'a chain of 4000 pointers', packet: chainOf(4000), isBroken: true },
  { title: 'a header only', packet: header(0, 0), isBroken: false },
  { title: 'nothing', packet: Buffer.alloc(0), isBroken: false },
  { title: 'the name of our service and nothing else', packet: Buffer.from('_tillmesh'), isBroken: true },
  {
    title: 'counts that are not there',
    packet: Buffer.concat([header(65535, 65535, 65535, 65535), serviceBytes]),
    isBroken: true,
  },
  {
    title: 'cut in the middle of a record',
    packet: announcement({ id: idOf('t') }).subarray(0, 150),
    isBroken: true,
  },
  {
    title: 'more than 9000 bytes',
    packet: Buffer.concat([announcement({ id: idOf('t') }), Buffer.alloc(9000)]),
    isBroken: true,
  },
  {
    title: 'thousands of records',
    packet: Buffer.concat([
      header(0, 0, 0, 1500),
      ...Array.from({ length: 600 }, () => record(serviceBytes, 1, Buffer.alloc(4)).subarray(0, 14)),
    ]).subarray(0, 8999),
    isBroken: true,
  },
  {
    title: 'CNAMEs in a circle',
    packet: packetOf(record(serviceBytes, 5, nameBytes('a')), record(nameBytes('a'), 5, serviceBytes)),
    isBroken: false,
  },
  {
    title: 'a CNAME that points to itself',
    packet: packetOf(record(serviceBytes, 5, Buffer.from([0xc0, 44]))),
    isBroken: false,
  },
  {
    title: 'TXT strings longer than their record',
    packet: packetOf(record(serviceBytes, 16, Buffer.from([200, 65, 65]))),
    isBroken: true,
  },
  { title: 'an address of three bytes', packet: packetOf(record(serviceBytes, 1, Buffer.alloc(3))), isBroken: true },
  { title: 'SRV without its target', packet: packetOf(record(serviceBytes, 33, Buffer.alloc(6))), isBroken: true },
  {
    title: 'a record longer than the packet',
    packet: packetOf(record(serviceBytes, 12, serviceBytes, 60_000)),
    isBroken: true,
  },
  {
    title: 'labels of bytes that are no UTF-8',
    packet: packetOf(
      record(serviceBytes, 12, nameBytes(Buffer.alloc(63, 0xfe), Buffer.from('_tillmesh'), '_tcp', 'local')),
    ),
    isBroken: false,
  },
  {
    title: 'a name of more than 255 bytes',
    packet: packetOf(record(serviceBytes, 12, nameBytes(...Array.from({ length: 5 }, () => 'x'.repeat(60))))),
    isBroken: true,
  },
  {
    title: 'a label of a kind that was never used',
    packet: packetOf(record(serviceBytes, 12, Buffer.from([0x80, 1, 0]))),
    isBroken: true,
  },
  {
    title: 'ids that are none',
    packet: announcement(
      { id: 'short' },
      { id: 'A'.repeat(26), label: 'b' },
      { id: '../../../etc/passwd0000000', label: 'c', host: 'c.local' },
      { id: '__proto__', label: 'd' },
      { id: idOf('e'), shop: 'constructor', label: 'e' },
    ),
    isBroken: false,
  },
  { title: 'port 0', packet: announcement({ id: idOf('p'), port: 0 }), isBroken: false },
  { title: 'TXT without members', packet: announcement({ id: idOf('p'), txt: [''] }), isBroken: false },
  { title: 'TXT that is all sign', packet: announcement({ id: idOf('p'), txt: ['=', '==', '=id'] }), isBroken: false },
];

/** The same row of numbers in [0, 1) for each seed (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A packet made of `packets` by one to four faults. Never longer than UDP takes. */
export function mutated(packets: readonly Buffer[], next: () => number): Buffer {
  const below = (count: number): number => Math.floor(next() * count);
  const pick = (): Buffer => packets[below(packets.length)] as Buffer;
  let bytes: Buffer = Buffer.from(pick());
  const set = (at: number, to: number): Buffer => {
    bytes[at] = to;
    return bytes;
  };
  const join = (...pieces: Uint8Array[]): Buffer => Buffer.concat(pieces);
  const faults: (() => Buffer)[] = [
    () => set(below(bytes.length), below(256)),
    () => set(below(bytes.length), [0, 0xff, 0xc0, 0x3f, 0x40, 12, 33, 16][below(8)] ?? 0),
    () => set(4 + below(8), below(4)),
    () => bytes.subarray(0, below(bytes.length + 1)),
    () => {
      const at = below(bytes.length);
      return join(bytes.subarray(0, at), Buffer.from([0xc0 | below(2), below(256)]), bytes.subarray(at));
    },
    () => {
      const other = pick();
      return join(bytes.subarray(0, below(bytes.length)), other.subarray(below(other.length)));
    },
    () => {
      const at = below(bytes.length);
      return join(bytes.subarray(0, at), bytes.subarray(at, at + 40), bytes.subarray(at));
    },
  ];
  for (let count = 1 + below(4); count > 0 && bytes.length > 11; count--)
    bytes = faults[below(faults.length)]?.() ?? bytes;
  return bytes.subarray(0, 8900);
}
