// Live messages for tills: by WebSocket, by polling, and what tills and admins say themselves.

import { z } from '@hono/zod-openapi';
import { type Failure, failure } from '../../../core/command.ts';
import { answerBytesMax } from '../../../core/limits.ts';
import type { Audience, Interest } from '../../../realtime/message.ts';
import { typeOfUpdates } from '../../../realtime/message.ts';
import type { Entry, Lost, Place } from '../../../realtime/stream.ts';
import { reachableUrls } from '../appliance-urls.ts';
import { type Credential, userIdOf } from '../credentials.ts';
import { entryText, lostDetail } from '../live-documents.ts';
import { readBy } from '../reading.ts';
import { type Answer, type Room, type Route, route } from '../route.ts';
import * as live from '../schemas/live.ts';
import * as requests from '../schemas/requests.ts';
import { timeText } from '../times.ts';

/** `topics`: names with commas, as in the address. */
const interestOf = (credential: Credential, topics: readonly string[] = []): Interest => ({
  user: userIdOf(credential),
  topics: new Set(topics),
});

const credentialChanged = failure(
  'credential_changed',
  'Ask again: what this credential may hear and say was changed.',
);

/** Who listens does so as he came: with another role, or as another user's till, he comes anew. */
const refusalOfListener =
  (credential: Credential, credentialNow: () => Credential | Failure) => (): Failure | undefined => {
    const found = credentialNow();
    if (!('role' in found)) return found;
    const isSame = found.role === credential.role && userIdOf(found) === userIdOf(credential);
    return isSame ? undefined : credentialChanged;
  };

const webSocket = route({
  method: 'get',
  path: '/ws',
  access: 'read',
  tag: 'Live',
  summary: 'Follow messages by WebSocket',
  description:
    'An upgrade to WebSocket. The token goes into the Authorization header or, from a browser, into the subprotocols: ["tillmesh", TOKEN]. Frames are JSON texts: "connected" first, then messages as a poll answers them; "resync" where something cannot be told any more. A client says {"type": "ping"}, {"type": "subscribe", "topics": […]}, {"type": "unsubscribe", "topics": […]}; anything else is sent as by POST /api/sync/send.',
  query: z.object({
    topics: live.topics,
    after: z.string().max(200).optional().openapi({ description: 'Cursor to go on from; without it, from now on.' }),
  }),
  answers: { 101: { description: 'Switched to WebSocket.' } },
  problems: ['query_malformed', 'cursor_malformed', 'upgrade_required'],
  run: ({ query, credential, visit, credentialNow }, room) => {
    if (!visit.upgrade) return failure('upgrade_required', 'Ask with Upgrade: websocket, or poll /api/sync/poll.');
    const start = room.appliance.realtime.placeOf(query.after);
    if (!start.ok) return start;
    const { limiter, talks } = room;
    const caller = credential.countedBy ?? credential.id;
    visit.upgrade(
      talks.open({
        credential,
        topics: query.topics ?? [],
        start,
        refusalNow: refusalOfListener(credential, credentialNow),
        take: () => limiter.take(caller, visit.address ?? 'unknown', false),
        send: (message) => send(room, credential, message),
      }),
    );
    return { status: 204 };
  },
});

const poll = route({
  method: 'get',
  path: '/api/sync/poll',
  access: 'read',
  tag: 'Live',
  summary: 'Follow messages by polling',
  description: 'The same messages as by WebSocket, in the same order, with the same cursor. Go on with `since=cursor`.',
  query: z.object({
    since: z.string().max(200).optional().openapi({
      description: 'A cursor; or a time in Unix milliseconds, as `timestamp` told it. Without it, from now on.',
    }),
    topics: live.topics,
    wait: requests.wait,
  }),
  answers: { 200: { description: 'What there is.', schema: live.polled } },
  problems: ['query_malformed', 'cursor_malformed', 'credential_changed'],
  run: ({ query, credential, request, credentialNow }, room) => {
    const { realtime } = room.appliance;
    const start = realtime.placeOf(query.since);
    if (!start.ok) return start;
    const interest = interestOf(credential, query.topics);
    const first = realtime.read(start.place, interest);
    const lost = start.lost ?? first.lost;
    if (first.entries.length > 0 || lost || !query.wait) return pollAnswer(room, first.place, first.entries, lost);
    const asker = {
      holder: credential.countedBy ?? credential.id,
      gone: request.signal,
      refusalNow: refusalOfListener(credential, credentialNow),
    };
    return room.polls
      .wait(first.place, interest, query.wait * 1000, asker)
      .then((heard) => (heard.ok ? pollAnswer(room, heard.place, heard.entries, heard.lost) : heard));
  },
});

/** Large messages make a shorter page, which ends where the last of them stands. */
function pollAnswer({ appliance }: Room, place: Place, entries: readonly Entry[], lost?: Lost): Answer {
  const { realtime } = appliance;
  let text = '';
  let count = 0;
  for (const entry of entries) {
    if (text.length >= answerBytesMax) break;
    text += (count++ > 0 ? ',' : '') + entryText(entry);
  }
  const cursor = count < entries.length ? (entries[count - 1]?.cursor ?? '') : realtime.cursorOf(place);
  const rest = {
    timestamp: realtime.tellTime(),
    cursor,
    count,
    ...(lost && { resync: true, lost, detail: lostDetail[lost] }),
  };
  const bytes = `{"success":true,"messages":[${text}],${JSON.stringify(rest).slice(1)}`;
  return { status: 200, content: { type: 'application/json', bytes } };
}

type Said = { readonly messageId: string; readonly timestamp: number };

function say(room: Room, message: live.Sent, to: Audience): Said | Failure {
  const { type, payload = null, correlationId } = message;
  const said = room.appliance.realtime.publish({ type, payload, to, correlationId });
  return said.ok ? { messageId: said.message.id, timestamp: said.message.timestamp } : said;
}

/** To all tabs and tills of whoever says it. */
function send(room: Room, credential: Credential, message: live.Sent): Said | Failure {
  if (credential.role === 'read-only') return failure('read_only', 'Ask an admin for a credential that may write.');
  if (message.type === typeOfUpdates) {
    return failure('type_reserved', 'What has changed is told by the appliance and by admins. Choose another type.');
  }
  return say(room, message, { user: userIdOf(credential) });
}

const answerOf = (said: Said | Failure): Answer | Failure =>
  'code' in said ? said : { status: 200, json: { success: true, ...said } };

const example = { type: 'user.action', payload: { basket: 'b-17' }, correlationId: 'c-1' };
const sendRoute = route({
  method: 'post',
  path: '/api/sync/send',
  access: 'terminal',
  tag: 'Live',
  summary: 'Say something to all tabs and tills of one’s own user',
  body: { schema: live.sending, example, read: (json) => readBy(live.sending, json) },
  answers: { 200: { description: 'Said; it waits five minutes for whoever is away.', schema: live.sent } },
  problems: ['malformed', 'type_reserved', 'payload_too_large'],
  run: ({ body, credential }, room) => answerOf(send(room, credential, body)),
});

const broadcast = route({
  method: 'post',
  path: '/api/sync/broadcast',
  access: 'admin',
  tag: 'Live',
  summary: 'Say something to all, to topics, or to a user',
  body: {
    schema: live.broadcast,
    example: { type: 'notification.new', payload: { text: 'We close at six.' }, topics: ['front'] },
    read: (json) => readBy(live.broadcast, json),
  },
  answers: { 200: { description: 'Said, at every appliance of the shop.', schema: live.sent } },
  problems: ['malformed', 'type_reserved', 'payload_too_large'],
  run: ({ body: { topics, userId, ...message } }, room) => {
    if (topics?.length && userId !== undefined)
      return failure('malformed', 'Name topics, or a user, not both.', {
        errors: [{ pointer: '/userId', detail: 'must not be there beside topics' }],
      });
    const to: Audience = topics?.length ? { topics } : userId === undefined ? 'all' : { user: userId };
    return answerOf(say(room, message, to));
  },
});

const status = route({
  method: 'get',
  path: '/api/sync/status',
  access: 'read',
  tag: 'Live',
  summary: 'Who is connected, and what waits',
  answers: { 200: { description: 'As of now, at this appliance.', schema: live.status } },
  run: (_call, { appliance: { realtime }, talks }) => {
    const { queues, messages, sweptAt } = realtime.status();
    const json = {
      success: true,
      status: {
        websocket: { enabled: true, ...talks.counts() },
        polling: { enabled: true, endpoint: poll.path, queues, messages },
        lastCheck: timeText(sweptAt),
      },
    };
    return { status: 200, json };
  },
});

const appliances = route({
  method: 'get',
  path: '/api/v1/appliances',
  access: 'read',
  tag: 'Live',
  summary: 'The shop’s appliances, and where tills reach them',
  description:
    'For a till that goes on at another one when its own does not answer. The one that is asked comes first.',
  answers: { 200: { description: 'Those that are known here.', schema: z.object({ data: z.array(live.appliance) }) } },
  run: ({ visit }, { appliance }) => ({
    status: 200,
    json: {
      data: appliance.mesh.appliances().map(({ host, origins, ...facts }) => ({
        ...facts,
        urls: reachableUrls(origins, host, visit.isFromHere === true),
      })),
    },
  }),
});

export const liveRoutes: readonly Route[] = [webSocket, poll, sendRoute, broadcast, status, appliances];
