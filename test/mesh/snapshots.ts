// What tests of snapshots need: a maker with enough books, a disk whose work can be held up or spoilt, and how to see what
// went over the wire.

import { basename } from 'node:path';
import type { Command } from '../../src/core/command.ts';
import { snapshotOpsMin } from '../../src/core/limits.ts';
import { systemBulk } from '../../src/edges/bulk.ts';
import type { Bulk, OpenFile } from '../../src/ports.ts';
import { type ChunkFrame, decodeChunkFrame } from '../../src/protocol/frames.ts';
import { putProduct, type TestAppliance } from './appliances.ts';
import { commitsIn, type Frame, messagesIn } from './wire.ts';

/** Enough for a snapshot, with room to spare; about half a KB of the file each. */
export const enough = snapshotOpsMin + 1000;
/** What a maker writes besides: that it trusts the newcomer. */
export const makersWord = 1;

/** Products p0, p1 …; text that hardly packs, so that a few thousand make some MB. */
export async function stockUp(one: TestAppliance, count = enough, note = ''): Promise<void> {
  const run = (command: Command<unknown>) => one.run(command);
  for (let from = 0; from < count; from += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - from) }, (_, index) => from + index);
    const outcomes = await Promise.all(
      batch.map((index) =>
        run(
          putProduct(`p${index}`, {
            name: `Product ${index}`,
            price: index,
            currency: 'EUR',
            taxRate: 2000,
            category: note,
          }),
        ),
      ),
    );
    for (const outcome of outcomes) if (!outcome.ok) throw new Error(outcome.detail);
  }
}

export const chunksIn = (frames: readonly Frame[]): ChunkFrame[] =>
  frames.flatMap(({ content }) => {
    const chunk = typeof content === 'string' ? undefined : decodeChunkFrame(content);
    return chunk && chunk !== 'malformed' ? [chunk] : [];
  });

/** Ops that came one by one. */
export const opsCameIn = (frames: readonly Frame[]): number =>
  commitsIn(frames).reduce(
    (sum, { commits }) => sum + commits.reduce((ops, { commit: { seal } }) => ops + seal.last - seal.first + 1, 0),
    0,
  );

export const kindsIn = (frames: readonly Frame[]): string[] => messagesIn(frames).map(({ type }) => type);

type Work = {
  readonly file: string;
  readonly kind: 'read' | 'write' | 'sync';
  readonly offset: number;
  readonly bytes: number;
};

export type HeldBulk = {
  readonly bulk: Bulk;
  /** All that was begun so far. */
  readonly works: Work[];
  /** From here on, work of which this is true is begun and not finished until `goOn`. */
  hold(which: (work: Work) => boolean): void;
  goOn(): void;
  heldCount(): number;
};

/** The real thing, some of whose answers come when the test says so; `spoil` may change what was read. */
export function createHeldBulk(spoil: (work: Work, read: Uint8Array) => Uint8Array = (_work, read) => read): HeldBulk {
  const works: Work[] = [];
  let held: (() => void)[] = [];
  let isHeld: (work: Work) => boolean = () => false;
  const later = (work: Work, run: () => void): void => {
    if (isHeld(work)) held.push(run);
    else run();
  };
  const begin = (work: Work): Work => {
    works.push(work);
    return work;
  };
  const open: Bulk['open'] = (path, mode) => {
    const file = basename(path);
    const real = systemBulk.open(path, mode);
    const opened: OpenFile = {
      read(offset, bytes, done) {
        const work = begin({ file, kind: 'read', offset, bytes });
        real.read(offset, bytes, (read) => later(work, () => done(read instanceof Error ? read : spoil(work, read))));
      },
      write(offset, bytes, done) {
        const work = begin({ file, kind: 'write', offset, bytes: bytes.length });
        real.write(offset, bytes, (error) => later(work, () => done(error)));
      },
      sync(done) {
        const work = begin({ file, kind: 'sync', offset: 0, bytes: 0 });
        real.sync((error) => later(work, () => done(error)));
      },
      close: (closed) => real.close(closed),
    };
    return opened;
  };
  return {
    bulk: { ...systemBulk, open },
    works,
    hold(which) {
      isHeld = which;
    },
    goOn() {
      isHeld = () => false;
      const waiting = held;
      held = [];
      for (const run of waiting) run();
    },
    heldCount: () => held.length,
  };
}
