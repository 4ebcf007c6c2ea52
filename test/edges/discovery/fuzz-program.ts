// A discovery on the loopback network under mutated packets, as a program of its own, to be bundled and run by either
// runtime:   fuzz-program SEED COUNT
// Prints what was heard and that an appliance that came afterwards was seen and left; a hang or a crash is seen by whoever
// started it.

import { freePort, look, stranger, until } from './loopback.ts';
import {
  announcement,
  attacks,
  dice,
  foreignDevice,
  goodbye,
  idOf,
  knowing,
  mutated,
  nameOnly,
  question,
} from './packets.ts';

const [seed, count] = process.argv.slice(2).map(Number) as [number, number];
const attacker = '127.0.0.66';
/** So many go out before it is waited until they are in: what a socket holds. */
const batch = 20;

const samples = [
  announcement({ id: idOf('b'), address: attacker }),
  announcement({ id: idOf('c') }, { id: idOf('d') }, { id: idOf('e') }),
  goodbye({ id: idOf('b') }),
  nameOnly({ id: idOf('f') }),
  question(),
  knowing(120, `${idOf('a')}._tillmesh._tcp.local`),
  foreignDevice(),
  ...attacks.map(({ packet }) => packet).filter(({ length }) => length > 11 && length < 4000),
];

const port = await freePort();
const a = look('a', { port, packetsPerSecondMax: Number.POSITIVE_INFINITY });
const someone = await stranger(port, attacker);
const next = dice(seed);
await until(() => a.discovery.status().interfaces.length > 0);
for (let said = 0; said < count; ) {
  const now = Math.min(batch, count - said);
  await Promise.all(Array.from({ length: now }, () => someone.say(mutated(samples, next))));
  said += now;
  await until(() => a.discovery.status().packetsHeard >= said);
}
const newcomer = look('n', { port }, { name: 'newcomer' });
await a.sees('newcomer');
await newcomer.discovery.stop();
await a.loses(idOf('n'));
const { packetsHeard, packetsDropped, seen, lastError } = a.discovery.status();
const wasSeen = a.events.filter((event) => 'seen' in event).length;
await a.discovery.stop();
someone.close();
process.stdout.write(`${JSON.stringify({ packetsHeard, packetsDropped, seen, wasSeen, lastError })}\n`);
