// B9, from the frames themselves: what crosses each link while nothing is wrong. A commit crosses a link once, in one
// direction; appliances that have nothing to say exchange heartbeats and small digests only; each pair has one link.

import { decodeCommitsFrame } from '../../src/protocol/frames.ts';
import { frameBytes } from './wire.ts';
import type { World } from './world.ts';

export type EchoWatch = {
  /** Holds what has crossed since the beginning of the watch against the rule. */
  check(idleSeconds: number | null): void;
};

/** Per link and second, at rest; the limit that the product promises. */
const idleBytesPerSecondMax = 200;

export function watchEcho(world: World): EchoWatch {
  const crossings = new Map<string, number>();
  const bytes = new Map<string, number>();
  const add = (counts: Map<string, number>, key: string, count: number): void => {
    counts.set(key, (counts.get(key) ?? 0) + count);
  };
  world.network.onFrame = ({ from, to, frame }) => {
    const link = [from, to].sort().join('-');
    add(bytes, link, frameBytes(frame));
    if (typeof frame === 'string') return;
    const decoded = decodeCommitsFrame(frame);
    for (const { commit } of decoded?.commits ?? [])
      add(crossings, `${link} ${commit.seal.origin}#${commit.seal.first}-${commit.seal.last}`, 1);
  };
  return {
    check: (idleSeconds) => {
      world.network.onFrame = () => {};
      // In a circle two neighbours may learn the same from both sides at once, and tell each other in the same moment.
      const hasCircle = world.options.topology === 'ring' || world.hosts.some((host) => host.isRetired());
      const crossingsMax = hasCircle ? 2 : 1;
      for (const [crossing, count] of crossings)
        if (count > crossingsMax) world.broken(`B9 crossed ${count} times: ${crossing}`);
      if (idleSeconds !== null) checkIdle(world, bytes, crossings, idleSeconds);
      checkLinks(world);
    },
  };
}

function checkIdle(world: World, bytes: Map<string, number>, crossings: Map<string, number>, seconds: number): void {
  for (const [link, count] of bytes)
    if (count / seconds > idleBytesPerSecondMax) world.broken(`B9 idle, and ${count} bytes in ${seconds} s on ${link}`);
  for (const crossing of crossings.keys()) world.broken(`B9 idle, and ops cross: ${crossing}`);
}

/** One living connection for each pair that knows each other, and none else. */
function checkLinks(world: World): void {
  const open = new Map<string, number>();
  for (const [a, b] of world.network.connections()) {
    if (a.isClosed() || b.isClosed()) continue;
    const link = [a.host, b.host].sort().join('-');
    open.set(link, (open.get(link) ?? 0) + 1);
  }
  for (const [link, count] of open) if (count > 1) world.broken(`B9 ${count} connections for one pair: ${link}`);
}
