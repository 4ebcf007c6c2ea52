// Tickets that no appliance has confirmed. What is sold is written before it is sent, and goes only when it is confirmed or a
// person has seen to it. All reading and writing is done in turn, and what is known here is what was read or written last.

import type { OutboxEvent } from './contract.ts';
import { withinTime } from './deadline.ts';
import type { Channel, Environment } from './environment.ts';
import { asObject } from './messages.ts';
import type { Entry, KeptTicket, OutboxMedium, Rejection } from './outbox-medium.ts';
import { createRecentIds } from './recent-ids.ts';
import { isSameSale, keepTicket, rejectedTicket, withId } from './ticket.ts';

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

/** A database that does not open in this time never will, as in some browsers' private windows. */
const openMsMax = 10_000;
const cannotRead = 'The tickets kept on this device cannot be read';
const cannotWrite = 'This device cannot keep tickets';

type Waiter = { readonly ticket: KeptTicket; readonly hasOwnTime: boolean; done(error?: Error): void };

export function createOutbox(environment: Environment, name: string | undefined, events: OutboxEvents): Outbox {
  let medium = environment.createMedium(name);
  let channel: Channel | null = null;
  let entries: readonly Entry[] = [];
  let waiting: readonly Entry[] = [];
  let rejected: readonly Entry[] = [];
  let isLoaded = false;
  let trouble: string | null = null;
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
    try {
      keep(await withinTime(environment, openMsMax, medium.load()));
      trouble = null;
    } catch (error) {
      const spare = environment.createSpareMedium();
      trouble = `${cannotRead}: ${reasonOf(error)}`;
      if (spare === null) throw new Error(trouble);
      medium.close();
      medium = spare;
      trouble = null;
    } finally {
      events.changed();
    }
    isLoaded = true;
    if (medium.isShared && channel === null) channel = environment.openChannel(`tillmesh-outbox:${name ?? ''}`, hear);
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
      for (const waiter of batch) {
        const error = await place(waiter, fresh);
        if (error !== 'new') waiter.done(error);
        else fresh.push(waiter);
      }
      if (fresh.length === 0) return;
      const added = await medium.add(fresh.map(({ ticket }) => ticket));
      trouble = null;
      keep([...entries, ...added]);
      for (const { done } of fresh) done();
      announce({ kind: 'changed' });
    } catch (error) {
      trouble = `${cannotWrite}: ${reasonOf(error)}`;
      // To those that were told already this is nothing.
      for (const { done } of batch) done(new Error(trouble));
    } finally {
      events.changed();
    }
  }

  /** Whether it is new; else it is dealt with, or an error. */
  async function place({ ticket, hasOwnTime }: Waiter, fresh: readonly Waiter[]): Promise<'new' | Error | undefined> {
    const known = entries.find((entry) => entry.ticket.id === ticket.id);
    const earlier = known?.ticket ?? fresh.find((other) => other.ticket.id === ticket.id)?.ticket;
    if (earlier === undefined) return 'new';
    if (known?.rejection) {
      await renew(known, ticket);
      return undefined;
    }
    if (isSameSale(earlier, ticket, hasOwnTime)) return undefined;
    return new Error(`Another ticket with the id ${ticket.id} waits to be sent.`);
  }

  async function renew(entry: Entry, ticket: KeptTicket): Promise<void> {
    const renewed = await medium.renew(entry.key, ticket);
    keep([...without(entry.key), renewed]);
    announce({ kind: 'changed' });
  }

  const without = (key: Entry['key']): Entry[] => entries.filter((entry) => entry.key !== key);

  /** What cannot be written down of an answer is asked again after a start, and answered alike. */
  async function attempt(write: Promise<void>): Promise<void> {
    try {
      await write;
      trouble = null;
    } catch (error) {
      trouble = `${cannotWrite}: ${reasonOf(error)}`;
    }
  }

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
      if (!isLoaded) return load();
      if (medium.isShared) keep(await medium.load());
      events.changed();
    }).catch(() => undefined);
  }

  const rejectedById = (id: string): Entry | undefined => rejected.find((entry) => entry.ticket.id === id);

  return {
    opened: () =>
      inTurn(async () => {
        await loaded();
        return medium.recall();
      }).catch(() => undefined),
    sell(ticket) {
      return new Promise((resolve, reject) => {
        const kept = keepTicket(ticket, environment);
        sold.push({ ...kept, done: (error) => (error ? reject(error) : resolve({ id: kept.ticket.id })) });
        void inTurn(writeSold);
      });
    },
    waiting: () => waiting,
    rejected: () => rejected,
    confirm: (entry, stored) =>
      inTurn(async () => {
        await attempt(medium.remove(entry.key));
        const event: OutboxEvent = { kind: 'stored', id: entry.ticket.id, stored };
        settle(entry.key, event);
        announce({ kind: 'settled', key: entry.key, event });
      }),
    reject: (entry, rejection) =>
      inTurn(async () => {
        await attempt(medium.reject(entry.key, rejection));
        const event: OutboxEvent = { kind: 'rejected', rejected: rejectedTicket({ ...entry, rejection }) };
        settle(entry.key, event);
        announce({ kind: 'settled', key: entry.key, event });
      }),
    async retry(id, corrected) {
      const kept = corrected === undefined ? undefined : keepTicket(withId(corrected, id), environment).ticket;
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
        await medium.remove(entry.key);
        keep(without(entry.key));
        announce({ kind: 'changed' });
      });
      events.changed();
    },
    recount,
    remember: (appliances) => inTurn(() => attempt(medium.remember(appliances))),
    isDurable: () => medium.isDurable,
    trouble: () => trouble,
    close() {
      channel?.close();
      channel = null;
      void inTurn(async () => medium.close());
    },
  };
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
