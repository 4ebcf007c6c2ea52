// Messages for tills, passed between appliances without entering the books. They take the way that ops of their author take:
// from the author to all who are linked to it, and on to whoever wants the author's ops from us. Nothing is pushed: each link
// has a place among the messages that wait, and goes on from there while it has room. A link that has just come up begins a
// few minutes back, because of what may have been lost with the one before; so does one whose peer has come to want the words
// of others from us. Whoever has a message drops it by its id.

import { liveLinkBytesMax, livePeerMessagesMax, livePeerWindowMs } from '../core/limits.ts';
import type { LiveWireMessage } from '../core/message.ts';
import type { Link } from './link.ts';
import type { MeshParts } from './parts.ts';

/** What is above the mesh: the messages themselves. */
export type LiveMessages = {
  /** False for what is known already, or makes no sense: it is passed on no further. */
  heard(message: LiveWireMessage): boolean;
  /** Those that wait and have a higher number, in order. */
  after(number: number): readonly { readonly number: number; readonly message: LiveWireMessage }[];
  lastNumber(): number;
  /** Where somebody begins who was away: a bounded number of bytes back. */
  replayFrom(): number;
};

export type Live = {
  /** Something was said here. */
  wake(): void;
  heard(link: Link, message: LiveWireMessage): void;
  greeted(link: Link): void;
  /** It has room again. */
  drained(link: Link): void;
  /** Every second: whether somebody wants more of us than before. */
  tick(): void;
  closed(link: Link): void;
};

type Place = {
  number: number;
  /** What was said until the link came up is passed whoever said it. */
  readonly replayUpTo: number;
  /** Whose ops its peer wanted from us when we last looked. */
  wants: readonly string[];
  /** Gone through a second time up to here, for the words of those whom it has come to want since. */
  againUpTo: number;
  readonly again: Set<string>;
};
type Window = { startedAt: number; count: number };

export function createLive({ ports, config, links, alarms }: MeshParts, messages: LiveMessages): Live {
  const places = new Map<Link, Place>();
  const windows = new WeakMap<Link, Window>();

  /** Of those whose words have come another way until now, the last minutes are gone through once more. */
  function lookAtWants(place: Place, wants: readonly string[]): void {
    if (place.wants === wants) return;
    const more = wants.filter((replica) => !place.wants.includes(replica));
    place.wants = wants;
    if (more.length === 0) return;
    for (const replica of more) place.again.add(replica);
    place.againUpTo = Math.max(place.againUpTo, place.number);
    place.number = Math.min(place.number, messages.replayFrom());
  }

  function isFor({ replayUpTo, wants, againUpTo, again }: Place, number: number, author: string): boolean {
    if (number <= againUpTo) return number > replayUpTo && again.has(author);
    return author === config.replicaId || number <= replayUpTo || wants.includes(author);
  }

  function passTo(link: Link, place: Place): void {
    lookAtWants(place, link.session().peerWants);
    for (const { number, message } of messages.after(place.number)) {
      // Ops go before: it goes on when they have left.
      if (link.connection.bufferedBytes() > liveLinkBytesMax) return;
      const { author } = message;
      place.number = number;
      if (author !== link.peerKeyId && isFor(place, number, author)) link.dispatch({ kind: 'tell', message });
    }
    place.number = messages.lastNumber();
    place.again.clear();
  }

  function wake(): void {
    for (const [link, place] of places) passTo(link, place);
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
    wake,
    heard(link, message) {
      if (links.get(link.peerKeyId) !== link || isTooMuch(link)) return;
      if (message.author !== config.replicaId && messages.heard(message)) wake();
    },
    greeted(link) {
      const [number, replayUpTo, wants] = [messages.replayFrom(), messages.lastNumber(), link.session().peerWants];
      const place = { number, replayUpTo, wants, againUpTo: 0, again: new Set<string>() };
      places.set(link, place);
      passTo(link, place);
    },
    drained(link) {
      const place = places.get(link);
      if (place) passTo(link, place);
    },
    tick() {
      for (const [link, place] of places) if (place.wants !== link.session().peerWants) passTo(link, place);
    },
    closed: (link) => void places.delete(link),
  };
}
