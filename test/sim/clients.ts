// Requests to appliances, as an edge would make them: each attempt has a name of its own that travels in its ops, is
// known to the ledger before it is answered, and must be answered by a living appliance.

import type { Command, CommandContext, Outcome } from '../../src/core/command.ts';
import type { Host } from './host.ts';
import { type Attempt, markersInSight } from './ledger.ts';
import type { World } from './world.ts';

export type Answer = 'accepted' | 'refused' | 'unknown';

export type Request = {
  entity: string;
  id: string;
  /** Codes of refusals that are right here; any other is a broken rule. */
  mayRefuse: readonly string[];
  command(marker: string): Command<unknown>;
};

/** What an appliance answers whose disk has just failed or is full. */
const diskCodes = ['outcome_unknown', 'storage_unavailable', 'disk_full', 'storage_failed'];
/** A failed disk is tried again every second; a stalled one may take as long. */
const diskTroubleMs = 3_000;
const answerMs = 3_000;

/** Sends a request; `done` is called once, also when the appliance dies before it answers. */
export function send(world: World, host: Host, request: Request, done: (answer: Answer) => void): void {
  const { ledger, loop, trace } = world;
  const appliance = host.appliance();
  if (!appliance || !host.isUp()) {
    loop.at(loop.now() + 50, null, () => done('unknown'));
    return;
  }
  const process = host.process();
  const { entity, id } = request;
  const marker = `${host.name}-${ledger.attempts.size + 1}`;
  const attempt: Attempt = {
    marker,
    host: host.name,
    entity,
    id,
    saw: [],
    draftCount: 0,
    answer: 'waiting',
  };
  ledger.attempts.set(marker, attempt);
  const command = request.command(marker);
  const answered = (answer: Answer, told: string): void => {
    if (attempt.answer !== 'waiting') return;
    attempt.answer = answer;
    trace.note(loop.now(), host.name, `${marker} ${entity} ${id}: ${told}`);
    loop.soon(null, () => done(answer));
  };
  appliance.execute(observed(command, attempt, host), (outcome) => {
    if (process.state === 'dead') return;
    const answer = judge(world, host, request, outcome);
    answered(answer, outcome.ok ? 'accepted' : outcome.code);
  });
  watch(world, host, attempt, () => answered('unknown', 'no answer'));
}

/** Notes what the author sees of the record at the moment of each decision. */
function observed(command: Command<unknown>, attempt: Attempt, host: Host): Command<unknown> {
  return (context: CommandContext) => {
    attempt.saw = markersInSight(host, attempt.entity, attempt.id);
    const decision = command(context);
    attempt.draftCount = decision.ok ? decision.drafts.length : 0;
    return decision;
  };
}

function judge(world: World, host: Host, request: Request, outcome: Outcome<unknown>): Answer {
  if (outcome.ok) return 'accepted';
  if (request.mayRefuse.includes(outcome.code)) return 'refused';
  const hadTrouble = host.disk.isFull() || world.loop.now() - host.diskFailedAt() < diskTroubleMs;
  if (diskCodes.includes(outcome.code) && hadTrouble) return 'unknown';
  world.broken(`B7 ${host.name} refused ${request.entity} ${request.id}: ${outcome.code} ${outcome.detail}`);
  return 'refused';
}

/** A process that dies leaves its requests open; one that lives must answer, however long it was stopped. */
function watch(world: World, host: Host, attempt: Attempt, gaveUp: () => void): void {
  const process = host.process();
  let patienceMs = answerMs;
  const look = (): void => {
    if (attempt.answer !== 'waiting') return;
    if (process.state === 'dead') patienceMs = 0;
    else if (process.state === 'running' && process.busyUntil <= world.loop.now()) patienceMs -= 500;
    else patienceMs = answerMs;
    if (patienceMs > 0) {
      world.loop.at(world.loop.now() + 500, null, look);
      return;
    }
    if (process.state !== 'dead')
      world.broken(`B7 ${host.name} does not answer ${attempt.marker} ${attempt.entity} ${attempt.id}`);
    gaveUp();
  };
  world.loop.at(world.loop.now() + 500, null, look);
}
