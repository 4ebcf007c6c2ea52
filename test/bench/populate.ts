// Fills a data folder with tickets and small products, in process: through the appliance's own commands, without HTTP.
// Arguments: data folder, shop key, number of tickets, number of products.

import { createTicket } from '../../src/commands/create-ticket.ts';
import { putRecord } from '../../src/commands/put-record.ts';
import type { TicketBody } from '../../src/commands/ticket-body.ts';
import type { Command } from '../../src/core/command.ts';
import { compose } from './compose.ts';
import { smallProduct, ticket } from './tickets.ts';

const [folder = '', shopKey = '', count = '0', productCount = '0'] = process.argv.slice(2);
const tillCount = 8;
const firstMs = 800_000_000_000;
const underWayMax = 512;

const { appliance, close } = compose(folder, shopKey);
const startedAt = performance.now();
await writeAll(Number(productCount), writeProduct);
await writeAll(Number(count), writeTicket);
const seconds = (performance.now() - startedAt) / 1000;
close();
process.send?.({ seconds });
process.disconnect?.();

async function writeAll(upTo: number, write: (index: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < upTo; from += underWayMax) {
    const some = Math.min(underWayMax, upTo - from);
    await Promise.all(Array.from({ length: some }, (_, index) => write(from + index)));
  }
}

function writeTicket(index: number): Promise<void> {
  const { id, ...body } = ticket(
    { run: 0, till: index % tillCount },
    Math.floor(index / tillCount),
    firstMs + index * 100,
  );
  return execute(createTicket({ id, body: body as unknown as TicketBody, by: 'bench' }));
}

function writeProduct(index: number): Promise<void> {
  const { id, ...document } = smallProduct(index);
  return execute(putRecord({ entity: 'product', id, document, by: 'bench', mode: 'put' }));
}

function execute(command: Command<unknown>): Promise<void> {
  return new Promise((resolve, reject) =>
    appliance.execute(command, (outcome) => (outcome.ok ? resolve() : reject(new Error(outcome.detail)))),
  );
}
