// What every Connection promises (src/ports.ts), whatever carries it: the tests that real and simulated ones share.

import { expect, test } from 'vitest';
import type { Connection } from '../../src/ports.ts';

/** Notes everything that a connection tells, and lets a test wait for it. */
export function hear(connection: Connection) {
  const heard = { frames: [] as (string | Uint8Array)[], drainedCount: 0, closedReasons: [] as string[] };
  const waiting = new Set<() => void>();
  const note = (change: () => void): void => {
    change();
    for (const check of waiting) check();
  };
  connection.listen({
    frame: (frame) => note(() => heard.frames.push(typeof frame === 'string' ? frame : new Uint8Array(frame))),
    drained: () => note(() => heard.drainedCount++),
    closed: (reason) => note(() => heard.closedReasons.push(reason)),
  });
  const until = (isSo: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!isSo()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  return Object.assign(heard, {
    until,
    framesCome: (count: number) => until(() => heard.frames.length >= count),
    closes: () => until(() => heard.closedReasons.length > 0),
  });
}

export type OpenPair = () => Promise<{
  dialer: Connection;
  accepted: Connection;
  dialerKey: Uint8Array;
  acceptedKey: Uint8Array;
}>;

/** `openPair` gives both ends, nobody listening yet, and cleans up by itself after the test. */
export function connectionContract(openPair: OpenPair): void {
  test('each end sees the other key, and both the same channel', async () => {
    const { dialer, accepted, dialerKey, acceptedKey } = await openPair();
    hear(dialer);
    hear(accepted);
    expect(dialer.dialedByUs).toBe(true);
    expect(accepted.dialedByUs).toBe(false);
    expect(Buffer.from(dialer.peerKey)).toEqual(Buffer.from(acceptedKey));
    expect(Buffer.from(accepted.peerKey)).toEqual(Buffer.from(dialerKey));
    expect(dialer.channelBinding).toHaveLength(32);
    expect(Buffer.from(dialer.channelBinding)).toEqual(Buffer.from(accepted.channelBinding));
  });

  test('two connections have two channels', async () => {
    const [first, second] = [await openPair(), await openPair()];
    expect(Buffer.from(first.dialer.channelBinding)).not.toEqual(Buffer.from(second.dialer.channelBinding));
  });

  test('frames arrive whole, in order, text as text and bytes as bytes', async () => {
    const { dialer, accepted } = await openPair();
    const [atDialer, atAccepted] = [hear(dialer), hear(accepted)];
    const bytes = new Uint8Array([0, 255, 1, 254]);
    for (const frame of ['één', bytes, '', 'last']) dialer.send(frame);
    accepted.send('back');
    await atAccepted.framesCome(4);
    await atDialer.framesCome(1);
    expect(atAccepted.frames).toEqual(['één', bytes, '', 'last']);
    expect(atDialer.frames).toEqual(['back']);
  });

  test('a close is told once at each end, and nothing after it', async () => {
    const { dialer, accepted } = await openPair();
    const [atDialer, atAccepted] = [hear(dialer), hear(accepted)];
    dialer.close('enough');
    accepted.send('too late');
    expect(atDialer.closedReasons).toEqual([]);
    await atDialer.closes();
    await atAccepted.closes();
    dialer.close('again');
    accepted.close('again');
    dialer.send('into nothing');
    accepted.send('into nothing');
    expect(dialer.bufferedBytes()).toBe(0);
    await openPair();
    expect(atDialer.closedReasons).toEqual(['enough']);
    expect(atAccepted.closedReasons).toHaveLength(1);
    expect(atDialer.frames).toEqual([]);
  });

  test('B8 bytes that wait are counted, and it is told when they have left', async () => {
    const { dialer, accepted } = await openPair();
    const [atDialer, atAccepted] = [hear(dialer), hear(accepted)];
    dialer.send(new Uint8Array(300_000));
    expect(dialer.bufferedBytes()).toBeGreaterThan(0);
    await atDialer.until(() => atDialer.drainedCount > 0);
    expect(dialer.bufferedBytes()).toBe(0);
    await atAccepted.framesCome(1);
  });
}
