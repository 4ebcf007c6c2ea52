// Records what an appliance says on one channel, and says it on others. To hear more than a proof it must be let in: it
// knows the shop key, as somebody did who has left. What it says again it says under keys that nobody knows.
//   replay-program SHOP_KEY
// Waits on the mesh port of its host to be dialed by an appliance; prints {"ready": its id}, then {"recorded": the types of
// its messages}. For each line of input, "HOW TARGET", it dials the target, and prints {"said": HOW, "id": its id then,
// "heard": the types of what it was answered} when the target has closed. HOW: "proof and hello", "hello", or "own proof",
// the target's own, given back to it.

import { createInterface } from 'node:readline';
import { openPeerServer } from '../../src/edges/peer/server.ts';
import { createTransport } from '../../src/edges/peer/transport.ts';
import { createSystemCrypto, systemTimers } from '../../src/edges/system.ts';
import { proofText } from '../../src/mesh/trust/proof.ts';
import type { Connection } from '../../src/ports.ts';
import { protocolRange } from '../../src/protocol/version.ts';
import { makeSomeone, silentLog } from '../edges/peer-pair.ts';

const [shopKey = ''] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const crypto = createSystemCrypto();
const { shop, key } = crypto.shopOfKey(shopKey);
const insider = await makeSomeone();
const recorded = new Map<string, string>();

/** Says, as a member would, what makes the other end say more. */
function record(connection: Connection): void {
  const say = (message: object): void => connection.send(JSON.stringify(message));
  const claim = {
    role: 'listener',
    key: insider.publicKey,
    otherKey: connection.peerKey,
    protocol: protocolRange,
  } as const;
  const proof = proofText(crypto, key, connection, { ...claim, what: 'shop_key', shop });
  say({ type: 'proof', protocol: protocolRange, shop, instance: 'recorder', proof });
  connection.listen({
    frame(frame) {
      if (typeof frame !== 'string' || recorded.has('hello')) return;
      const { type } = JSON.parse(frame) as { type: string };
      recorded.set(type, frame);
      if (type !== 'hello') return;
      print({ recorded: [...recorded.keys()] });
      connection.close('it has said enough');
    },
    drained() {},
    closed() {},
  });
}

async function replay(how: string, target: string): Promise<void> {
  const { credentials, replicaId } = await makeSomeone();
  const transport = createTransport(credentials, systemTimers);
  transport.dial(target, (outcome) => {
    if (!outcome.ok) return print({ said: how, failure: outcome.reason });
    const { connection } = outcome;
    const heard: string[] = [];
    connection.listen({
      frame(frame) {
        heard.push(typeof frame === 'string' ? JSON.parse(frame).type : 'commits');
        if (how === 'own proof' && heard.length === 1) connection.send(frame);
      },
      drained() {},
      closed: () => print({ said: how, id: replicaId, heard }),
    });
    if (how === 'proof and hello') connection.send(recorded.get('proof') ?? '');
    if (how !== 'own proof') connection.send(recorded.get('hello') ?? '');
  });
}

const opened = await openPeerServer({
  credentials: insider.credentials,
  host: null,
  port: 3031,
  timers: systemTimers,
  log: silentLog,
  onConnection: record,
  onRequest: (_request, response) => void response.end(),
});
print(opened.ok ? { ready: insider.replicaId } : opened);
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [, how = '', target = ''] = /^(.*) (\S+)$/.exec(line) ?? [];
    void replay(how, target);
  })
  .on('close', () => process.exit(0));
