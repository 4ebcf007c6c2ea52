// Messages for tills, passed between appliances without entering the books. They take the way that ops of their author take:
// from the author to all who are linked to it, and on to whoever wants the author's ops from us. Where that way changes, or
// was cut, those of the last minutes are passed again; whoever has them already drops them by their id.

import { livePeerMessagesMax, livePeerWindowMs, liveReplayBytesMax } from '../core/limits.ts';
import type { LiveWireMessage } from '../core/message.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';

/** What is above the mesh: the messages themselves. */
export type LiveMessages = {
  /** False for what is known already, or makes no sense: it is passed on no further. */
  heard(message: LiveWireMessage): boolean;
  /** Those of the last minutes, the oldest first; a bounded number. */
  recent(): readonly LiveWireMessage[];
};

export type Live = {
  /** Something was said here. */
  publish(message: LiveWireMessage): void;
  heard(link: Link, message: LiveWireMessage): void;
  greeted(link: Link): void;
  /** Every second: links that were busy get what they have missed. */
  tick(): void;
};

type Window = { startedAt: number; count: number };

export function createLive({ ports, config, links, alarms }: MeshParts, messages: LiveMessages): Live {
  const windows = new WeakMap<Link, Window>();
  /** Links that were too busy for a message: ops go before. */
  const owed = new Set<Link>();

  function pass(link: Link, message: LiveWireMessage): void {
    if (link.connection.bufferedBytes() > liveReplayBytesMax) owed.add(link);
    else link.dispatch({ kind: 'tell', message });
  }

  function passRecent(link: Link): void {
    for (const message of messages.recent()) if (message.author !== link.peerKeyId) pass(link, message);
  }

  /** Whoever says more than a shop can say is not listened to for the rest of the window. */
  function isTooMuch(link: Link): boolean {
    const now = ports.clock.monotonic();
    let window = windows.get(link);
    if (!window || now - window.startedAt > livePeerWindowMs) window = { startedAt: now, count: 0 };
    windows.set(link, window);
    window.count += 1;
    if (window.count <= livePeerMessagesMax) return false;
    const detail = `${link.peer?.name ?? 'A peer'} passes on more messages than tills can say: some are dropped.`;
    if (window.count === livePeerMessagesMax + 1) alarms.raise(`talks ${link.peerKeyId}`, 'too_many_messages', detail);
    return true;
  }

  return {
    publish(message) {
      for (const link of links.values()) pass(link, message);
    },
    heard(link, message) {
      const { author } = message;
      if (links.get(link.peerKeyId) !== link || isTooMuch(link)) return;
      if (author === config.replicaId || !messages.heard(message)) return;
      for (const other of links.values()) {
        const { peerWants } = other.session();
        if (other !== link && other.peerKeyId !== author && peerWants.includes(author)) pass(other, message);
      }
    },
    greeted: passRecent,
    tick() {
      for (const link of [...owed]) {
        const isOpen = links.get(link.peerKeyId) === link;
        if (isOpen && link.connection.bufferedBytes() > 0) continue;
        owed.delete(link);
        if (isOpen) passRecent(link);
      }
    },
  };
}
