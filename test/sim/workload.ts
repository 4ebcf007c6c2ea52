// A shop at work: tills that sell, and send again until they are told yes, to whichever appliance answers; and people
// in the back who edit the same few products and customers at every appliance at once.

import { createMovement, type MovementBody } from '../../src/commands/create-movement.ts';
import { createTicket } from '../../src/commands/create-ticket.ts';
import { deleteRecord } from '../../src/commands/delete-record.ts';
import { patchRecord } from '../../src/commands/patch-record.ts';
import { putRecord } from '../../src/commands/put-record.ts';
import { resolveConflict } from '../../src/commands/resolve-conflict.ts';
import type { TicketLine } from '../../src/commands/ticket-body.ts';
import type { RecordEntity } from '../../src/core/books.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type Request, send } from './clients.ts';
import type { Dice } from './dice.ts';
import { epochMs, type Host } from './host.ts';
import type { World } from './world.ts';

export type Workload = {
  /** No new work from now on; what is in an outbox is still sent. */
  close(): void;
  /** Tickets that no appliance has accepted yet. */
  waitingCount(): number;
  /** Ids under which different tickets were sent on purpose. */
  readonly rivals: ReadonlySet<string>;
};

export type WorkloadOptions = {
  /** Ids of this workload begin with it. */
  name: string;
  tills: number;
  sellMs: number;
  editMs: number;
};

const productIds = Array.from({ length: 8 }, (_, index) => `p${index + 1}`);
const customerIds = ['c1', 'c2', 'c3'];
const recordRefusals = [
  'not_found',
  'record_deleted',
  'record_exists',
  'version_differs',
  'conflict_resolved',
  'being_mended',
];

export function startWorkload(world: World, options: WorkloadOptions): Workload {
  const { loop } = world;
  const rivals = new Set<string>();
  let isOpen = true;
  let waiting = 0;
  for (let till = 1; till <= options.tills; till++) {
    const dice = world.dice.fork(`till ${options.name}${till}`);
    let sold = 0;
    const sell = (): void => {
      if (!isOpen) return;
      sold += 1;
      waiting += 1;
      ring(world, dice, ticketOf(dice, `${options.name}till${till}`, sold, loop.now()), rivals, () => {
        waiting -= 1;
      });
      loop.at(loop.now() + dice.waitMs(options.sellMs), null, sell);
    };
    loop.at(loop.now() + dice.waitMs(options.sellMs), null, sell);
  }
  const dice = world.dice.fork(`back office ${options.name}`);
  let edits = 0;
  const edit = (): void => {
    if (!isOpen) return;
    const host = dice.pick(world.hosts);
    edits += 1;
    const request = editOf(dice, host, `${options.name}m${edits}`);
    if (request) send(world, host, request, () => {});
    loop.at(loop.now() + dice.waitMs(options.editMs), null, edit);
  };
  loop.at(0, null, edit);
  return {
    rivals,
    waitingCount: () => waiting,
    close: () => {
      isOpen = false;
    },
  };
}

type Ticket = { id: string; body: Parameters<typeof createTicket>[0]['body'] };

function ticketOf(dice: Dice, till: string, number: number, now: number): Ticket {
  const lines = Array.from({ length: dice.between(1, 3) }, (): TicketLine & { total: number } => {
    const quantity = dice.pick([1, 1, 1, 2, 0.125, 1.5, -1]);
    const productId = dice.chance(0.95) ? dice.pick(productIds) : 'unknown-product';
    const line = { name: productId, quantity, unitPrice: 100, total: Math.round(quantity * 100) };
    return dice.chance(0.8) ? { productId, ...line } : { sku: `sku-${productId}`, ...line };
  });
  const total = lines.reduce((sum, line) => sum + line.total, 0) + (dice.chance(0.05) ? 1 : 0);
  const kind = dice.chance(0.9) ? 'sale' : dice.pick(['refund', 'void'] as const);
  return {
    id: `${till}-${number}`,
    body: {
      kind,
      terminalId: till,
      number: dice.chance(0.03) ? number - 1 : number,
      currency: 'EUR',
      lines,
      payments: [{ method: 'cash', amount: total }],
      total,
      soldAt: new Date(epochMs + now).toISOString(),
      ...(kind === 'sale' ? {} : { ref: `${till}-${Math.max(1, number - 3)}` }),
      ...(dice.chance(0.2) ? { customerId: dice.pick(customerIds) } : {}),
    },
  };
}

/** Sends a ticket until somebody accepts it: sometimes to two at once, sometimes again though it was accepted. */
function ring(world: World, dice: Dice, ticket: Ticket, rivals: Set<string>, done: () => void): void {
  const hosts = world.hosts;
  let isDone = false;
  const request = (body: Ticket['body']): Request => ({
    entity: 'ticket',
    id: ticket.id,
    mayRefuse: rivals.has(ticket.id) ? ['ticket_differs'] : [],
    command: (by) => createTicket({ id: ticket.id, body, by }),
  });
  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    done();
    if (dice.chance(0.05)) send(world, dice.pick(hosts), request(ticket.body), () => {});
  };
  const attempt = (): void => {
    if (isDone) return;
    send(world, dice.pick(hosts), request(ticket.body), (answer) => {
      if (answer !== 'unknown') finish();
      else world.loop.at(world.loop.now() + dice.between(200, 2500), null, attempt);
    });
  };
  if (dice.chance(0.02)) {
    rivals.add(ticket.id);
    const other = { ...ticket.body, total: (ticket.body.total ?? 0) + 7 };
    send(world, dice.pick(hosts), request(other), () => {});
  }
  attempt();
  if (dice.chance(0.1)) send(world, dice.pick(hosts), request(ticket.body), () => {});
}

function editOf(dice: Dice, host: Host, newId: string): Request | undefined {
  const roll = dice.fraction();
  if (roll < 0.2) return movement(dice, newId);
  if (roll < 0.27) return resolution(dice, host);
  const isProduct = dice.chance(0.8);
  const entity: RecordEntity = isProduct ? 'product' : 'customer';
  const id = dice.pick(isProduct ? productIds : customerIds);
  const mayRefuse = recordRefusals;
  if (roll < 0.34) return { entity, id, mayRefuse, command: (by) => deleteRecord({ entity, id, by }) };
  if (roll < 0.6) {
    const document = isProduct ? productDocument(dice, id) : customerDocument(dice);
    return { entity, id, mayRefuse, command: (by) => putRecord({ entity, id, document, by, mode: 'put' }) };
  }
  const patch = isProduct ? productPatch(dice) : { note: dice.chance(0.3) ? null : `n${dice.between(1, 9)}` };
  return { entity, id, mayRefuse, command: (by) => patchRecord({ entity, id, patch, by }) };
}

const productDocument = (dice: Dice, id: string): JsonObject => ({
  name: `${id} ${dice.pick(['tea', 'coffee', 'thé à la menthe', '茶'])}`,
  price: dice.between(1, 900),
  sku: `sku-${dice.chance(0.9) ? id : dice.pick(productIds)}`,
  barcodes: dice.chance(0.5) ? [`40000000000${dice.between(10, 19)}`] : [],
  attributes: { shelf: dice.between(1, 4), 'a/b~c': dice.fraction() < 0.5 },
  supplier: { name: 'x', since: dice.between(1990, 2026) },
});

const productPatch = (dice: Dice): JsonObject =>
  dice.pick<JsonObject>([
    { price: dice.between(1, 900) },
    { name: `name ${dice.between(1, 99)}` },
    { attributes: { shelf: dice.between(1, 9) } },
    { attributes: { colour: dice.chance(0.3) ? null : dice.pick(['red', 'blue']) } },
    { archived: dice.chance(0.5), price: dice.between(1, 900) },
  ]);

const customerDocument = (dice: Dice): JsonObject => ({
  name: `customer ${dice.between(1, 99)}`,
  email: dice.chance(0.5) ? `someone${dice.between(1, 9)}@example.org` : null,
});

function movement(dice: Dice, id: string): Request {
  const productId = dice.pick(productIds);
  const amount = dice.between(1, 50);
  const body = dice.pick<MovementBody>([
    { kind: 'receipt', productId, quantity: amount },
    { kind: 'waste', productId, quantity: -amount / 8 },
    { kind: 'count', productId, counted: amount },
  ]);
  return { entity: 'movement', id, mayRefuse: [], command: (by) => createMovement({ id, body, by }) };
}

function resolution(dice: Dice, host: Host): Request | undefined {
  const open = host.isReady() ? (host.appliance()?.observe.conflicts({ resolved: false, limit: 20 }).rows ?? []) : [];
  const fields = open.filter((conflict) => conflict.kind === 'field');
  if (fields.length === 0) return undefined;
  const conflict = dice.pick(fields);
  const choose = dice.pick(['winner', 'loser'] as const);
  return {
    entity: conflict.entity,
    id: conflict.recordId,
    mayRefuse: recordRefusals,
    command: (by) => resolveConflict({ conflict, choose, by }),
  };
}
