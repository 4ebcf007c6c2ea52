// A till of a few lines, on whichever runtime it is started: made of the client as an appliance serves it, and nothing else.
//   till-program CLIENT TOKEN APPLIANCES OUTBOX PREFIX COUNT [patient]
// Sells COUNT tickets as fast as they can be written down, and prints what it hears as lines of JSON: {"state"}, {"sold"},
// {"stored"}, {"rejected"}, {"message"}. It ends by itself once nothing waits; a patient one when its input ends.

import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type * as Client from '../src/client/contract.ts';

const [client = '', token = '', appliances = '', outbox = '', prefix = '', count = '', patience] =
  process.argv.slice(2);
const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const { getConnectionManager } = (await import(pathToFileURL(client).href)) as typeof Client;
const till = getConnectionManager({ token, appliances: appliances.split(','), outbox });
till.onState((state) => print({ state }));
till.onMessage((message) => print({ message }));
till.onOutbox((event) => print(event.kind === 'stored' ? { stored: event.id } : { rejected: event.rejected }));
await till.connect();

for (let number = 0; number < Number(count); number++) {
  const lines = [{ name: 'Coffee', quantity: 1, unitPrice: 250, total: 250 }];
  const { id } = await till.sell({ id: `${prefix}-${number}`, number: String(number), lines, total: 250 });
  print({ sold: id });
}

const isDone = (): boolean => till.pending() === 0;
const end = (): void => {
  print({ done: till.pending() });
  till.close();
};
if (patience) createInterface({ input: process.stdin }).on('close', end);
else if (isDone()) end();
else {
  const stop = till.onState(() => {
    if (!isDone()) return;
    stop();
    end();
  });
}
