// One seed, from the first start to the last check: work and faults first, with the rules checked all along; then all is
// mended, the shop closes, and the appliances must become equal to each other and to the oracle.

import { numberAt } from '../../src/core/heads.ts';
import { watchEcho } from './echo.ts';
import { startFaults } from './faults.ts';
import { createRules, isSettled, type Rules } from './rules.ts';
import { startWorkload, type Workload } from './workload.ts';
import { createWorld, type World, type WorldOptions } from './world.ts';

export type SimulationOptions = {
  seed: string;
  /** Names of faults.ts; null for all of them, empty for none. */
  faultKinds?: readonly string[] | null;
  hosts?: number;
  topology?: WorldOptions['topology'];
  signatures?: WorldOptions['signatures'];
  faultySeconds?: number;
  show?: (line: string) => void;
};

export type Verdict = {
  seed: string;
  /** The rule that was broken and how; null when all held. */
  broken: string | null;
  counts: ReadonlyMap<string, number>;
  hash: string;
  events: number;
  opCount: number;
  /** The last lines of what happened. */
  lines: readonly string[];
};

/** The longest back-off, twice, and a resend: after that nobody may wait for anything any more. */
const settleMsMax = 180_000;
/** All back-offs over, every pair linked again. */
const linkMsMax = 90_000;

export function simulate(options: SimulationOptions): Verdict {
  const world = createWorld(worldOptions(options));
  let broken: string | null = null;
  try {
    play(world, options);
  } catch (error) {
    broken = error instanceof Error ? error.message : String(error);
    if (!/^B\d/.test(broken)) broken = `the simulation itself: ${(error as Error).stack}`;
  }
  const verdict: Verdict = {
    seed: options.seed,
    broken,
    counts: world.trace.counts(),
    hash: world.trace.hash(),
    events: world.loop.eventCount(),
    opCount: world.ledger.ops.size,
    lines: world.trace.lines(),
  };
  world.close();
  return verdict;
}

function worldOptions({ seed, hosts, topology, signatures, show }: SimulationOptions): WorldOptions {
  const number = [...seed].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7);
  return {
    seed,
    hosts: hosts ?? [3, 3, 2, 4, 5][number % 5] ?? 3,
    topology: topology ?? (['mesh', 'mesh', 'line', 'ring'] as const)[number % 4] ?? 'mesh',
    signatures: signatures ?? (number % 7 === 0 ? 'real' : 'stand_in'),
    ...(show && { show }),
  };
}

function play(world: World, options: SimulationOptions): void {
  const rules = createRules(world);
  const dice = world.dice.fork('pace');
  for (const host of world.hosts) host.start();
  const workload = startWorkload(world, {
    name: '',
    tills: dice.between(2, 4),
    sellMs: dice.pick([400, 1500, 4000]),
    editMs: dice.pick([300, 900]),
  });
  const faults = startFaults(world, rules, dice.pick([700, 1500, 4000]), options.faultKinds ?? null);
  world.run((options.faultySeconds ?? 90) * 1000, rules.afterEvent);
  rules.checkAll();
  faults.heal();
  world.run(5_000, rules.afterEvent);
  workload.close();
  settle(world, rules, workload);
  rules.checkAll();
  world.run(1);
  calm(world, rules);
}

/** Nothing is wrong: all links come up, an hour's work crosses each once, and then there is silence. */
function calm(world: World, rules: Rules): void {
  world.run(linkMsMax, rules.afterEvent);
  const busy = watchEcho(world);
  const workload = startWorkload(world, { name: 'calm', tills: 2, sellMs: 500, editMs: 500 });
  world.run(15_000, rules.afterEvent);
  workload.close();
  settle(world, rules, workload);
  world.run(10_000, rules.afterEvent);
  busy.check(null);
  const idle = watchEcho(world);
  world.run(60_000, rules.afterEvent);
  idle.check(60);
  rules.checkAll();
  checkHonest(world);
  checkNothingWaits(world);
  world.run(1);
}

/** B11: what is equal is said to be, and nothing is said to be pending. */
function checkHonest(world: World): void {
  for (const host of world.hosts) {
    if (!host.isUp()) continue;
    for (const peer of host.appliance()?.mesh.peers() ?? []) {
      if (peer.state !== 'connected') continue;
      if (peer.pending !== 0 || peer.behind !== 0 || peer.verifiedEqualAt === null)
        world.broken(`B11 all is equal, and ${host.name} says of ${peer.name}: ${JSON.stringify(peer)}`);
    }
  }
}

/**
 * What an edit's author had seen is there in the end, or void: no edit waits for it any more. But for what is on no disk:
 * everybody who held it, its author too, got an older disk back that knew nothing of it. That edit waits for ever.
 */
function checkNothingWaits(world: World): void {
  for (const host of world.hosts) {
    if (!host.isUp()) continue;
    const heads = host.appliance()?.books.heads() ?? {};
    const waiting = host.disk.rows<{ origin: string; number: number }>('SELECT origin, number FROM deferred');
    const lost = waiting.filter(({ origin, number }) => number > numberAt(heads, origin));
    for (const { origin, number } of lost)
      world.trace.count(world.loop.now(), host.name, `edits wait for what is on no disk (${origin}#${number})`);
    const count = waiting.length - lost.length;
    const hasRestored = world.trace.counts().has('disk: old one put back');
    if (count > 0 || (lost.length > 0 && !hasRestored))
      world.broken(`B6 all is equal, and at ${host.name} ${waiting.length} edits wait`);
  }
}

/** Quiet: runs until all are equal, at most as long as they may take. */
function settle(world: World, rules: Rules, workload: Workload): void {
  const until = world.loop.now() + settleMsMax;
  while (workload.waitingCount() > 0 || !isSettled(world)) {
    world.run(1_000, rules.afterEvent);
    if (world.loop.now() < until) continue;
    const heads = world.hosts
      .map((host) => `\n  ${host.name} ${JSON.stringify(host.appliance()?.books.heads())}`)
      .join('');
    world.broken(
      `B3 not equal long after the last fault; tickets nobody took: ${workload.waitingCount()}; heads:${heads}`,
    );
    world.run(1);
  }
  world.trace.note(world.loop.now(), '', 'settled');
}
