// A small appliance on real sockets (node:http and ws), as src/realtime/README.md has it: enough to see the client at work.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export type RealServer = {
  readonly address: string;
  publish(type: string): string;
  takesWebSockets: boolean;
  cutSockets(): void;
  readonly stored: string[];
  readonly tokens: Set<string>;
  readonly protocols: Set<string>;
  socketCount(): number;
  /** Connections of all kinds are cut, and new ones refused. */
  stop(): Promise<void>;
};

type Message = { id: string; type: string; payload: unknown; timestamp: number; userId: null; cursor: string };

/** `port`: where it was before; 0 picks one. */
export async function startRealServer(port = 0, earlier?: RealServer): Promise<RealServer> {
  const messages: Message[] = [];
  const wakeUps = new Set<() => void>();
  const connections = new Set<Socket>();
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'tillmesh' });
  const http = createServer((request, response) => void answer(request, response));
  http.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });
  http.on('upgrade', (request, socket, head) => {
    server.protocols.add(String(request.headers['sec-websocket-protocol']));
    if (!server.takesWebSockets) return void socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    sockets.handleUpgrade(request, socket, head, (webSocket) => stream(webSocket, request));
  });

  function stream(webSocket: WebSocket, request: IncomingMessage): void {
    const after = new URL(request.url ?? '', 'http://x').searchParams.get('after');
    let place = after === null ? messages.length : Number(after);
    const say = (frame: object) => webSocket.send(JSON.stringify(frame));
    const tell = () => {
      while (place < messages.length) say(messages[place++] as Message);
    };
    webSocket.on('message', (text) => {
      if (JSON.parse(String(text)).type === 'ping') say({ type: 'pong', cursor: String(place), timestamp: 1 });
    });
    webSocket.on('close', () => wakeUps.delete(tell));
    webSocket.on('error', () => undefined);
    say({ type: 'connected', cursor: String(place), timestamp: 1, userId: 'till', heartbeatMs: 30_000 });
    wakeUps.add(tell);
    tell();
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://x');
    const say = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    // Asked by tills that do not know yet who is there.
    if (url.pathname === '/readyz') return say(request.headers.authorization ? 400 : 200, { status: 'ready' });
    server.tokens.add(String(request.headers.authorization));
    if (url.pathname === '/api/v1/appliances') return say(200, { data: [] });
    if (url.pathname === '/api/sync/poll') return poll(url, response, say);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString() || '{}');
    if (url.pathname !== '/api/v1/tickets') return say(200, { success: true, messageId: 'm', timestamp: 1 });
    const isNew = !server.stored.includes(body.id);
    if (isNew) server.stored.push(body.id);
    say(isNew ? 201 : 200, body);
  }

  function poll(url: URL, response: ServerResponse, say: (status: number, body: object) => void): void {
    const since = url.searchParams.get('since');
    const place = since === null ? messages.length : Number(since);
    const tell = () => {
      wakeUps.delete(tell);
      clearTimeout(timer);
      const found = messages.slice(place);
      say(200, { success: true, messages: found, timestamp: 1, cursor: String(messages.length), count: found.length });
    };
    const timer = setTimeout(tell, Number(url.searchParams.get('wait')) * 1000);
    response.on('close', () => {
      clearTimeout(timer);
      wakeUps.delete(tell);
    });
    if (place < messages.length) tell();
    else wakeUps.add(tell);
  }

  const server: RealServer = {
    address: '',
    takesWebSockets: true,
    stored: earlier ? [...earlier.stored] : [],
    tokens: new Set(),
    protocols: new Set(),
    publish(type) {
      const id = `m-${messages.length}`;
      messages.push({ id, type, payload: {}, timestamp: 1, userId: null, cursor: String(messages.length + 1) });
      for (const wakeUp of [...wakeUps]) wakeUp();
      return id;
    },
    cutSockets() {
      for (const webSocket of sockets.clients) webSocket.terminate();
    },
    socketCount: () => sockets.clients.size,
    async stop() {
      const stopped = new Promise((resolve) => http.close(resolve));
      for (const connection of connections) connection.destroy();
      await stopped;
    },
  };
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  Object.assign(server, { address: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
  return server;
}
