// What an appliance sends to a till, read once at the door: frames of the WebSocket and answers of polling. What is not as it
// must be is undefined; members that we do not know are passed on.

import type { LiveMessage, Resync } from './contract.ts';

export type Frame = { readonly cursor: string | null } & (
  | { readonly kind: 'message'; readonly message: LiveMessage }
  | { readonly kind: 'resync'; readonly resync: Resync }
  | { readonly kind: 'connected' | 'pong' | 'heartbeat' | 'other' }
  /** A frame of ours was not taken: told without an id. */
  | { readonly kind: 'refusal'; readonly payload: unknown; readonly correlationId: string | undefined }
);

export type PollAnswer = {
  readonly cursor: string | null;
  readonly resync: Resync | null;
  readonly messages: readonly LiveMessage[];
};

export type JsonObject = { readonly [member: string]: unknown };

export const asObject = (value: unknown): JsonObject | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;

export const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function readFrame(text: unknown): Frame | undefined {
  const frame = typeof text === 'string' ? asObject(parseJson(text)) : undefined;
  if (frame === undefined || typeof frame.type !== 'string') return undefined;
  const cursor = readCursor(frame.cursor);
  const message = readMessage(frame);
  if (message) return { kind: 'message', message, cursor };
  switch (frame.type) {
    case 'connected':
    case 'pong':
    case 'heartbeat':
      return { kind: frame.type, cursor };
    case 'resync':
      return { kind: 'resync', resync: readResync(frame), cursor };
    case 'sync.error':
      return { kind: 'refusal', payload: frame.payload, correlationId: asText(frame.correlationId), cursor };
    default:
      return { kind: 'other', cursor };
  }
}

export function readPollAnswer(body: unknown): PollAnswer | undefined {
  const answer = asObject(body);
  if (answer === undefined || !Array.isArray(answer.messages)) return undefined;
  return {
    cursor: readCursor(answer.cursor),
    resync: answer.resync === true ? readResync(answer) : null,
    messages: answer.messages.flatMap((message) => readMessage(asObject(message) ?? {}) ?? []),
  };
}

function readMessage({ cursor: _cursor, ...message }: JsonObject): LiveMessage | undefined {
  const { id, type, timestamp, userId, payload } = message;
  if (typeof id !== 'string' || typeof type !== 'string') return undefined;
  return {
    ...message,
    id,
    type,
    payload,
    timestamp: typeof timestamp === 'number' ? timestamp : 0,
    userId: asText(userId) ?? null,
  };
}

const readCursor = (value: unknown): string | null =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : null;

/** What lies between cannot be told: unless it is said that the books are not concerned, they are. */
export function readResync({ lost, detail }: JsonObject): Resync {
  const isOfMessages = lost === 'messages';
  return {
    type: 'resync',
    lost: isOfMessages ? 'messages' : 'data',
    detail: asText(detail) ?? (isOfMessages ? 'Some messages were lost.' : 'Read anew what you show of the books.'),
  };
}
