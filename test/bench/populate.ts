// Fills a data folder with tickets, in process: through the appliance's own commands, without HTTP. Arguments: data
// folder, shop key, number of tickets.

import { createTicket } from '../../src/commands/create-ticket.ts';
import type { TicketBody } from '../../src/commands/ticket-body.ts';
import { compose } from './compose.ts';
import { ticket } from './tickets.ts';

const [folder = '', shopKey = '', count = '0'] = process.argv.slice(2);
const tillCount = 8;
const firstMs = 800_000_000_000;
const underWayMax = 512;

const { appliance, close } = compose(folder, shopKey);
const startedAt = performance.now();
for (let from = 0; from < Number(count); from += underWayMax) {
  const upTo = Math.min(from + underWayMax, Number(count));
  await Promise.all(Array.from({ length: upTo - from }, (_, index) => write(from + index)));
}
const seconds = (performance.now() - startedAt) / 1000;
close();
process.send?.({ seconds });
process.disconnect?.();

function write(index: number): Promise<void> {
  const { id, ...body } = ticket(
    { run: 0, till: index % tillCount },
    Math.floor(index / tillCount),
    firstMs + index * 100,
  );
  const command = createTicket({ id, body: body as unknown as TicketBody, by: 'bench' });
  return new Promise((resolve, reject) =>
    appliance.execute(command, (outcome) => (outcome.ok ? resolve() : reject(new Error(outcome.detail)))),
  );
}
