// Messages for tills from one appliance to the others: each is told once, where it should be, by the way that its author's
// ops take; it is in no books; and who was away for a moment hears it afterwards.

import { expect, test } from 'vitest';
import { liveQueueMs } from '../../src/core/limits.ts';
import type { LiveWireMessage } from '../../src/core/message.ts';
import { systemClock } from '../../src/edges/system.ts';
import type { Entry } from '../../src/realtime/stream.ts';
import { until } from '../waiting.ts';
import { digestsOf, equal, linked, openAppliance, type TestAppliance } from './appliances.ts';
import { openPairOfAppliances } from './pair.ts';
import { openCable } from './proxy.ts';
import { callOn } from './stranger.ts';
import { messagesIn } from './wire.ts';

/** What a user hears at an appliance: payloads of messages, in order. */
function listen({ appliance: { realtime } }: TestAppliance, user = 'somebody', ...topics: string[]) {
  const start = realtime.placeOf(undefined);
  if (!start.ok) throw new Error(start.detail);
  const heard: unknown[] = [];
  const note = (entry: Entry): void => {
    if (entry.kind === 'message' && entry.message.type === 'note') heard.push(JSON.parse(entry.message.payload));
  };
  realtime.listen(
    start,
    { user, topics: new Set(topics) },
    {
      isReady: () => true,
      entries(entries) {
        entries.forEach(note);
        return entries.length;
      },
      lost: () => {},
      refusalNow: () => undefined,
      refused: () => {},
    },
  );
  return heard;
}

function say(
  { appliance }: TestAppliance,
  payload: number | string,
  to: 'all' | { user: string } | { topics: string[] } = 'all',
) {
  const said = appliance.realtime.publish({ type: 'note', payload, to });
  if (!said.ok) throw new Error(said.detail);
  return said.message;
}

const liveIn = (frames: TestAppliance['wire']['sent']) => messagesIn(frames).filter(({ type }) => type === 'live');

test('what is said at one is told at the other, to whom it is for, and stands in no books', async () => {
  const { bar, cellar } = await openPairOfAppliances();
  await bar.sell('t-1');
  await equal(bar, cellar);
  const before = digestsOf(cellar);
  const [till, kitchen] = [listen(cellar, 'till-1'), listen(cellar, 'till-2', 'kitchen')];
  say(bar, 1);
  say(bar, 2, { user: 'till-1' });
  say(bar, 3, { topics: ['kitchen', 'x'] });
  say(bar, 4, { user: 'till-2' });
  await until('all are told', () => till.length + kitchen.length === 5);
  expect([till, kitchen]).toEqual([
    [1, 2],
    [1, 3, 4],
  ]);
  expect([digestsOf(bar), digestsOf(cellar)]).toEqual([before, before]);
});

test('B9 over a relay each is told once, and crosses each link once', async () => {
  const middle = await openAppliance('Middle');
  const left = await openAppliance('Left', { peers: [middle.address], reaches: new Set([middle.address]) });
  const right = await openAppliance('Right', { peers: [middle.address], reaches: new Set([middle.address]) });
  await linked(left, middle);
  await linked(right, middle);
  await Promise.all([left.sell('l'), right.sell('r'), middle.sell('m')]);
  await equal(left, middle, right);
  const all = [left, middle, right];
  const heard = all.map((one) => listen(one));
  for (const { wire } of all) wire.reset();
  for (let n = 0; n < 30; n++) say(all[n % 3] as TestAppliance, n);
  await until('all are told everywhere', () => heard.every(({ length }) => length >= 30));
  await equal(left, middle, right);
  const numbers = Array.from({ length: 30 }, (_, n) => n);
  for (const one of heard) expect([...one].sort((a, b) => Number(a) - Number(b))).toEqual(numbers);
  // Of one author they come in the order in which he said them.
  for (const one of heard) {
    for (const author of [0, 1, 2]) {
      const ofAuthor = one.map(Number).filter((n) => n % 3 === author);
      expect(ofAuthor).toEqual([...ofAuthor].sort((a, b) => a - b));
    }
  }
  // Ten of each: the middle passes those of either side to the other one, and its own to both.
  expect(all.map(({ wire }) => liveIn(wire.sent).length)).toEqual([10, 40, 10]);
});

test('three that are all linked pass nothing on that came from another', async () => {
  const bar = await openAppliance('Bar');
  const cellar = await openAppliance('Cellar', { peers: [bar.address] });
  const attic = await openAppliance('Attic', { peers: [bar.address, cellar.address] });
  const all = [bar, cellar, attic];
  await Promise.all([linked(bar, cellar), linked(bar, attic), linked(cellar, attic)]);
  await Promise.all(all.map((one) => one.sell(`by-${one.name}`)));
  await equal(...all);
  const heard = all.map((one) => listen(one));
  for (const { wire } of all) wire.reset();
  for (const one of all) say(one, one.name);
  await until('all are told everywhere', () => heard.every(({ length }) => length === 3));
  await equal(...all);
  expect(all.map(({ wire }) => liveIn(wire.sent).length)).toEqual([2, 2, 2]);
});

test('who was cut off for a moment hears afterwards what was said meanwhile, once', async () => {
  const bar = await openAppliance('Bar', { reaches: new Set() });
  const cable = await openCable(bar.address);
  const cellar = await openAppliance('Cellar', { peers: [cable.address], reaches: new Set([cable.address]) });
  await linked(bar, cellar);
  const [atBar, inCellar] = [listen(bar), listen(cellar)];
  say(bar, 'before');
  await until('the first is there', () => inCellar.length === 1);
  cable.cut();
  await until('they are parted', () => bar.appliance.mesh.status().connected === 0);
  say(bar, 'at the bar');
  say(cellar, 'in the cellar');
  cable.heal();
  await linked(bar, cellar);
  await until('all are there', () => atBar.length === 3 && inCellar.length === 3);
  // And again: what is known comes no second time.
  cable.cut();
  await until('they are parted', () => bar.appliance.mesh.status().connected === 0);
  cable.heal();
  await linked(bar, cellar);
  say(bar, 'last');
  await until('the last is there', () => inCellar.includes('last'));
  for (const heard of [atBar, inCellar])
    expect([...heard].sort()).toEqual(['at the bar', 'before', 'in the cellar', 'last']);
});

test('a whole conversation that was had during a cut comes afterwards', async () => {
  const bar = await openAppliance('Bar', { reaches: new Set() });
  const cable = await openCable(bar.address);
  const cellar = await openAppliance('Cellar', { peers: [cable.address], reaches: new Set([cable.address]) });
  await linked(bar, cellar);
  const heard = listen(cellar);
  cable.cut();
  await until('they are parted', () => bar.appliance.mesh.status().connected === 0);
  const numbers = Array.from({ length: 600 }, (_, n) => n);
  for (const n of numbers) say(bar, `${n} ${'x'.repeat(700)}`);
  cable.heal();
  await until('all is there', () => heard.length === numbers.length, 20_000);
  expect(heard.map((text) => Number(String(text).split(' ')[0]))).toEqual(numbers);
});

test('what is said while one link of three is dead comes by the other way', async () => {
  const bar = await openAppliance('Bar', { reaches: new Set() });
  const cable = await openCable(bar.address);
  const attic = await openAppliance('Attic', { peers: [bar.address], reaches: new Set([bar.address]) });
  const ways = [cable.address, attic.address];
  const cellar = await openAppliance('Cellar', { peers: ways, reaches: new Set(ways) });
  const all = [bar, attic, cellar];
  await Promise.all([linked(bar, attic), linked(bar, cellar), linked(attic, cellar)]);
  await Promise.all(all.map((one) => one.sell(`by-${one.name}`)));
  await equal(...all);
  const heard = listen(cellar);
  say(bar, 'before');
  await until('the first is there', () => heard.length === 1);
  cable.cut();
  say(bar, 'in between');
  await until('it came round', () => heard.length === 2, 20_000);
  say(bar, 'after');
  await until('the last is there', () => heard.length === 3);
  expect(heard).toEqual(['before', 'in between', 'after']);
});

test('B8 what is five minutes old is passed to nobody', async () => {
  let laterMs = 0;
  const clock = { monotonic: () => systemClock.monotonic() * 10 + laterMs };
  const bar = await openAppliance('Bar', { clock });
  say(bar, 'old');
  laterMs = liveQueueMs;
  say(bar, 'new');
  const cellar = await openAppliance('Cellar', { peers: [bar.address] });
  await linked(bar, cellar);
  await until('the new one is there', () => cellar.appliance.realtime.waitingAfter(0).length > 0);
  const texts = cellar.appliance.realtime.waitingAfter(0).map(({ message }) => message.payload);
  expect(texts).toEqual(['"new"']);
});

test('C a peer that says nonsense, or speaks for the books, is not passed on, and does no harm', async () => {
  const bar = await openAppliance('Bar');
  const heard = listen(bar, 'somebody', 'a');
  const peer = await callOn(bar);
  peer.prove();
  await peer.greet();
  const good: LiveWireMessage = {
    type: 'live',
    author: peer.id,
    id: 'm-1',
    kind: 'note',
    payload: '1',
    timestamp: 1,
    ageMs: 0,
  };
  const deep = '['.repeat(5000) + ']'.repeat(5000);
  const bad: object[] = [
    { id: 'm-2', payload: '{' },
    { id: 'm-3', payload: deep },
    { id: 'm-4', kind: 'data.updated', payload: '{"section":"stock","data":{}}' },
    { id: 'm-5', kind: 'connected' },
    { id: 'm-6', author: bar.id },
    { id: 'm-7', ageMs: liveQueueMs },
    { id: 'm-1', payload: '"again"' },
  ];
  peer.send({ ...good });
  for (const more of bad) peer.send({ ...good, ...more });
  peer.send({ ...good, id: 'm-8', payload: '2', topics: ['a'] });
  await until('the good ones are told', () => heard.length >= 2);
  expect(heard).toEqual([1, 2]);
  expect(peer.isClosed()).toBe(false);
  expect(bar.appliance.realtime.waitingAfter(0)).toHaveLength(2);
});

test('each tells where it serves, and who is linked; known also while it is away, and after a start anew', async () => {
  const origins = { bar: ['http://10.0.0.1:3030'], cellar: ['http://10.0.0.2:3030', 'https://10.0.0.2:3031'] };
  const none = ['javascript:x', 'http://a b', 'ftp://10.0.0.2', 'http://10.0.0.2:3030/', 'x; y', ''];
  const bar = await openAppliance('Bar', { origins: origins.bar });
  const cellar = await openAppliance('Cellar', { peers: [bar.address], origins: [...origins.cellar, ...none] });
  await linked(bar, cellar);
  const seen = { id: cellar.id, name: 'Cellar', self: false, host: '127.0.0.1', origins: origins.cellar };
  const own = { id: bar.id, name: 'Bar', self: true, connected: true, host: null, origins: origins.bar };
  expect(bar.appliance.mesh.appliances()).toEqual([own, { ...seen, connected: true }]);
  await cellar.stop();
  await until('it is away', () => bar.appliance.mesh.appliances()[1]?.connected === false);
  expect(bar.appliance.mesh.appliances()[1]).toEqual({ ...seen, connected: false });
  bar.appliance.mesh.changePeer(cellar.id, { trust: 'revoked' }, 'admin');
  expect(bar.appliance.mesh.appliances()).toEqual([own]);
});
