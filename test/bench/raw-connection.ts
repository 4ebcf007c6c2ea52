// One keep-alive HTTP/1.1 connection that costs next to nothing: whole requests as bytes out, status and body in. One
// request at a time.

import { connect, type Socket } from 'node:net';

export type Answer = { readonly status: number; readonly body: Buffer };

export type RawConnection = {
  /** The body is good until `answered` returns. */
  send(request: Uint8Array, answered: (status: number, body: Buffer) => void): void;
  ask(request: Uint8Array): Promise<Answer>;
  end(): void;
};

const receiveBytes = 64 * 1024;
const nothing = Buffer.alloc(0);

export async function openRawConnection(port: number): Promise<RawConnection> {
  let waiting: ((status: number, body: Buffer) => void) | undefined;
  let fail = (error: Error): void => {
    throw error;
  };
  let held = nothing;

  function take(bytes: Buffer): void {
    const whole = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const body = bodyOf(whole);
    // The receive buffer is used again for what comes next.
    held = body ? nothing : Buffer.from(whole);
    if (!body) return;
    const answered = waiting;
    waiting = undefined;
    answered?.(statusOf(whole), body);
  }

  const socket = await open(port, take);
  const lost = (error?: Error): void => {
    if (waiting) fail(error ?? new Error(`port ${port} closed the connection`));
  };
  socket.on('error', lost);
  socket.on('close', () => lost());
  const send: RawConnection['send'] = (request, answered) => {
    waiting = answered;
    socket.write(request);
  };
  return {
    send,
    ask: (request) =>
      new Promise((resolve, reject) => {
        fail = reject;
        send(request, (status, body) => resolve({ status, body: Buffer.from(body) }));
      }),
    end() {
      waiting = undefined;
      socket.destroy();
    },
  };
}

function open(port: number, take: (bytes: Buffer) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const buffer = Buffer.alloc(receiveBytes);
    const callback = (count: number): boolean => {
      take(buffer.subarray(0, count));
      return true;
    };
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** "HTTP/1.1 201 …" */
const statusOf = (bytes: Buffer): number =>
  ((bytes[9] ?? 0) - 48) * 100 + ((bytes[10] ?? 0) - 48) * 10 + ((bytes[11] ?? 0) - 48);

const headEnd = Buffer.from('\r\n\r\n');
const lengthName = Buffer.from('\r\nContent-Length: ');
const chunkedName = Buffer.from('\r\nTransfer-Encoding: chunked');
const lastChunk = Buffer.from('0\r\n\r\n');

/** Undefined while there is more to come. */
function bodyOf(whole: Buffer): Buffer | undefined {
  const headAt = whole.indexOf(headEnd);
  if (headAt < 0) return undefined;
  const body = whole.subarray(headAt + headEnd.length);
  const head = whole.subarray(0, headAt);
  const at = head.indexOf(lengthName) + lengthName.length;
  if (at >= lengthName.length) {
    const length = Number.parseInt(head.toString('latin1', at, at + 10), 10);
    return body.length < length ? undefined : body.subarray(0, length);
  }
  // Bun's answers.
  if (!head.includes(chunkedName)) return nothing;
  return body.subarray(-lastChunk.length).equals(lastChunk) ? joinedChunks(body) : undefined;
}

function joinedChunks(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = body.indexOf('\r\n', at);
    const length = Number.parseInt(body.toString('latin1', at, lineEnd), 16);
    if (!(length > 0)) return Buffer.concat(chunks);
    chunks.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}

/** The bytes of a request. */
export function requestBytes(method: string, path: string, token: string, body?: unknown): Buffer {
  const text = body === undefined ? '' : JSON.stringify(body);
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: Bearer ${token}`,
    ...(body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`]),
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`);
}
