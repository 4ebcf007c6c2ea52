// Somebody in the middle: takes TLS apart with a key of its own on both sides, at the mesh port of its host, and passes
// every message on. It ends neither side when the other has gone, so that both get to read what there was.
//   middle-program TARGET
// Prints {"ready": its id}, then {"passed": the type of each message}.

import { openPeerServer } from '../../src/edges/peer/server.ts';
import { createTransport } from '../../src/edges/peer/transport.ts';
import { systemTimers } from '../../src/edges/system.ts';
import type { Connection } from '../../src/ports.ts';
import { makeSomeone, silentLog } from '../edges/peer-pair.ts';

const [target = ''] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const who = await makeSomeone();
const transport = createTransport(who.credentials, systemTimers);

function passOn(from: Connection, send: (frame: string | Uint8Array) => void): void {
  from.listen({
    frame(frame) {
      print({ passed: typeof frame === 'string' ? JSON.parse(frame).type : 'commits' });
      send(frame);
    },
    drained() {},
    closed() {},
  });
}

function onConnection(near: Connection): void {
  const early: (string | Uint8Array)[] = [];
  let send = (frame: string | Uint8Array): void => void early.push(frame);
  passOn(near, (frame) => send(frame));
  transport.dial(target, (outcome) => {
    if (!outcome.ok) return near.close(outcome.reason);
    passOn(outcome.connection, (frame) => near.send(frame));
    send = (frame) => outcome.connection.send(frame);
    for (const frame of early) send(frame);
  });
}

const opened = await openPeerServer({
  credentials: who.credentials,
  host: null,
  port: 3031,
  timers: systemTimers,
  log: silentLog,
  onConnection,
  onRequest: (_request, response) => void response.end(),
});
print(opened.ok ? { ready: who.replicaId } : opened);
process.stdin.resume().once('end', () => process.exit(0));
