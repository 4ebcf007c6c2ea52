// What is said over a WebSocket: messages in the order of the stream, and answers to the few things that a client can say.
// src/realtime/README.md has the frames.

import { type Failure, failure } from '../../core/command.ts';
import { liveFramesWaitingMax, liveHeartbeatMs, readerTopicsMax } from '../../core/limits.ts';
import type { Interest } from '../../realtime/message.ts';
import type { PlaceFound, Realtime } from '../../realtime/realtime.ts';
import type { Entry, Lost } from '../../realtime/stream.ts';
import { closeCodes, type OpenTalk, type Talk, type TalkSocket } from '../../realtime/talk.ts';
import { type Credential, userIdOf } from './credentials.ts';
import { entryFrame, lostDetail } from './live-documents.ts';
import { problemDocument } from './problems.ts';
import { readBy } from './reading.ts';
import * as live from './schemas/live.ts';
import { readStrictJson } from './strict-json.ts';

export type TalkWith = {
  readonly credential: Credential;
  readonly topics: readonly string[];
  readonly start: PlaceFound;
  /** Why he would no longer be let in. */
  readonly refusalNow: () => Failure | undefined;
  /** Counts a frame as a request; a failure where there were too many. */
  readonly take: () => Promise<Failure | undefined>;
  /** Says something for him. */
  readonly send: (message: live.Sent) => { messageId: string; timestamp: number } | Failure;
};

export type Talks = {
  open(caller: TalkWith): OpenTalk;
  counts(): { connections: number; totalConnections: number; subscriptions: number };
};

type Parts = { readonly realtime: Realtime; readonly now: () => number; readonly broke: (error: unknown) => void };

export function createTalks(parts: Parts): Talks {
  const open = new Set<{ topics(): number }>();
  let total = 0;

  return {
    open: (caller) => (socket) => {
      total += 1;
      const talk = createTalk(parts, caller, socket, () => open.delete(counted));
      const counted = { topics: talk.topicCount };
      open.add(counted);
      return talk;
    },
    counts: () => ({
      connections: open.size,
      totalConnections: total,
      subscriptions: [...open].reduce((sum, { topics }) => sum + topics(), 0),
    }),
  };
}

function createTalk(
  { realtime, now, broke }: Parts,
  { credential, topics, start, refusalNow, take, send }: TalkWith,
  socket: TalkSocket,
  ended: () => void,
): Talk & { topicCount(): number } {
  const user = userIdOf(credential);
  let interest: Interest = { user, topics: new Set(topics) };
  let waiting = 0;
  let turn: Promise<void> = Promise.resolve();

  const say = (frame: object): void => socket.send(JSON.stringify({ ...frame, timestamp: Math.trunc(now()) }));
  const cursor = (): string => realtime.cursorOf(listener.place());
  const sayLost = (lost: Lost, at: string): void => say({ type: 'resync', lost, detail: lostDetail[lost], cursor: at });

  say({ type: 'connected', cursor: realtime.cursorOf(start.place), userId: user, heartbeatMs: liveHeartbeatMs });
  if (start.lost) sayLost(start.lost, realtime.cursorOf(start.place));
  const listener = realtime.listen(start, interest, {
    isReady: socket.isReady,
    entries(entries) {
      let taken = 0;
      socket.together(() => {
        for (; taken < entries.length && socket.isReady(); taken++) socket.send(entryFrame(entries[taken] as Entry));
      });
      return taken;
    },
    lost: (lost) => sayLost(lost, cursor()),
    refusalNow,
    refused: (refusal) => socket.close(closeCodes.shutOut, refusal.code),
  });

  function sayFailure(refusal: Failure, correlationId?: string): void {
    const { code, detail } = problemDocument(refusal);
    say({ type: 'sync.error', payload: { code, detail }, correlationId });
  }

  async function onFrame(text: string): Promise<void> {
    const refusal = await take();
    if (refusal) return sayFailure(refusal);
    const json = readStrictJson(text);
    if (!json.ok) return sayFailure(failure('not_json', json.detail));
    const frame = readBy(live.frame, json.value);
    if (!frame.ok) return sayFailure(frame);
    const { type, correlationId } = frame.value;
    if (type === 'ping') return say({ type: 'pong', cursor: cursor(), correlationId });
    if (type === 'subscribe' || type === 'unsubscribe') return changeTopics(type, frame.value.topics ?? []);
    // Whoever is on his way out says nothing more, though his socket may take its time to close.
    const sent = refusalNow() ?? send({ type, payload: frame.value.payload, correlationId });
    if ('code' in sent) return sayFailure(sent, correlationId);
    say({ type: 'sent', correlationId, ...sent });
  }

  function changeTopics(type: 'subscribe' | 'unsubscribe', named: readonly string[]): void {
    const changed = new Set(interest.topics);
    for (const topic of named) {
      if (type === 'subscribe') changed.add(topic);
      else changed.delete(topic);
    }
    if (changed.size > readerTopicsMax) return sayFailure(failure('malformed', live.topicsRule));
    interest = { user, topics: changed };
    listener.setInterest(interest);
    say({ type: 'subscribed', topics: [...changed] });
  }

  return {
    holder: credential.countedBy ?? credential.id,
    topicCount: () => interest.topics.size,
    frame(text) {
      waiting += 1;
      if (waiting === liveFramesWaitingMax) socket.pause();
      turn = turn
        .then(() => onFrame(text))
        .catch((error: unknown) => {
          broke(error);
          socket.close(closeCodes.broken, 'an error on our side');
        })
        .finally(() => {
          waiting -= 1;
          if (waiting === liveFramesWaitingMax - 1) socket.readOn();
        });
    },
    drained: listener.resume,
    beat: () => say({ type: 'heartbeat', cursor: cursor() }),
    ended() {
      listener.end();
      ended();
    },
  };
}
