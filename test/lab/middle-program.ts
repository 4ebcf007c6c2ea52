// Somebody in the middle: takes TLS apart with a key of its own on both sides, at the mesh port of its host, and passes
// every message on.
//   middle-program TARGET
// Prints {"ready": its id}, then {"passed": the type of each message}.

import { openPeerServer } from '../../src/edges/peer/server.ts';
import { createTransport } from '../../src/edges/peer/transport.ts';
import { systemTimers } from '../../src/edges/system.ts';
import { makeSomeone, silentLog } from '../edges/peer-pair.ts';
import { relay } from '../mesh/relay.ts';

const [target = ''] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const who = await makeSomeone();
const transport = createTransport(who.credentials, systemTimers);

const see = (frame: string | Uint8Array): void =>
  print({ passed: typeof frame === 'string' ? JSON.parse(frame).type : 'commits' });

const opened = await openPeerServer({
  credentials: who.credentials,
  host: null,
  port: 3031,
  timers: systemTimers,
  log: silentLog,
  onConnection: (near) => relay(near, { transport, target, see, isStubborn: true }),
  onRequest: (_request, response) => void response.end(),
});
print(opened.ok ? { ready: who.replicaId } : opened);
process.stdin.resume().once('end', () => process.exit(0));
