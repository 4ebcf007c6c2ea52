// WebSockets of tills and pages, once they have been let in: frames of text, of bounded size and never compressed; a ping
// every half minute, whose answer must be there by the next; a bound to what a client leaves unread. What is said over them
// is not known here. Places are bounded: past them whoever holds most makes room.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { firstOfMost } from '../../core/crowd.ts';
import {
  closingMs,
  liveFrameBytesMax,
  liveHeartbeatMs,
  liveSocketBytesMax,
  liveSocketsMax,
} from '../../core/limits.ts';
import type { Timers } from '../../ports.ts';
import { closeCodes, type OpenTalk, type Talk } from '../../realtime/talk.ts';

export type LiveSockets = {
  /** Takes the socket over. `protocol`: of those that the client offered. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string | undefined, open: OpenTalk): void;
  /** Tells everybody that we stop, and takes nobody any more; whoever does not end by himself is ended. */
  closeAll(): void;
};

const asText = { binary: false } as const;

const webSocketOptions = {
  noServer: true,
  maxPayload: liveFrameBytesMax,
  perMessageDeflate: false,
  closeTimeout: closingMs,
  clientTracking: false,
  // Ours looks whether what was answered before is taken.
  autoPong: false,
} as const;

type Client = { readonly webSocket: WebSocket; readonly talk: Talk; isAlive: boolean };

/** Unread beyond this it is ended: frames that answer its own come on top of what it is told. */
const unreadBytesMax = 2 * liveSocketBytesMax;

export function createLiveSockets(timers: Timers, socketsMax = liveSocketsMax): LiveSockets {
  const clients = new Set<Client>();
  const server = new WebSocketServer({
    ...webSocketOptions,
    // Chosen before, and written into the request in place of what was offered: a token is not said back.
    handleProtocols: (offered) => offered.values().next().value ?? false,
  });
  let isBeating = false;
  let isClosed = false;

  function beatLater(): void {
    if (isBeating) return;
    isBeating = true;
    timers.after(liveHeartbeatMs, () => {
      isBeating = false;
      for (const client of [...clients]) beat(client);
      if (clients.size > 0) beatLater();
    });
  }

  function beat(client: Client): void {
    const { webSocket, talk } = client;
    if (!client.isAlive) return webSocket.terminate();
    client.isAlive = false;
    webSocket.ping();
    talk.beat();
  }

  function makeRoom(): void {
    const oldest = clients.size < socketsMax ? undefined : firstOfMost(clients, ({ talk }) => talk.holder);
    if (!oldest) return;
    // Its place is free at once, however long it takes to hear of it.
    clients.delete(oldest);
    oldest.talk.ended();
    oldest.webSocket.close(closeCodes.othersWait, 'too many connections of the same credential');
  }

  function serve(webSocket: WebSocket, socket: Duplex, open: OpenTalk): void {
    makeRoom();
    let isReady = true;
    const onSent = (): void => {
      if (isReady || webSocket.bufferedAmount > liveSocketBytesMax / 2) return;
      isReady = true;
      client.talk.drained();
    };
    const talk = open({
      send(text) {
        if (webSocket.readyState !== webSocket.OPEN) return;
        if (webSocket.bufferedAmount > unreadBytesMax) return webSocket.terminate();
        webSocket.send(text, asText, onSent);
        if (webSocket.bufferedAmount > liveSocketBytesMax) isReady = false;
      },
      together(say) {
        socket.cork();
        try {
          say();
        } finally {
          socket.uncork();
        }
      },
      isReady: () => isReady,
      pause: () => webSocket.pause(),
      readOn: () => webSocket.resume(),
      close: (code, reason) => webSocket.close(code, reason),
    });
    const client: Client = { webSocket, talk, isAlive: true };
    clients.add(client);
    webSocket.on('pong', () => {
      client.isAlive = true;
    });
    webSocket.on('ping', (data) => {
      if (webSocket.bufferedAmount > unreadBytesMax) webSocket.terminate();
      else webSocket.pong(data);
    });
    webSocket.on('message', (data: Buffer, isBinary) => {
      // Whoever says something and takes nothing is as good as gone.
      if (isReady) client.isAlive = true;
      if (isBinary) webSocket.close(closeCodes.binary, 'frames are texts of JSON');
      else if (clients.has(client)) talk.frame(data.toString());
    });
    // What is wrong with it is told by its end.
    webSocket.on('error', () => {});
    webSocket.on('close', () => {
      if (clients.delete(client)) talk.ended();
    });
    beatLater();
  }

  return {
    accept(request, socket, head, protocol, open) {
      if (isClosed) return void socket.destroy();
      if (protocol === undefined) delete request.headers['sec-websocket-protocol'];
      else request.headers['sec-websocket-protocol'] = protocol;
      server.handleUpgrade(request, socket, head, (webSocket) => serve(webSocket, socket, open));
    },
    closeAll() {
      isClosed = true;
      for (const { webSocket, talk } of clients) {
        talk.ended();
        webSocket.close(closeCodes.stopping, 'the appliance stops');
        timers.after(closingMs, () => webSocket.terminate());
      }
      clients.clear();
    },
  };
}
