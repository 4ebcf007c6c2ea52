// An appliance that only looks around, as a program of its own for a host of the lab:
//   appliance-program CHARACTER NAME
// Prints each event as a line of JSON; on its input, "status" prints the status and "stop" ends it with a goodbye.

import { createInterface } from 'node:readline';
import { createDiscovery } from '../../../src/edges/discovery/discovery.ts';
import { systemClock, systemRandom, systemTimers } from '../../../src/edges/system.ts';
import { idOf, shopId } from './packets.ts';

const [character = 'a', name = 'till'] = process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const log = { debug() {}, info() {}, warn() {}, error: console.error };
const discovery = createDiscovery({ timers: systemTimers, clock: systemClock, random: systemRandom, log });
discovery.start(
  { replicaId: idOf(character), name, shop: shopId, meshPort: 3031 },
  { seen: (seen) => print({ seen }), gone: (gone) => print({ gone }) },
);
print({ started: true });

createInterface({ input: process.stdin })
  .on('line', async (word) => {
    if (word === 'status') print({ status: discovery.status() });
    if (word !== 'stop') return;
    await discovery.stop();
    print({ stopped: true });
    process.exit(0);
  })
  .on('close', () => process.exit(0));
