// The real ports: what the simulated ones promise too.

import { createHash, createHmac, createSign, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { publicKeysCachedMax } from '../../src/core/limits.ts';
import {
  createOpenDatabase,
  createSystemCrypto,
  systemClock,
  systemRandom,
  systemTimers,
} from '../../src/edges/system.ts';

function makeKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const point = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-65));
  return {
    point,
    sign: (message: Uint8Array) => sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    privateKey,
  };
}

describe('crypto', () => {
  const crypto = createSystemCrypto();

  test('hashes bytes and texts (as UTF-8) alike', () => {
    for (const text of ['', 'abc', 'één €']) {
      const expected = createHash('sha256').update(text, 'utf8').digest();
      expect(Buffer.from(crypto.sha256(text))).toEqual(expected);
      expect(Buffer.from(crypto.sha256(new TextEncoder().encode(text)))).toEqual(expected);
    }
    const view = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
    expect(Buffer.from(crypto.sha256(view))).toEqual(
      createHash('sha256')
        .update(Buffer.from([1, 2]))
        .digest(),
    );
  });

  test('authenticates with a key', () => {
    const key = new Uint8Array(32).fill(3);
    expect(Buffer.from(crypto.hmacSha256(key, 'a'))).toEqual(createHmac('sha256', key).update('a').digest());
  });

  test('verifies a signature of the key over the message, and nothing else', () => {
    const [key, other] = [makeKey(), makeKey()];
    const message = Buffer.from('sealed');
    const signature = key.sign(message);
    expect(crypto.verify(key.point, message, signature)).toBe(true);
    expect(crypto.verify(key.point, message, new Uint8Array(signature))).toBe(true);
    expect(crypto.verify(key.point, Buffer.from('broken'), signature)).toBe(false);
    expect(crypto.verify(other.point, message, signature)).toBe(false);
    const der = createSign('sha256').update(message).sign(key.privateKey);
    expect(crypto.verify(key.point, message, der)).toBe(false);
  });

  test('refuses what is no key or no signature, without throwing', () => {
    const key = makeKey();
    const message = Buffer.from('sealed');
    const signature = key.sign(message);
    const compressed = key.point.slice(0, 33);
    const offCurve = key.point.with(64, (key.point[64] ?? 0) ^ 1);
    const hybrid = key.point.with(0, 6 + ((key.point[64] ?? 0) & 1));
    for (const point of [new Uint8Array(0), compressed, offCurve, new Uint8Array(65), new Uint8Array(66), hybrid]) {
      expect(crypto.verify(point, message, signature)).toBe(false);
    }
    for (const length of [0, 63, 64, 65, 200]) {
      expect(crypto.verify(key.point, message, new Uint8Array(length))).toBe(false);
    }
  });

  test('B8 goes on verifying with more keys than it keeps ready', () => {
    const message = Buffer.from('sealed');
    const keys = Array.from({ length: publicKeysCachedMax + 10 }, makeKey);
    for (const key of [...keys, ...keys]) expect(crypto.verify(key.point, message, key.sign(message))).toBe(true);
  });
});

describe('timers and clock', () => {
  test('run after their delay, and not when cancelled', async () => {
    const started = systemClock.monotonic();
    const order: string[] = [];
    const cancelled = systemTimers.after(5, () => order.push('cancelled'));
    await new Promise<void>((resolve) => {
      systemTimers.after(30, resolve);
      systemTimers.after(10, () => order.push('second'));
      systemTimers.soon(() => order.push('first'));
      cancelled.cancel();
    });
    expect(order).toEqual(['first', 'second']);
    expect(systemClock.monotonic() - started).toBeGreaterThan(28);
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
  });

  test('a delay longer than the system can count does not run at once', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const days = 24 * 3600 * 1000;
    const run = vi.fn();
    systemTimers.after(60 * days, run);
    vi.advanceTimersByTime(60 * days - 1);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledOnce();
    systemTimers.after(60 * days, run).cancel();
    const late = systemTimers.after(60 * days, run);
    vi.advanceTimersByTime(30 * days);
    late.cancel();
    vi.advanceTimersByTime(90 * days);
    expect(run).toHaveBeenCalledOnce();
  });

  test('chance', () => {
    expect(systemRandom.bytes(32)).toHaveLength(32);
    expect(Buffer.from(systemRandom.bytes(32))).not.toEqual(Buffer.from(systemRandom.bytes(32)));
    const fraction = systemRandom.fraction();
    expect(fraction).toBeGreaterThanOrEqual(0);
    expect(fraction).toBeLessThan(1);
  });
});

describe('a database file', () => {
  function folder(): string {
    const made = mkdtempSync(join(tmpdir(), 'tillmesh-system-'));
    onTestFinished(() => rmSync(made, { recursive: true, force: true }));
    return made;
  }

  test.each([
    ['with its own addon', undefined],
    ['with an addon handed in', loadedAddon()],
  ])('is made, and opened read-only, %s', (_what, addon) => {
    const openDatabase = createOpenDatabase(addon);
    const path = join(folder(), 'x.db');
    const writable = openDatabase(path, { readonly: false });
    writable.exec('CREATE TABLE t (a); INSERT INTO t VALUES (7)');
    const readonly = openDatabase(path, { readonly: true });
    expect(readonly.prepare('SELECT a FROM t').pluck().get()).toBe(7);
    expect(() => readonly.exec('DELETE FROM t')).toThrow(/readonly/);
    readonly.close();
    writable.close();
  });

  test('that is not there is not made by reading', () => {
    expect(() => createOpenDatabase()(join(folder(), 'x.db'), { readonly: true })).toThrow();
  });
});

function loadedAddon(): object {
  const prebuilds = join(createRequire(import.meta.url).resolve('better-sqlite3/package.json'), '../prebuilds');
  const loaded = { exports: {} };
  process.dlopen(loaded, join(prebuilds, `${process.platform}-${process.arch}.node`));
  return loaded.exports;
}
