// Makes a snapshot: a copy of the database file as it is at one moment, beside it. The file is frozen meanwhile: a reader
// keeps what is committed from then on in the write-ahead log, so sales go on, and the copy is made in steps by other
// threads. Then what concerns this appliance alone is taken out of the copy, and what is left is hashed and signed.

import { snapshotBytesMax, snapshotChunkBytes, snapshotStepBytes, snapshotSyncBytes } from '../core/limits.ts';
import { hex } from '../core/op.ts';
import { manifestMessage, type SnapshotFacts, snapshotFormat } from '../core/snapshot.ts';
import type { Bulk, OpenFile, Ports } from '../ports.ts';
import { encodeManifest } from '../protocol/manifest.ts';
import type { OpenFailure } from './open.ts';
import { hasRoomFor, madePath, removeDatabase } from './snapshot-files.ts';
import { stripOwnRows } from './snapshot-tables.ts';

export type Made = {
  readonly ok: true;
  /** First 32 hex digits of the SHA-256 of the manifest. */
  readonly id: string;
  readonly manifest: string;
  readonly signature: string;
  readonly bytes: number;
  readonly facts: SnapshotFacts;
  readonly file: OpenFile;
};
export type MakeFailure = { readonly ok: false; readonly detail: string };

export type Making = {
  /** Of the file. A message tells no more than the largest that there may be. */
  readonly bytes: number;
  /** Half of what was copied, half of what was hashed. */
  bytesDone(): number;
  cancel(): void;
};

/** The database as it is on disk at this moment, unchanged until it is released. */
export type Frozen = {
  readonly file: OpenFile;
  readonly bytes: number;
  readonly facts: SnapshotFacts;
  /** False once the database was closed, whoever did it: then what was read of it is worth nothing. */
  isHeld(): boolean;
  release(): void;
};

/** What is needed of storage here. */
export type Freezing = { readonly path: string; freeze(): Frozen | OpenFailure };

export type MakeConfig = { readonly shop: string; readonly replicaId: string; readonly schema: string };

/** Pieces of the file under way at once. */
const lanes = 2;

/** Calls `done` once, unless it is cancelled. At most one at a time: it has one name. */
export function makeSnapshot(
  ports: Ports & { bulk: Bulk },
  storage: Freezing,
  config: MakeConfig,
  done: (made: Made | MakeFailure) => void,
): Making | MakeFailure {
  const { bulk, crypto, signer } = ports;
  const path = madePath(storage.path);
  const frozen = storage.freeze();
  if ('detail' in frozen) return { ok: false, detail: frozen.detail };
  let bytesDone = 0;
  let isOver = false;
  const hashes: string[] = [];
  let copy: OpenFile | undefined;

  /** At once, whatever the disk has not answered yet: frozen for long, the database would grow without end. */
  function leave(): void {
    isOver = true;
    frozenNow.release();
    copy?.close();
    removeDatabase(path);
  }

  function fail(detail: string): void {
    if (isOver) return;
    leave();
    done({ ok: false, detail });
  }

  /** Callbacks come from the disk: what breaks in one must not end the process, and what comes late meets another's file. */
  const guarded = (run: () => void): void => {
    if (isOver) return;
    try {
      run();
    } catch (error) {
      fail(String(error));
    }
  };

  /** Does `step` for each piece of the file, two at a time, so that one is read while another is written or hashed. */
  function throughout(step: (offset: number, bytes: number, next: () => void) => void, whole: () => void): void {
    const pieces = Math.ceil(frozenNow.bytes / snapshotStepBytes);
    let [begun, left] = [0, pieces];
    const next = (): void => {
      const offset = begun * snapshotStepBytes;
      begun += 1;
      const bytes = Math.min(snapshotStepBytes, frozenNow.bytes - offset);
      step(offset, bytes, () => {
        bytesDone += bytes;
        left -= 1;
        if (left === 0) whole();
        else if (begun < pieces) next();
      });
    };
    for (let lane = 0; lane < Math.min(lanes, pieces); lane++) next();
  }

  function copyPiece(offset: number, bytes: number, next: () => void): void {
    frozenNow.file.read(offset, bytes, (read) =>
      guarded(() => {
        if (read instanceof Error || read.length < bytes) return fail(String(read));
        copy?.write(offset, read, (error) =>
          guarded(() => {
            if (error) return fail(String(error));
            if ((offset + bytes) % snapshotSyncBytes === 0) copy?.sync(() => {});
            next();
          }),
        );
      }),
    );
  }

  function copied(): void {
    if (!frozenNow.isHeld()) return fail('the database was opened anew meanwhile');
    frozenNow.release();
    const database = ports.openDatabase(path, { readonly: false });
    try {
      stripOwnRows(database);
    } finally {
      database.close();
    }
    throughout(hashPiece, () => hashed(hashes.join('')));
  }

  function hashPiece(offset: number, bytes: number, next: () => void): void {
    copy?.read(offset, bytes, (read) =>
      guarded(() => {
        if (read instanceof Error || read.length < bytes) return fail(String(read));
        for (let at = 0; at < read.length; at += snapshotChunkBytes)
          hashes[(offset + at) / snapshotChunkBytes] = hex(crypto.sha256(read.subarray(at, at + snapshotChunkBytes)));
        next();
      }),
    );
  }

  function hashed(chunks: string): void {
    const { facts, bytes } = frozenNow;
    const manifest = encodeManifest({
      format: snapshotFormat,
      shop: config.shop,
      maker: config.replicaId,
      schema: config.schema,
      ...facts,
      bytes,
      chunkBytes: snapshotChunkBytes,
      chunks,
    });
    const id = hex(crypto.sha256(manifest)).slice(0, 32);
    const signature = hex(signer.sign(manifestMessage(manifest)));
    if (copy) done({ ok: true, id, manifest, signature, bytes, facts, file: copy });
  }

  const frozenNow: Frozen = frozen;
  try {
    if (frozen.bytes > snapshotBytesMax) throw new Error('the books are too large for a snapshot');
    if (!hasRoomFor(bulk, storage.path, frozen.bytes)) throw new Error('there is no room on the disk for a snapshot');
    removeDatabase(path);
    copy = bulk.open(path, 'write');
  } catch (error) {
    frozen.release();
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
  throughout(copyPiece, copied);
  return {
    bytes: frozen.bytes,
    bytesDone: () => Math.floor(bytesDone / 2),
    cancel: leave,
  };
}
