// Small worlds played by hand: what a test needs to write, cut, mend and compare, in virtual time.

import { createTicket } from '../../src/commands/create-ticket.ts';
import { patchRecord } from '../../src/commands/patch-record.ts';
import { putRecord } from '../../src/commands/put-record.ts';
import { resolveConflict } from '../../src/commands/resolve-conflict.ts';
import type { Command } from '../../src/core/command.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type Answer, send } from './clients.ts';
import type { Image } from './disk.ts';
import type { Host } from './host.ts';
import { createRules, isSettled, type Rules } from './rules.ts';
import { createWorld, type World, type WorldOptions } from './world.ts';

export type Scenario = {
  readonly world: World;
  readonly rules: Rules;
  host(name: string): Host;
  /** Runs for so many seconds, the rules checked all along. */
  run(seconds: number): void;
  /** Runs until all that are up hold the same, and checks everything. Throws when that takes more than three minutes. */
  settle(): void;
  /** Writes, runs until it is answered, and tells the answer. */
  sell(host: string, id: string, body?: JsonObject): Answer;
  put(host: string, id: string, document: JsonObject): Answer;
  patch(host: string, id: string, patch: JsonObject): Answer;
  resolve(host: string, choose: 'winner' | 'loser'): Answer;
  /** Stops the host and gives it an older disk of its own; it starts when the test says so. */
  putBack(host: string, image: Image): void;
  /** Cuts every path between this host and the others, or opens them again. */
  cut(host: string): void;
  mend(host: string): void;
  fields(host: string, id: string): JsonObject;
  openConflicts(host: string): string[];
  end(): void;
};

export function play(options: Partial<WorldOptions> & { hosts: number }): Scenario {
  const world = createWorld({ seed: 'scenario', topology: 'mesh', signatures: 'stand_in', ...options });
  const rules = createRules(world);
  const { host } = world;
  const run = (seconds: number): void => world.run(seconds * 1000, rules.afterEvent);
  const ask = (name: string, entity: string, id: string, command: (by: string) => Command<unknown>): Answer => {
    let answered: Answer | null = null;
    send(world, host(name), { entity, id, mayRefuse: [], command }, (answer) => {
      answered = answer;
    });
    for (let waited = 0; answered === null && waited < 10; waited += 0.05) run(0.05);
    return answered ?? 'unknown';
  };
  const conflictsAt = (name: string) =>
    host(name).appliance()?.observe.conflicts({ resolved: false, limit: 100 }).rows ?? [];
  const setCut = (name: string, isBlocked: boolean): void => {
    for (const other of world.hosts) {
      world.network.setBlocked(name, other.name, isBlocked);
      world.network.setBlocked(other.name, name, isBlocked);
    }
  };
  for (const each of world.hosts) each.start();
  run(3);
  return {
    world,
    rules,
    host,
    run,
    settle: () => {
      for (let waited = 0; !isSettled(world); waited++) {
        if (waited > 180) throw new Error('B3 not equal after three minutes');
        run(1);
      }
      rules.checkAll();
      run(0.001);
    },
    sell: (name, id, body = {}) => {
      const ticket = { kind: 'sale' as const, terminalId: 'till', lines: [{ productId: 'tea', quantity: 1 }], ...body };
      return ask(name, 'ticket', id, (by) => createTicket({ id, body: ticket, by }));
    },
    put: (name, id, document) =>
      ask(name, 'product', id, (by) => putRecord({ entity: 'product', id, document, by, mode: 'put' })),
    patch: (name, id, patch) => ask(name, 'product', id, (by) => patchRecord({ entity: 'product', id, patch, by })),
    resolve: (name, choose) => {
      const [conflict] = conflictsAt(name);
      if (!conflict) throw new Error(`${name} tells no conflict`);
      return ask(name, 'product', conflict.recordId, (by) => resolveConflict({ conflict, choose, by }));
    },
    putBack: (name, image) => {
      host(name).end('stop');
      host(name).disk.restore(image);
      rules.replaced(host(name));
    },
    cut: (name) => setCut(name, true),
    mend: (name) => setCut(name, false),
    fields: (name, id) => host(name).appliance()?.books.record('product', id)?.fields ?? {},
    openConflicts: (name) => conflictsAt(name).flatMap(({ fields }) => fields),
    end: () => world.close(),
  };
}
