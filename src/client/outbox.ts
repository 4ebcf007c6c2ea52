// Tickets that no appliance has confirmed. What is sold is written before it is sent, and goes only when it is confirmed or a
// person has seen to it. All reading and writing is done in turn, and what is known here is what was read or written last.

import type { OutboxEvent } from './contract.ts';
import type { Channel, Environment } from './environment.ts';
import { createKeeping } from './keeping.ts';
import { asObject, asText } from './messages.ts';
import type { Entry, KeptTicket, OutboxMedium, Rejection } from './outbox-medium.ts';
import { createRecentIds } from './recent-ids.ts';
import { isSameSale, type KeptSale, keepTicket, rejectedTicket, withId } from './ticket.ts';

export type Outbox = {
  /** Settles when it was tried to read what was kept, and what is known of the shop's appliances. */
  opened(): Promise<unknown>;
  sell(ticket: unknown): Promise<{ readonly id: string }>;
  waiting(): readonly Entry[];
  rejected(): readonly Entry[];
  confirm(entry: Entry, stored: unknown): Promise<void>;
  reject(entry: Entry, rejection: Rejection): Promise<void>;
  retry(id: string, corrected?: unknown): Promise<void>;
  discard(id: string): Promise<void>;
  /** Reads again what other pages may have changed. */
  recount(): Promise<void>;
  remember(appliances: Parameters<OutboxMedium['remember']>[0]): Promise<void>;
  isDurable(): boolean;
  /** What keeps this device from writing, as a sentence; null when nothing does. */
  trouble(): string | null;
  close(): void;
};

export type OutboxEvents = {
  changed(): void;
  told(event: OutboxEvent): void;
};

type Waiter = KeptSale & { done(error?: Error): void };

/** `terminalId`: of the till, for what it sells. */
export function createOutbox(
  environment: Environment,
  name: string | undefined,
  terminalId: string | undefined,
  events: OutboxEvents,
): Outbox {
  const keeping = createKeeping(environment, name, events.changed);
  let channel: Channel | null = null;
  let entries: readonly Entry[] = [];
  let waiting: readonly Entry[] = [];
  let rejected: readonly Entry[] = [];
  let isLoaded = false;
  let turn: Promise<unknown> = Promise.resolve();
  /** Sold in the same instant: written together, in order. */
  let sold: Waiter[] = [];
  let isRecountDue = false;
  const told = createRecentIds();

  function keep(next: readonly Entry[]): void {
    entries = next;
    waiting = next.filter(({ rejection }) => rejection === null);
    rejected = next.filter(({ rejection }) => rejection !== null);
  }

  /** One after another; the next one's turn comes whatever became of this one. */
  function inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = turn.then(run);
    turn = result.catch(() => undefined);
    return result;
  }

  async function load(): Promise<void> {
    keep(await keeping.read());
    isLoaded = true;
    const isShared = keeping.medium().isShared;
    if (isShared && channel === null) channel = environment.openChannel(`tillmesh-outbox:${name ?? ''}`, hear);
    events.changed();
  }

  const loaded = async (): Promise<void> => {
    if (!isLoaded) await load();
  };

  /** All that was sold while the one before was written. */
  async function writeSold(): Promise<void> {
    const batch = sold;
    sold = [];
    if (batch.length === 0) return;
    try {
      await loaded();
      const fresh: Waiter[] = [];
      const together: Waiter[] = [];
      for (const waiter of batch) {
        const place = await placeOf(waiter, fresh);
        if (place === 'new') fresh.push(waiter);
        if (place === 'new' || place === 'beside') together.push(waiter);
        else waiter.done(place === 'kept' ? undefined : place);
      }
      if (fresh.length === 0) return;
      const added = await keeping.written(keeping.medium().add(fresh.map(({ ticket }) => ticket)));
      keep([...entries, ...added]);
      for (const { done } of together) done();
      announce({ kind: 'changed' });
    } catch (error) {
      // To those that were told already this is nothing.
      for (const { done } of batch) done(error as Error);
    } finally {
      events.changed();
    }
  }

  /** Kept: it is dealt with. Beside: it is one of `fresh`, and as safe as that when it is written. */
  async function placeOf(sale: Waiter, fresh: readonly Waiter[]): Promise<'new' | 'kept' | 'beside' | Error> {
    const { ticket } = sale;
    const known = entries.find((entry) => entry.ticket.id === ticket.id);
    const earlier = known?.ticket ?? fresh.find((other) => other.ticket.id === ticket.id)?.ticket;
    if (earlier === undefined) return 'new';
    if (known?.rejection) {
      await renew(known, ticket);
      return 'kept';
    }
    if (isSameSale(earlier, sale)) return known ? 'kept' : 'beside';
    return new Error(`Another ticket with the id ${ticket.id} waits to be sent.`);
  }

  async function renew(entry: Entry, ticket: KeptTicket): Promise<void> {
    const renewed = await keeping.written(keeping.medium().renew(entry.key, ticket));
    keep([...without(entry.key), renewed]);
    announce({ kind: 'changed' });
  }

  const without = (key: Entry['key']): Entry[] => entries.filter((entry) => entry.key !== key);

  /** Told once, whoever found out, and though it was seen in the medium before it was heard of. */
  function settle(key: Entry['key'], event: OutboxEvent): void {
    const rejection = event.kind === 'rejected' ? event.rejected : null;
    keep(rejection ? entries.map((entry) => (entry.key === key ? { ...entry, rejection } : entry)) : without(key));
    events.changed();
    if (told.add(`${key} ${event.kind} ${rejection?.isFinal}`)) events.told(event);
  }

  // Other pages

  function announce(message: { kind: 'changed' } | { kind: 'settled'; key: Entry['key']; event: OutboxEvent }): void {
    try {
      channel?.post(message);
    } catch {
      // They count again by and by.
    }
  }

  function hear(message: unknown): void {
    const { kind, key, event } = asObject(message) ?? {};
    if (kind === 'settled') settle(key as Entry['key'], event as OutboxEvent);
    void recount();
  }

  function recount(): Promise<void> {
    if (isRecountDue) return Promise.resolve();
    isRecountDue = true;
    return inTurn(async () => {
      isRecountDue = false;
      if (!isLoaded || keeping.medium().isShared) await load();
    }).catch(() => undefined);
  }

  /** Its trial is out of turn: it may take as long as it took when it did not open. */
  async function returnToDurable(): Promise<void> {
    if (!(await keeping.isDurableBack())) return;
    await inTurn(async () => {
      await keeping.carryOver();
      await load();
      announce({ kind: 'changed' });
    }).catch(() => undefined);
  }

  const rejectedById = (id: string): Entry | undefined => rejected.find((entry) => entry.ticket.id === id);

  return {
    opened: () =>
      inTurn(loaded)
        .then(keeping.recall)
        .catch(() => undefined),
    sell(ticket) {
      return new Promise((resolve, reject) => {
        const kept = keepTicket(ticket, environment, terminalId);
        sold.push({ ...kept, done: (error) => (error ? reject(error) : resolve({ id: kept.ticket.id })) });
        void inTurn(writeSold);
      });
    },
    waiting: () => waiting,
    rejected: () => rejected,
    confirm: (entry, stored) =>
      inTurn(async () => {
        await keeping.attempted(keeping.medium().remove(entry.key));
        const event: OutboxEvent = { kind: 'stored', id: entry.ticket.id, stored };
        settle(entry.key, event);
        announce({ kind: 'settled', key: entry.key, event });
      }),
    reject: (entry, rejection) =>
      inTurn(async () => {
        await keeping.attempted(keeping.medium().reject(entry.key, rejection));
        const event: OutboxEvent = { kind: 'rejected', rejected: rejectedTicket({ ...entry, rejection }) };
        settle(entry.key, event);
        announce({ kind: 'settled', key: entry.key, event });
      }),
    async retry(id, corrected) {
      const seller = asText(rejectedById(id)?.ticket.terminalId) ?? terminalId;
      const kept = corrected === undefined ? undefined : keepTicket(withId(corrected, id), environment, seller).ticket;
      await inTurn(async () => {
        await loaded();
        const entry = rejectedById(id);
        if (!entry) throw new Error(`No refused ticket has the id ${id}.`);
        await renew(entry, kept ?? entry.ticket);
      });
      events.changed();
    },
    async discard(id) {
      await inTurn(async () => {
        await loaded();
        const entry = rejectedById(id);
        if (!entry) return;
        await keeping.written(keeping.medium().remove(entry.key));
        keep(without(entry.key));
        announce({ kind: 'changed' });
      });
      events.changed();
    },
    recount: () => {
      void returnToDurable();
      return recount();
    },
    remember: (appliances) => inTurn(() => keeping.attempted(keeping.medium().remember(appliances))),
    isDurable: () => keeping.medium().isDurable,
    trouble: keeping.trouble,
    close() {
      channel?.close();
      channel = null;
      void inTurn(async () => keeping.close());
    },
  };
}
