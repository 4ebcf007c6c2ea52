// Who is linked to whom, and what then goes over the links: one link for each pair, every op over a link once, relays
// where there is no link, and silence when there is nothing to say.

import { describe, expect, test } from 'vitest';
import { until } from '../waiting.ts';
import {
  alarmsOf,
  equal,
  hasTicket,
  isLinked,
  linked,
  openAppliance,
  peerOf,
  statusOf,
  type TestAppliance,
} from './appliances.ts';
import { openPairOfAppliances } from './pair.ts';
import { openCable } from './proxy.ts';
import { openAlone, shops } from './shop.ts';
import { type Frame, messagesIn, opsIn } from './wire.ts';

/**
 * Ops that went between two of these more than once, or back to where they came from. After a cut both ends dial, and one
 * of two connections gives way: what was on its way there, not acknowledged, rightly goes over the other once more.
 */
function repeated(...all: TestAppliance[]): string[] {
  const twice: string[] = [];
  for (const { name, wire } of all) {
    const before = new Map<string, { connection: number; answers: readonly Frame[] }>();
    const ways = [
      [wire.sent, wire.received],
      [wire.received, wire.sent],
    ] as const;
    for (const [frames, answers] of ways) {
      for (const frame of frames) {
        for (const op of opsIn([frame])) {
          const crossing = `${name} ${frame.peer} ${op}`;
          const first = before.get(crossing);
          const gaveWay = first?.answers === answers && first.connection !== frame.connection;
          if (first && !(gaveWay && !isAcknowledged(op, answers, first.connection))) twice.push(crossing);
          before.set(crossing, { connection: frame.connection, answers });
        }
      }
    }
  }
  return twice;
}

function isAcknowledged(op: string, answers: readonly Frame[], connection: number): boolean {
  const [origin = '', number] = op.split('#');
  const told = messagesIn(answers.filter((frame) => frame.connection === connection));
  return told.some((message) => message.type === 'ack' && (message.heads[origin] ?? 0) >= Number(number));
}

const sellAtAll = async (prefix: string, all: readonly TestAppliance[], count = 20): Promise<void> => {
  await Promise.all(
    all.flatMap((one) => Array.from({ length: count }, (_, index) => one.sell(`${prefix}-${one.name}-${index}`))),
  );
};

describe('a pair', () => {
  test('that dial each other at once keep one link, the same at both ends', async () => {
    const [bar, cellar] = [await openAppliance('Bar'), await openAppliance('Cellar')];
    bar.appliance.mesh.addPeer(cellar.address);
    cellar.appliance.mesh.addPeer(bar.address);
    await sellAtAll('dialing', [bar, cellar]);
    await linked(bar, cellar);
    await until('one connection is left', () => bar.wire.openCount() === 1 && cellar.wire.openCount() === 1);
    await equal(bar, cellar);
    bar.wire.reset();
    cellar.wire.reset();
    await sellAtAll('linked', [bar, cellar]);
    await equal(bar, cellar);
    expect(repeated(bar, cellar)).toEqual([]);
    expect([statusOf(bar).connected, statusOf(cellar).connected]).toEqual([1, 1]);
  });

  test('that dial each other over and over always end with one link', async () => {
    const [bar, cellar] = [await openAppliance('Bar'), await openAppliance('Cellar')];
    bar.appliance.mesh.addPeer(cellar.address);
    cellar.appliance.mesh.addPeer(bar.address);
    for (let round = 0; round < 5; round++) {
      bar.appliance.mesh.toggle(false);
      await until('apart', () => bar.wire.openCount() === 0 && cellar.wire.openCount() === 0);
      bar.appliance.mesh.toggle(true);
      cellar.appliance.mesh.reconnect();
      await linked(bar, cellar);
      await until('one connection is left', () => bar.wire.openCount() === 1 && cellar.wire.openCount() === 1);
    }
    await sellAtAll('after', [bar, cellar]);
    await equal(bar, cellar);
  });

  test('B9 of which each op crosses the link once, also when it was cut in the middle', async () => {
    const bar = await openAppliance('Bar');
    const cable = await openCable(bar.address);
    const cellar = await openAppliance('Cellar', { peers: [cable.address] });
    await linked(bar, cellar);
    await sellAtAll('before', [bar, cellar]);
    await equal(bar, cellar);
    cable.cut();
    await until('apart', () => !isLinked(bar, cellar) && !isLinked(cellar, bar));
    await sellAtAll('apart', [bar, cellar]);
    expect(hasTicket(bar, 'apart-Cellar-0')).toBe(false);
    cable.heal();
    await linked(bar, cellar);
    await equal(bar, cellar);
    await sellAtAll('after', [bar, cellar]);
    await equal(bar, cellar);
    expect(repeated(bar, cellar)).toEqual([]);
  });

  test('finds itself again after each restart of either', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    cellar.appliance.mesh.toggle(false);
    await until('apart', () => statusOf(bar).connected === 0);
    cellar.appliance.mesh.toggle(true);
    await linked(bar, cellar);
    await cellar.stop();
    await bar.sell('while-it-was-down');
    const again = await openAppliance('Cellar', {
      who: cellar.who,
      folder: cellar.databasePath.replace('/books.db', ''),
      isFirstStart: false,
      peers: [bar.address],
    });
    await linked(bar, again);
    await equal(bar, again);
  });

  test('stays apart while the mesh is turned off, also over a restart, and sells on', async () => {
    const { bar, cellar } = await openPairOfAppliances();
    cellar.appliance.mesh.toggle(false);
    await until('apart', () => statusOf(bar).connected === 0 && statusOf(cellar).connected === 0);
    await cellar.sell('turned-off');
    await cellar.stop();
    const folder = cellar.databasePath.replace('/books.db', '');
    const again = await openAppliance('Cellar', { who: cellar.who, folder, isFirstStart: false, peers: [bar.address] });
    expect(statusOf(again).enabled).toBe(false);
    bar.appliance.mesh.reconnect();
    again.appliance.mesh.reconnect();
    await again.sell('still-off');
    expect(again.wire.openedCount()).toBe(0);
    again.appliance.mesh.toggle(true);
    await linked(bar, again);
    await equal(bar, again);
    expect(hasTicket(bar, 'still-off')).toBe(true);
  });

  test.each([
    ['told to', (one: TestAppliance) => one.appliance.mesh.reconnect()],
    ['given the address again', (one: TestAppliance, address: string) => void one.appliance.mesh.addPeer(address)],
  ] as const)('that could not reach one another are linked at once when %s', async (_when, tell) => {
    const bar = await openAppliance('Bar', { haste: 1 });
    const cable = await openCable(bar.address);
    cable.cut();
    const cellar = await openAppliance('Cellar', { peers: [cable.address], haste: 1 });
    const failures = () => statusOf(cellar).peers[0]?.lastError;
    await until('the second attempt failed too', () => cable.refusedCount() === 2 && failures() !== null);
    expect(failures()).toContain('closed the connection');
    cable.heal();
    const toldAt = performance.now();
    tell(cellar, cable.address);
    await linked(bar, cellar);
    expect(performance.now() - toldAt).toBeLessThan(3000);
  });
});

describe('where a revoked one was', () => {
  test.each([
    ['a person gave', 'Bar'],
    ['is remembered', 'Thief'],
  ])(
    'B10 one that is revoked is refused at an address that %s, and another in its place is linked',
    async (_what, dialer) => {
      const bar = await openAlone('Bar', shops.bar);
      const openAt = async (name: string, reaches: string[], port = 0) => {
        const one = await openAlone(name, shops.bar, { port, reaches: new Set(reaches) });
        bar.appliance.mesh.vouchFor(one.id, 'admin');
        one.appliance.mesh.vouchFor(bar.id, 'admin');
        return one;
      };
      const thief = await openAt('Thief', dialer === 'Thief' ? [bar.address] : []);
      if (dialer === 'Thief') thief.appliance.mesh.addPeer(bar.address);
      else bar.appliance.mesh.addPeer(thief.address);
      await linked(bar, thief);
      if (dialer === 'Thief') thief.appliance.mesh.removePeer(bar.id);
      bar.appliance.mesh.changePeer(thief.id, { trust: 'revoked' }, 'admin');
      await until('refused', () => alarmsOf(bar, 'revoked_peer').some(({ detail }) => detail.includes('Thief')));
      expect(isLinked(bar, thief)).toBe(false);
      await thief.stop();
      const fresh = await openAt('Fresh', [], Number(thief.address.split(':')[1]));
      await linked(bar, fresh);
      expect(peerOf(bar, thief)?.trust).toBe('revoked');
    },
  );
});

describe('a line Bar – Cellar – Attic', () => {
  const openLine = async () => {
    // Members tell each other where the others are: what cannot be reached stays a line all the same.
    const bar = await openAppliance('Bar', { reaches: new Set() });
    const cellar = await openAppliance('Cellar', { peers: [bar.address], reaches: new Set([bar.address]) });
    await linked(bar, cellar);
    const cable = await openCable(cellar.address);
    const reaches = new Set([cable.address]);
    const attic = await openAppliance('Attic', { peers: [cable.address], reaches });
    await linked(attic, cellar);
    return { bar, cellar, attic, cable, reaches, all: [bar, cellar, attic] };
  };

  test('B9 passes on what each writes, both ways, live and when catching up, each op once over each link', async () => {
    const { bar, cellar, attic, cable, all } = await openLine();
    await sellAtAll('live', all);
    await equal(...all);
    cable.cut();
    await until('Attic is alone', () => !isLinked(attic, cellar));
    await sellAtAll('apart', all);
    await equal(bar, cellar);
    cable.heal();
    await equal(...all);
    await sellAtAll('again', all);
    await equal(...all);
    expect([statusOf(bar).connected, statusOf(cellar).connected, statusOf(attic).connected]).toEqual([1, 2, 1]);
    expect(attic.appliance.books.counts().tickets).toBe(180);
    expect(repeated(...all)).toEqual([]);
  });

  test('B9 closed to a ring, and opened elsewhere, goes on with each op once over each link', async () => {
    const { bar, cellar, attic, cable, reaches, all } = await openLine();
    await sellAtAll('line', all);
    await equal(...all);
    reaches.add(bar.address);
    attic.appliance.mesh.addPeer(bar.address);
    await linked(attic, bar);
    await sellAtAll('ring', all);
    await equal(...all);
    cable.cut();
    await until('Attic has lost Cellar', () => !isLinked(attic, cellar));
    await sellAtAll('other-line', all);
    await equal(...all);
    expect(repeated(...all)).toEqual([]);
  });
});

describe('nothing to do', () => {
  test('B9 idle peers exchange heartbeats alone, under 200 bytes a second for a link', async () => {
    const haste = 20;
    const { bar, cellar } = await openPairOfAppliances({ haste });
    await sellAtAll('before', [bar, cellar]);
    await equal(bar, cellar);
    await until(
      'found equal',
      () => statusOf(bar).verifiedEqualAt !== null && statusOf(cellar).verifiedEqualAt !== null,
    );
    bar.wire.reset();
    cellar.wire.reset();
    const startedAt = performance.now();
    const pings = (one: TestAppliance) => messagesIn(one.wire.sent).filter(({ type }) => type === 'ping').length;
    await until('four pings of each', () => pings(bar) >= 4 && pings(cellar) >= 4);
    const seconds = ((performance.now() - startedAt) / 1000) * haste;
    const frames = [...bar.wire.sent, ...cellar.wire.sent];
    expect(new Set(messagesIn(frames).map(({ type }) => type))).toEqual(new Set(['ping', 'pong']));
    expect(frames.filter(({ content }) => typeof content !== 'string')).toEqual([]);
    expect(frames.reduce((sum, { bytes }) => sum + bytes, 0) / seconds).toBeLessThan(200);
  });

  test.each([true, false])(
    'B9 "sync now" (bidirectional: %s) asks once and is never answered by a request',
    async (bidirectional) => {
      const { bar, cellar } = await openPairOfAppliances();
      await sellAtAll('before', [bar, cellar]);
      await equal(bar, cellar);
      await until('found equal', () => statusOf(bar).verifiedEqualAt !== null);
      bar.wire.reset();
      cellar.wire.reset();
      expect(bar.appliance.mesh.sync(cellar.id, bidirectional)).toEqual({ ok: true, result: { started: true } });
      expect(bar.appliance.mesh.sync(cellar.id, bidirectional)).toEqual({ ok: true, result: { started: false } });
      const sent = (one: TestAppliance, type: string) =>
        messagesIn(one.wire.sent).filter((message) => message.type === type);
      await until('three more heartbeats', () => sent(cellar, 'ping').length >= 3);
      expect([sent(bar, 'sync_request').length, sent(cellar, 'sync_request').length]).toEqual([1, 0]);
      expect([sent(bar, 'want').length, sent(cellar, 'want').length]).toEqual([1, bidirectional ? 1 : 0]);
      expect([sent(bar, 'heads').length, sent(cellar, 'heads').length]).toEqual([1, 1]);
      expect(opsIn([...bar.wire.sent, ...cellar.wire.sent])).toEqual([]);
    },
  );
});
