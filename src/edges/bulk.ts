// The Bulk port: large files and their packing, on the threads of the runtime. Nothing here waits for a disk on our own
// thread but opening a file and asking how much room is left.

import fs from 'node:fs';
import zlib from 'node:zlib';
import type { Bulk, OpenFile } from '../ports.ts';

/** Level 1 packs books to a fifth, ten times as fast as a fast network takes them. */
const packLevel = 1;

export const systemBulk: Bulk = {
  open(path, mode) {
    const flags = mode === 'read' ? fs.constants.O_RDONLY : fs.constants.O_RDWR | fs.constants.O_CREAT;
    return openFile(fs.openSync(path, flags, 0o600));
  },
  freeBytes(folder) {
    const { bavail, bsize } = fs.statfsSync(folder);
    return bavail * bsize;
  },
  pack(bytes, done) {
    const params = { [zlib.constants.ZSTD_c_compressionLevel]: packLevel };
    zlib.zstdCompress(bytes, { params }, (error, packed) => done(error ?? packed));
  },
  unpack(packed, bytesMax, done) {
    zlib.zstdDecompress(packed, { maxOutputLength: bytesMax }, (error, bytes) => done(error ?? bytes));
  },
};

function openFile(descriptor: number): OpenFile {
  let underWay = 0;
  let isClosed = false;
  let closed = (): void => {};
  const begin = (): boolean => {
    if (isClosed) return false;
    underWay += 1;
    return true;
  };
  const end = (): void => {
    underWay -= 1;
    if (isClosed && underWay === 0) finish();
  };
  const finish = (): void => {
    closeQuietly(descriptor);
    closed();
  };
  return {
    read(offset, bytes, done) {
      if (!begin()) return done(new FileClosed());
      // Not zeroed: what is not read is cut off.
      const buffer = Buffer.allocUnsafeSlow(bytes);
      const readOn = (at: number): void =>
        fs.read(descriptor, buffer, at, bytes - at, offset + at, (error, count) => {
          if (!error && count > 0 && at + count < bytes) return readOn(at + count);
          end();
          done(error ?? buffer.subarray(0, at + count));
        });
      readOn(0);
    },
    write(offset, bytes, done) {
      if (!begin()) return done(new FileClosed());
      const writeOn = (at: number): void =>
        fs.write(descriptor, bytes, at, bytes.length - at, offset + at, (error, count) => {
          if (!error && at + count < bytes.length) return writeOn(at + count);
          end();
          done(error);
        });
      writeOn(0);
    },
    sync(done) {
      if (!begin()) return done(new FileClosed());
      fs.fsync(descriptor, (error) => {
        end();
        done(error);
      });
    },
    close(done = () => {}) {
      if (isClosed) return done();
      isClosed = true;
      closed = done;
      if (underWay === 0) finish();
    },
  };
}

class FileClosed extends Error {
  override message = 'the file is closed';
}

function closeQuietly(descriptor: number): void {
  try {
    fs.closeSync(descriptor);
  } catch {
    // What was to be kept has been synced.
  }
}
