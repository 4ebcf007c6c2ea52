// The Bulk port as it is on this runtime: files at any place, what is under way when they are closed, and packing.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemBulk } from '../../src/edges/bulk.ts';
import { newFolder } from '../storage/opened.ts';

const call = <Result>(run: (done: (result: Result) => void) => void): Promise<Result> => new Promise(run);
const bytesOf = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, index) => (index * 7) % 251);

describe('B8 a large file', () => {
  test('is written and read at any place, and fewer bytes come only at its end', async () => {
    const path = join(newFolder(), 'file');
    const file = systemBulk.open(path, 'write');
    expect(await call((done) => file.write(100, bytesOf(300), done))).toBe(null);
    expect(await call((done) => file.write(0, bytesOf(100), done))).toBe(null);
    expect(await call((done) => file.sync(done))).toBe(null);
    const read = await call<Uint8Array | Error>((done) => file.read(50, 1000, done));
    expect(new Uint8Array(read as Uint8Array)).toEqual(new Uint8Array([...bytesOf(100).slice(50), ...bytesOf(300)]));
    expect(await call<Uint8Array | Error>((done) => file.read(400, 10, done))).toHaveLength(0);
    file.close();
    expect(readFileSync(path)).toHaveLength(400);
  });

  test('that is opened for writing again keeps what is in it', () => {
    const path = join(newFolder(), 'file');
    writeFileSync(path, 'there');
    systemBulk.open(path, 'write').close();
    expect(readFileSync(path, 'utf8')).toBe('there');
    expect(() => systemBulk.open(join(path, 'under'), 'read')).toThrow();
  });

  test('that is closed ends what is under way, begins nothing more, and says when it is closed', async () => {
    const file = systemBulk.open(join(newFolder(), 'file'), 'write');
    const order: string[] = [];
    const written = call<Error | null>((done) =>
      file.write(0, bytesOf(5_000_000), (error) => {
        order.push('written');
        done(error);
      }),
    );
    const closed = call<void>((done) =>
      file.close(() => {
        order.push('closed');
        done();
      }),
    );
    expect(await call<Uint8Array | Error>((done) => file.read(0, 1, done))).toBeInstanceOf(Error);
    expect(await call<Error | null>((done) => file.write(0, bytesOf(1), done))).toBeInstanceOf(Error);
    expect(await written).toBe(null);
    await closed;
    expect(order.sort()).toEqual(['closed', 'written']);
  });

  test('packed and unpacked is the same; what would be larger than it should is refused', async () => {
    const packed = await call<Uint8Array | Error>((done) => systemBulk.pack(bytesOf(100_000), done));
    if (packed instanceof Error) throw packed;
    expect(packed.length).toBeLessThan(10_000);
    const whole = await call<Uint8Array | Error>((done) => systemBulk.unpack(packed, 100_000, done));
    expect(new Uint8Array(whole as Uint8Array)).toEqual(bytesOf(100_000));
    expect(await call((done) => systemBulk.unpack(packed, 99_999, done))).toBeInstanceOf(Error);
    expect(await call((done) => systemBulk.unpack(bytesOf(100), 1000, done))).toBeInstanceOf(Error);
  });

  test('has room that is told', () => {
    const folder = newFolder();
    expect(systemBulk.freeBytes(folder)).toBeGreaterThan(1_000_000);
    expect(existsSync(folder)).toBe(true);
  });
});
