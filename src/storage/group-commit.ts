// Group commit: commands that arrive while one commit runs are committed together by the next, with one fsync. Each
// stands alone: one that fails, or breaks, leaves its neighbours as they are. Nobody is answered before the fsync.

import type { Command, CommandContext, Failure, Outcome } from '../core/command.ts';
import { failure } from '../core/command.ts';
import { commandQueueMax } from '../core/limits.ts';
import { type Draft, hex } from '../core/op.ts';
import type { Ports } from '../ports.ts';
import { appendLocal } from './append.ts';
import type { Storage, WriteFailure } from './storage.ts';
import { lackingOf, type Unit } from './unit.ts';

type Waiting = { command: Command<unknown>; done: (outcome: Outcome<unknown>) => void };

/** Commands gathered into one transaction: the rest waits for the next, so that nobody waits for thousands. */
const batchMax = 256;

export type GroupCommit = {
  execute<Result>(command: Command<Result>, done: (outcome: Outcome<Result>) => void): void;
};

export function createGroupCommit(ports: Ports, storage: Storage, newId: () => string): GroupCommit {
  const queue: Waiting[] = [];
  let scheduled = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    ports.timers.soon(drain);
  }

  function drain(): void {
    scheduled = false;
    const batch = queue.splice(0, batchMax);
    if (queue.length > 0) schedule();
    const outcomes = run(batch);
    batch.forEach((waiting, index) => {
      const outcome = outcomes[index];
      if (outcome) answer(waiting, outcome);
    });
  }

  /** One caller that breaks on its answer does not keep the others from theirs. */
  function answer(waiting: Waiting, outcome: Outcome<unknown>): void {
    try {
      waiting.done(outcome);
    } catch (error) {
      ports.log.error('an answer could not be given', { error: error instanceof Error ? error.stack : String(error) });
    }
  }

  function run(batch: readonly Waiting[]): Outcome<unknown>[] {
    let outcomes: Outcome<unknown>[] = [];
    const written = storage.write((unit) => {
      outcomes = batch.map((waiting) => runOne(unit, waiting.command));
    });
    if (written.ok) return outcomes;
    if (written.code !== 'work_failed') return batch.map(() => diskFailure(written));
    if (batch.length > 1) return batch.flatMap((waiting) => run([waiting]));
    ports.log.error('a command broke', {
      error: written.error instanceof Error ? written.error.stack : written.detail,
    });
    return [failure('internal', 'This request could not be carried out; nothing was changed. The log says why.')];
  }

  function runOne(unit: Unit, command: Command<unknown>): Outcome<unknown> {
    const context: CommandContext = {
      books: storage.books,
      replicaId: unit.replicaId,
      clockMs: unit.clockMs,
      meshMs: unit.meshMs,
      sha256Hex: (text) => hex(ports.crypto.sha256(text)),
      newId,
    };
    const decision = command(context);
    if (!decision.ok) return decision;
    if (decision.drafts.some((draft) => wouldWait(unit, draft))) return beingMended;
    for (const draft of decision.drafts) appendLocal(unit, draft);
    return { ok: true, result: decision.result(storage.books) };
  }

  return {
    execute(command, done) {
      if (queue.length >= commandQueueMax) {
        done(failure('busy', 'Too many requests wait to be written. Send it again in a moment with the same id.'));
        return;
      }
      queue.push({ command, done: done as (outcome: Outcome<unknown>) => void });
      schedule();
    },
  };
}

/**
 * What an edit's author had seen is in doubt while the common past of a copied disk is looked for. It would wait unseen, and
 * the next edit of the record would be made without knowing of it.
 */
const wouldWait = (unit: Unit, { seen }: Draft): boolean =>
  seen !== undefined && unit.doubted.size > 0 && lackingOf(unit, { seen }) !== undefined;

const beingMended = failure(
  'being_mended',
  'This appliance runs on a copied or restored disk and finds out, with its peers, what it had written: try again in a moment.',
);

const diskFailure = (written: WriteFailure): Failure => failure(written.code, written.detail);
