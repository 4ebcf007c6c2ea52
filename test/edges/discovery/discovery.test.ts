// Discovery among appliances and strangers on the loopback network, with real sockets: who is seen where, and when not.

import { decode } from 'dns-packet';
import { expect, onTestFinished, test } from 'vitest';
import {
  candidatesPerSourceMax,
  discoveryRoundMs,
  discoveryRoundMsMin,
  mdnsTxtBytesMax,
} from '../../../src/core/limits.ts';
import type { DiscoveryOptions } from '../../../src/edges/discovery/discovery.ts';
import { ownNames } from '../../../src/edges/discovery/service.ts';
import type { Announcement } from '../../../src/ports.ts';
import { freePort, type Looker, look, type Stranger, stranger, until } from './loopback.ts';
import { createManualTime } from './manual-time.ts';
import {
  announcement,
  foreignDevice,
  goodbye,
  idOf,
  knowing,
  nameOnly,
  question,
  type Said,
  service,
  shopId,
} from './packets.ts';

async function network() {
  const port = await freePort();
  return {
    port,
    look(character: string, options: Partial<DiscoveryOptions> = {}, self: Partial<Announcement> = {}): Looker {
      const looker = look(character, { port, ...options }, self);
      onTestFinished(() => looker.discovery.stop());
      return looker;
    },
    async stranger(address: string, ownPort?: number): Promise<Stranger> {
      const someone = await stranger(port, address, ownPort);
      onTestFinished(() => someone.close());
      return someone;
    },
  };
}

const isAnswer = (packet: Buffer): boolean => (packet[2] ?? 0) >= 0x80;
const isQuestion = (packet: Buffer): boolean => !isAnswer(packet);

test('two appliances see each other: id, shop, name and the address to dial; nobody sees himself', async () => {
  const lan = await network();
  const [a, b] = [lan.look('a', {}, { name: 'Bar été v1.2' }), lan.look('b')];
  expect(await a.sees('till b')).toEqual({
    replicaId: b.self.replicaId,
    address: `127.0.0.1:${b.self.meshPort}`,
    name: 'till b',
    shop: shopId,
  });
  expect((await b.sees('Bar été v1.2')).replicaId).toBe(a.self.replicaId);
  expect(a.discovery.status()).toMatchObject({
    enabled: true,
    interfaces: [{ name: 'lo', address: '127.0.0.1' }],
    lastHeardAt: expect.any(Number),
    lastError: null,
    seen: 1,
  });
  expect([...a.events, ...b.events].map((event) => 'seen' in event && event.seen.replicaId)).toEqual([
    b.self.replicaId,
    a.self.replicaId,
  ]);
});

test('two appliances with one name do not fight for it', async () => {
  const lan = await network();
  const [a, b, c] = [lan.look('a', {}, { name: 'Bar' }), lan.look('b', {}, { name: 'Bar' }), lan.look('c')];
  const isOf = (character: string) => (event: object) =>
    'seen' in event && JSON.stringify(event).includes(idOf(character));
  await Promise.all([a.event(isOf('b')), b.event(isOf('a')), c.event(isOf('a')), c.event(isOf('b'))]);
  expect(c.discovery.status().seen).toBe(2);
});

test('who stops says goodbye, and is gone at once, once; who starts again is seen again', async () => {
  const lan = await network();
  const [a, b] = [lan.look('a'), lan.look('b')];
  await Promise.all([a.sees('till b'), b.sees('till a')]);
  await b.discovery.stop();
  await a.loses(idOf('b'));
  expect(a.discovery.status().seen).toBe(0);
  expect(b.discovery.status()).toMatchObject({ enabled: false, interfaces: [] });
  b.discovery.start({ ...b.self, name: 'till b again' }, { seen() {}, gone() {} });
  await a.sees('till b again');
  expect(a.events.filter((event) => 'gone' in event)).toHaveLength(1);
});

test('who stops without a word is gone after three questions without an answer', async () => {
  const lan = await network();
  const time = createManualTime();
  const a = lan.look('a', time);
  const other = await lan.stranger('127.0.0.66');
  await until(() => a.discovery.status().interfaces.length > 0);
  await other.say(announcement({ id: idOf('k'), name: 'killed' }));
  await a.sees('killed');
  for (let unanswered = 0; unanswered < 3; unanswered++) {
    expect(a.discovery.status().seen).toBe(1);
    const asked = other.hears(isQuestion);
    time.advance(discoveryRoundMs);
    await asked;
  }
  expect(a.events).toHaveLength(1);
  time.advance(discoveryRoundMs);
  await a.loses(idOf('k'));
  expect(a.discovery.status().seen).toBe(0);
});

test('who answers stays, without being told of again; who answers after a silence is told of again', async () => {
  const lan = await network();
  const time = createManualTime();
  const a = lan.look('a', time);
  const other = await lan.stranger('127.0.0.66');
  await until(() => a.discovery.status().interfaces.length > 0);
  const said = announcement({ id: idOf('k'), name: 'steady' });
  const speak = async (): Promise<void> => {
    const before = a.discovery.status().packetsHeard;
    await other.say(said);
    await until(() => a.discovery.status().packetsHeard > before);
  };
  await speak();
  for (let round = 0; round < 6; round++) {
    time.advance(discoveryRoundMs);
    await speak();
  }
  expect(a.events).toHaveLength(1);
  time.advance(discoveryRoundMs);
  time.advance(discoveryRoundMs);
  await speak();
  expect(a.events).toHaveLength(2);
});

/** An appliance whose clock stands, and a stranger whom it can hear; `told` resolves when what was said has arrived. */
async function pair() {
  const lan = await network();
  const time = createManualTime();
  const a = lan.look('a', time);
  const other = await lan.stranger('127.0.0.66');
  await until(() => a.discovery.status().interfaces.length > 0);
  const told = async (packet: Buffer, by = other): Promise<void> => {
    const before = a.discovery.status().packetsHeard;
    await by.say(packet);
    await until(() => a.discovery.status().packetsHeard > before);
  };
  return { lan, time, a, other, told };
}

test.for<[string, Partial<Said>]>([
  ['a restart', { start: '1' }],
  ['a new name', { name: 'renamed' }],
  ['a new mesh port', { port: 3999 }],
])('%s is told', async ([, change]) => {
  const { time, a, told } = await pair();
  await told(announcement({ id: idOf('k'), name: 'steady' }));
  await told(announcement({ id: idOf('k'), name: 'steady' }));
  time.advance(1000);
  await told(announcement({ id: idOf('k'), name: 'steady', ...change }));
  expect(a.events).toHaveLength(2);
  expect(a.discovery.status().seen).toBe(1);
});

test('the address is that of the packet, or of the host that it speaks for, or else nobody is seen there', async () => {
  const { a, told } = await pair();
  const addressOf = async (said: Said): Promise<string> => {
    await told(announcement(said));
    return (await a.sees(said.name ?? '')).address;
  };
  expect(await addressOf({ id: idOf('b'), name: 'without A' })).toBe('127.0.0.66:3031');
  expect(await addressOf({ id: idOf('c'), name: 'own A', address: '127.0.0.66' })).toBe('127.0.0.66:3031');
  expect(await addressOf({ id: idOf('d'), name: 'host', address: '127.0.0.77' })).toBe('127.0.0.77:3031');
  expect(await addressOf({ id: idOf('e'), name: 'elsewhere', address: '203.0.113.7' })).toBe('127.0.0.66:3031');
});

test('E10 names are for people: no control characters, no turned lines, at most 64 characters', async () => {
  const { a, told } = await pair();
  await told(announcement({ id: idOf('b'), name: `\u001b[31m<b>\u202e\r\nBar\u0000${'é'.repeat(80)}` }));
  const [event] = a.events;
  expect(event && 'seen' in event && event.seen.name).toBe(`[31m<b>Bar${'é'.repeat(54)}`);
  await told(announcement({ id: idOf('c'), label: 'x'.repeat(63), name: 'n'.repeat(200) }));
  expect((await a.sees('n'.repeat(64))).replicaId).toBe(idOf('c'));
  await told(
    announcement({
      id: idOf('d'),
      txt: [`ID=${idOf('d')}`, `shop=${shopId}`, Buffer.from([0x6e, 0x61, 0x6d, 0x65, 0x3d, 0xff, 0xfe])],
    }),
  );
  expect((await a.sees('\ufffd\ufffd')).replicaId).toBe(idOf('d'));
  await told(announcement({ id: idOf('e'), txt: [`id=${idOf('e')}`, `shop=${shopId}`, 'id=second', 'name='] }));
  expect((await a.sees(idOf('e'))).replicaId).toBe(idOf('e'));
});

test('E10 a flood of forged ids fills a quarter of the table, drives out nobody and is gone when it ends', async () => {
  const { lan, time, a, told } = await pair();
  const honest = await lan.stranger('127.0.0.77');
  const letters = 'abcdefghijklmnopqrstuvwxyz234567';
  const forged = Array.from({ length: 400 }, (_, index) => ({
    id: `${letters[index % 32]}${letters[Math.floor(index / 32)]}${'z'.repeat(24)}`,
  }));
  await told(announcement({ id: idOf('b'), name: 'honest' }), honest);
  for (let from = 0; from < forged.length; from += 20) await told(announcement(...forged.slice(from, from + 20)));
  expect(a.discovery.status().seen).toBe(1 + candidatesPerSourceMax);
  await told(announcement({ id: idOf('c'), name: 'newcomer' }), honest);
  await a.sees('newcomer');
  for (let round = 0; round < 4; round++) {
    time.advance(discoveryRoundMs);
    await told(announcement({ id: idOf('b'), name: 'honest' }), honest);
  }
  await a.loses(forged[0]?.id ?? '');
  expect(a.discovery.status().seen).toBe(1);
  expect(a.events).not.toContainEqual({ gone: idOf('b') });
});

test('E10 nobody else says goodbye for an appliance, or renames it, or takes its place', async () => {
  const { lan, time, a, told } = await pair();
  const liar = await lan.stranger('127.0.0.77');
  await told(announcement({ id: idOf('b'), name: 'honest', address: '127.0.0.66' }));
  time.advance(1000);
  await told(goodbye({ id: idOf('b') }), liar);
  await told(announcement({ id: idOf('b'), name: 'liar', address: '127.0.0.66' }), liar);
  expect(a.events).toHaveLength(1);
  await told(announcement({ id: idOf('b'), name: 'elsewhere' }), liar);
  expect((await a.sees('elsewhere')).address).toBe('127.0.0.77:3031');
  await told(goodbye({ id: idOf('b') }), liar);
  expect(a.events.filter((event) => 'gone' in event)).toEqual([]);
  await told(goodbye({ id: idOf('b') }));
  await a.loses(idOf('b'));
});

test('E10 a claim to be us, by id or by address and port, is no sighting', async () => {
  const { a, told } = await pair();
  await told(announcement({ id: idOf('a'), name: 'clone' }));
  await told(announcement({ id: idOf('b'), name: 'mirror', address: '127.0.0.1', port: a.self.meshPort }));
  expect(a.events).toEqual([]);
});

test('E10 answers from a port that is not that of mDNS are dropped', async () => {
  const { lan, a, told } = await pair();
  const odd = await lan.stranger('127.0.0.88', await freePort());
  await told(announcement({ id: idOf('b') }), odd);
  expect(a.discovery.status()).toMatchObject({ seen: 0, packetsDropped: 1 });
});

test('E10 packets above what a second allows are dropped, of one address first', async () => {
  const { lan, time, a, told } = await pair();
  for (let count = 0; count < 60; count++) await told(announcement({ id: idOf('b') }));
  expect(a.discovery.status().packetsDropped).toBe(10);
  await told(announcement({ id: idOf('c'), name: 'quiet' }), await lan.stranger('127.0.0.77'));
  await a.sees('quiet');
  time.advance(1000);
  await told(announcement({ id: idOf('b') }));
  expect(a.discovery.status().packetsDropped).toBe(10);
});

test('an instance of which only the name was told is asked for its details', async () => {
  const { a, other, told } = await pair();
  const asked = other.hears(
    (packet) => isQuestion(packet) && JSON.stringify(decode(packet).questions).includes('bar.'),
  );
  await told(nameOnly({ id: idOf('b'), label: 'Bar' }));
  expect(decode(await asked).questions).toMatchObject([
    { type: 'SRV', name: `bar.${service}` },
    { type: 'TXT', name: `bar.${service}` },
  ]);
  await told(announcement({ id: idOf('b'), label: 'Bar', name: 'Bar' }));
  await a.sees('Bar');
});

test('what is announced: TXT whole and short, two minutes to live, no flush bit on what others have too', async () => {
  const lan = await network();
  const other = await lan.stranger('127.0.0.66');
  const heard = other.hears(isAnswer);
  const name = `v1.2 = ${'été '.repeat(60)}`;
  lan.look('a', {}, { name });
  const { answers = [], additionals = [] } = decode(await heard);
  const all = [...answers, ...additionals];
  expect(all.map(({ type }) => type)).toEqual(['SRV', 'TXT', 'PTR', 'PTR', 'A']);
  for (const record of all) expect(record).toMatchObject({ ttl: 120, class: 'IN', flush: record.type !== 'PTR' });
  const [srv, txt, ptr, services, host] = all as { name: string; data: unknown }[];
  expect(ptr).toMatchObject({ name: service, data: srv?.name });
  expect(services).toMatchObject({ name: '_services._dns-sd._udp.local', data: service });
  expect(host).toMatchObject({ data: '127.0.0.1', name: (srv as { data: { target: string } }).data.target });
  expect(srv?.name).toContain(idOf('a'));
  const pieces = (txt as { data: Buffer[] }).data;
  const strings = pieces.map(String);
  expect(strings.slice(0, 3)).toEqual(['v=1', `id=${idOf('a')}`, `shop=${shopId}`]);
  expect(name.startsWith(strings.at(-1)?.slice('name='.length) ?? '-')).toBe(true);
  expect(pieces.reduce((sum, piece) => sum + 1 + piece.length, 0)).toBeLessThan(mdnsTxtBytesMax);
});

test('B9 however often it is asked, it answers once a second, and not who knows the answer', async () => {
  const { time, other, told } = await pair();
  const [first] = [await other.hears(isAnswer), await other.hears(isAnswer)];
  const fullname = String(decode(first).answers?.[0]?.name);
  let answerCount = 0;
  void other.hears((packet) => {
    if (isAnswer(packet)) answerCount++;
    return false;
  });
  /** Lets arrive what is under way: it comes before this. */
  const settle = (): Promise<void> => told(foreignDevice());
  time.advance(1500);
  await until(() => answerCount === 1);
  for (let count = 0; count < 30; count++) await told(question());
  time.advance(400);
  await told(question());
  expect(answerCount).toBe(1);
  time.advance(400);
  await until(() => answerCount === 2);
  await told(knowing(120, fullname));
  await told(question('_ipp._tcp.local'));
  time.advance(1190);
  await settle();
  expect(answerCount).toBe(2);
  await told(knowing(20, fullname));
  time.advance(200);
  await until(() => answerCount === 3);
  for (const [name, type] of [
    [fullname, 'SRV'],
    [fullname.toUpperCase(), 'ANY'],
    [`tillmesh-${idOf('a')}.local`, 'A'],
    ['_services._dns-sd._udp.local', 'PTR'],
  ] as const) {
    const answered = other.hears(isAnswer);
    await told(question(name, type));
    time.advance(1200);
    await answered;
  }
});

test('somebody else’s question begins a round for all: nobody asks again right after it', async () => {
  const { time, other, told } = await pair();
  await other.hears(isQuestion);
  let askedCount = 0;
  void other.hears((packet) => {
    if (isQuestion(packet)) askedCount++;
    return false;
  });
  time.advance(1500);
  await told(question());
  time.advance(1500);
  await told(foreignDevice());
  expect(askedCount).toBe(0);
  time.advance(500);
  await until(() => askedCount === 1);
});

test('E10 questions of somebody who knows all answers stand for nobody else’s: all go on asking, and nobody vanishes', async () => {
  const { lan, time, a, other, told } = await pair();
  const b = lan.look('b', time);
  await Promise.all([a.sees('till b'), b.sees('till a')]);
  const heardCount = () => [a, b].reduce((sum, { discovery }) => sum + discovery.status().packetsHeard, 0);
  const names = [a, b].map(({ self }) => ownNames(self).fullname);
  for (let round = 0; round < 8; round++) {
    await told(knowing(120, ...names));
    time.advance(discoveryRoundMsMin);
    const before = heardCount();
    await other.say(foreignDevice());
    await until(() => heardCount() >= before + 2);
  }
  for (const { discovery, events } of [a, b]) {
    expect(events.filter((event) => 'gone' in event)).toEqual([]);
    expect(discovery.status().seen).toBe(1);
  }
});

test('the status tells of the network heard, also of foreign devices', async () => {
  const { time, a, told } = await pair();
  expect(a.discovery.status()).toMatchObject({ lastHeardAt: null, packetsHeard: 0, packetsDropped: 0 });
  time.advance(700);
  await told(foreignDevice());
  expect(a.discovery.status()).toMatchObject({ lastHeardAt: 700, packetsHeard: 1, packetsDropped: 0, seen: 0 });
});

test('an interface that is not there, or a port that somebody keeps, is told, and nothing else happens', async () => {
  const lan = await network();
  const nowhere = lan.look('a', { interfaces: ['nosuch0'] });
  await until(() => nowhere.discovery.status().lastError !== null);
  expect(nowhere.discovery.status()).toMatchObject({ enabled: true, interfaces: [], sent: 0 });
  expect(nowhere.discovery.status().lastError).toMatch(/no interface named nosuch0 .*TILLMESH_MDNS_INTERFACES/);
  const { createSocket } = await import('node:dgram');
  const keeper = createSocket('udp4').bind(lan.port, '0.0.0.0');
  onTestFinished(() => void keeper.close());
  await new Promise((resolve) => keeper.once('listening', resolve));
  const kept = lan.look('b');
  await until(() => kept.discovery.status().lastError !== null);
  expect(kept.discovery.status().lastError).toMatch(/UDP port \d+ cannot be listened on \(EADDRINUSE\)/);
  kept.discovery.refresh();
  await kept.discovery.stop();
});

test('no timer is left after a stop, also when somebody asks meanwhile', async () => {
  const lan = await network();
  const other = await lan.stranger('127.0.0.66');
  for (let times = 0; times < 20; times++) {
    const time = createManualTime();
    const { discovery } = lan.look('a', time);
    await until(() => discovery.status().interfaces.length > 0);
    time.advance(1900);
    void other.say(question());
    await discovery.stop();
    expect(time.pendingCount()).toBe(0);
  }
});

test('a taker that throws does not end discovery', async () => {
  const lan = await network();
  const b = lan.look('b');
  const { discovery, self } = lan.look('a');
  await discovery.stop();
  const { promise, resolve } = Promise.withResolvers<void>();
  discovery.start(self, {
    seen() {
      throw new Error('not today');
    },
    gone: () => resolve(),
  });
  await b.sees('till a');
  await until(() => discovery.status().seen === 1);
  await b.discovery.stop();
  await promise;
});
