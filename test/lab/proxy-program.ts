// A proxy in a shop's network, as some firewalls are: HTTP goes through, WebSockets do not. At the HTTP port of its host:
//   proxy-program TARGET_HOST
// Each line of input is what it does from then on to who asks for an upgrade: "refuse" (403), "swallow" (it opens, and
// nothing comes through either way, nor on those that are open) or "pass". It begins with "refuse". Prints {"ready": true},
// {"now": MODE}, and for each upgrade {"upgrade": MODE}.

import { createServer, type IncomingMessage, request as requestOf } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const [host = ''] = process.argv.slice(2);
const port = 3030;
const modes = ['refuse', 'swallow', 'pass'];
let mode = 'refuse';
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** The head as it came: name by name, in the order and the writing of who sent it. */
function headOf({ method, url, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const server = createServer((request, response) => {
  const { method, url: path, rawHeaders: headers } = request;
  const passed = requestOf({ host, port, method, path, headers: [...headers] }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(response);
  });
  passed.on('error', () => response.destroy());
  response.on('close', () => passed.destroy());
  request.pipe(passed);
});

server.on('upgrade', (request, client: Socket, early) => {
  print({ upgrade: mode });
  if (mode === 'refuse') return client.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  const target = connect(port, host);
  target.write(headOf(request));
  target.write(early);
  let isHeadThrough = false;
  // What was swallowed of a stream is missing in it for ever.
  let isSilent = false;
  const isSwallowed = (): boolean => {
    isSilent ||= mode === 'swallow';
    return isSilent;
  };
  target.on('data', (bytes: Buffer) => {
    // The answer to the upgrade comes by itself, or with the first frame behind it.
    const headEnd = isHeadThrough ? 0 : bytes.indexOf('\r\n\r\n') + 4;
    isHeadThrough = true;
    client.write(isSwallowed() ? bytes.subarray(0, headEnd) : bytes);
  });
  client.on('data', (bytes: Buffer) => {
    if (!isSwallowed()) target.write(bytes);
  });
  for (const [one, other] of [
    [client, target],
    [target, client],
  ] as const)
    one.on('error', () => other.destroy()).on('close', () => other.destroy());
});

server.listen(port, () => print({ ready: true }));
createInterface({ input: process.stdin })
  .on('line', (word) => {
    if (!modes.includes(word)) throw new Error(`what is "${word}"?`);
    mode = word;
    print({ now: mode });
  })
  .on('close', () => process.exit(0));
