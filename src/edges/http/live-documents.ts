// Entries of the stream as clients see them, as text: the same for all, so each is written once, however many hear it.

import type { Entry, Lost } from '../../realtime/stream.ts';
import { changeDocument } from './documents.ts';

const texts = new WeakMap<Entry, string>();
const frames = new WeakMap<Entry, Uint8Array>();

/** The same as UTF-8: one copy in memory for all sockets that have not sent it yet. */
export function entryFrame(entry: Entry): Uint8Array {
  const known = frames.get(entry);
  if (known) return known;
  const frame = Buffer.from(entryText(entry));
  frames.set(entry, frame);
  return frame;
}

export function entryText(entry: Entry): string {
  const known = texts.get(entry);
  if (known !== undefined) return known;
  const text = entry.kind === 'change' ? changeText(entry) : messageText(entry);
  texts.set(entry, text);
  return text;
}

function changeText({ id: messageId, change, section, cursor }: Entry & { kind: 'change' }): string {
  const { id, kind, record } = changeDocument(change);
  const payload = { section, id, kind, data: record ?? { id, deleted: true } };
  return JSON.stringify({
    id: messageId,
    type: 'data.updated',
    payload,
    timestamp: change.at,
    userId: null,
    cursor,
  });
}

function messageText({ message, cursor }: Entry & { kind: 'message' }): string {
  const { id, type, payload, timestamp, audience, correlationId } = message;
  const userId = audience !== 'all' && 'user' in audience ? audience.user : null;
  const topics = audience !== 'all' && 'topics' in audience ? audience.topics : undefined;
  const rest = JSON.stringify({ timestamp, userId, topics, correlationId, cursor }).slice(1);
  return `{"id":${JSON.stringify(id)},"type":${JSON.stringify(type)},"payload":${payload},${rest}`;
}

export const lostDetail: Readonly<Record<Lost, string>> = {
  data: 'What changed since that place is not told here: read anew what you show, and go on from this cursor.',
  messages: 'Messages that were in no books are no longer kept; what changed in the books is told in full.',
};
