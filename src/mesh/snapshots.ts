// Snapshots of this appliance's mesh: what is said about them goes to the side that it is for. Without a Bulk port there
// are none: who asks is told so, and we ask nobody.

import type { SnapshotMessage } from '../core/message.ts';
import type { ChunkFrame } from '../protocol/frames.ts';
import type { Link } from './link.ts';
import type { SnapshotProgress } from './mesh.ts';
import type { MeshParts } from './parts.ts';
import { differenceFrom } from './snapshot-check.ts';
import { createSnapshotGiver } from './snapshot-giver.ts';
import { createSnapshotTaker } from './snapshot-taker.ts';

export type Snapshots = {
  /** Something may be worth taking now. */
  consider(): void;
  isAwaited(): boolean;
  message(link: Link, message: SnapshotMessage): void;
  chunk(link: Link, frame: ChunkFrame): void;
  closed(link: Link): void;
  tick(): void;
  progress(link: Link): SnapshotProgress | null;
  stop(): void;
};

/** A peer's question reads a row for each origin: seldom enough that it costs nothing to be asked. */
const checkEveryMs = 1_000;

export function createSnapshots(parts: MeshParts): Snapshots {
  const { ports, storage, members } = parts;
  const giver = ports.bulk && createSnapshotGiver(parts, ports.bulk);
  const taker = ports.bulk && createSnapshotTaker(parts, ports.bulk);
  const checkedAt = new WeakMap<Link, number>();

  function message(link: Link, of: SnapshotMessage): void {
    if (members.trustOf(link.peerKeyId) !== 'trusted') return;
    switch (of.type) {
      case 'snapshot_request':
        if (giver) return giver.asked(link, of.have);
        return link.dispatch({ kind: 'tell', message: { type: 'snapshot_refused', reason: 'there are none here' } });
      case 'snapshot_chunks':
        return giver?.chunksAsked(link, of);
      case 'snapshot_end':
        return giver?.ended(link);
      case 'snapshot_making':
        return taker?.making(link, of.bytes, of.bytesDone);
      case 'snapshot_offer':
        return taker?.offered(link, of);
      case 'snapshot_refused':
        return taker?.refused(link, of.reason);
      case 'snapshot_checked':
        return taker?.checked(link, of);
      case 'snapshot_check': {
        const now = ports.clock.monotonic();
        if (storage.trouble() || now - (checkedAt.get(link) ?? Number.NEGATIVE_INFINITY) < checkEveryMs) return;
        checkedAt.set(link, now);
        const differs = differenceFrom(storage, of).slice(0, 200);
        return link.dispatch({ kind: 'tell', message: { type: 'snapshot_checked', id: of.id, differs } });
      }
    }
  }

  return {
    consider: () => taker?.consider(),
    isAwaited: () => taker?.isAwaited() ?? false,
    message,
    chunk: (link, frame) => taker?.chunk(link, frame),
    closed(link) {
      giver?.ended(link);
      taker?.closed(link);
    },
    tick() {
      giver?.tick();
      taker?.tick();
    },
    progress: (link) => taker?.progress(link) ?? giver?.progress(link) ?? null,
    stop() {
      giver?.stop();
      taker?.stop();
    },
  };
}
