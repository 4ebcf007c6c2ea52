// What goes wrong, one line of the table for each kind. A fault happens at a random time, lasts for a while and is then
// undone; that it really happened is counted where it bites (a frame lost, a commit refused), not where it is planned.

import type { CommitFault, Image } from './disk.ts';
import type { Host } from './host.ts';
import type { Rules } from './rules.ts';
import { healthyFaults, type Path, type PathFaults } from './wire.ts';
import type { World } from './world.ts';

export type Faults = {
  /** No new faults from now on, and all that is broken is mended. */
  heal(): void;
};

type Scene = { world: World; rules: Rules; images: Map<Host, Image[]> };
/** Breaks something and says how to mend it. */
type Fault = { name: string; weight: number; breaks(scene: Scene): (() => void) | undefined };

const dayMs = 86_400_000;
const steps = [
  -40 * 365 * dayMs,
  -2 * 365 * dayMs,
  -dayMs,
  -90_000,
  -800,
  800,
  90_000,
  dayMs,
  3 * 365 * dayMs,
  200 * 365 * dayMs,
];

export const faultTable: readonly Fault[] = [
  { name: 'partition', weight: 6, breaks: partition },
  { name: 'one-way partition', weight: 5, breaks: ({ world }) => block(world, [path(world)]) },
  { name: 'connections break', weight: 4, breaks: ({ world }) => void breakSome(world, 'breakConnections') },
  { name: 'connections are forgotten', weight: 3, breaks: ({ world }) => void breakSome(world, 'forgetConnections') },
  { name: 'frames are lost', weight: 4, breaks: ({ world }) => disturb(world, { loss: 0.05 + 0.3 * chance(world) }) },
  { name: 'frames come twice', weight: 3, breaks: ({ world }) => disturb(world, { duplicate: 0.3 }) },
  { name: 'frames overtake', weight: 3, breaks: ({ world }) => disturb(world, { reorder: 0.3 }) },
  { name: 'frames are garbage', weight: 1, breaks: ({ world }) => disturb(world, { garble: 0.1 }) },
  {
    name: 'slow link',
    weight: 3,
    breaks: ({ world }) => disturb(world, { latencyMs: 400, jitterMs: 300, bytesPerMs: 4 }),
  },
  { name: 'stopped process', weight: 5, breaks: pause },
  { name: 'slow disk', weight: 3, breaks: slowDisk },
  { name: 'kill', weight: 4, breaks: ({ world }) => restartLater(world, 'kill') },
  { name: 'power cut', weight: 5, breaks: ({ world }) => restartLater(world, 'power') },
  { name: 'restart', weight: 2, breaks: ({ world }) => restartLater(world, 'stop') },
  { name: 'crash before commit', weight: 4, breaks: ({ world }) => armDisk(world, 'crash before commit') },
  { name: 'crash after commit', weight: 4, breaks: ({ world }) => armDisk(world, 'crash after commit') },
  { name: 'failed commit', weight: 4, breaks: ({ world }) => armDisk(world, 'commit fails') },
  {
    name: 'failed commit that is there',
    weight: 4,
    breaks: ({ world }) => armDisk(world, 'commit fails, yet is there'),
  },
  { name: 'disk full', weight: 3, breaks: fillDisk },
  { name: 'clock steps', weight: 5, breaks: stepClock },
  { name: 'clock drifts', weight: 2, breaks: driftClock },
  { name: 'copy of the disk is taken', weight: 4, breaks: copyDisk },
  { name: 'old disk is put back', weight: 2, breaks: restoreDisk },
  { name: 'copied disk runs, too', weight: 1, breaks: cloneHost },
];

/** Plans faults from now on; `kinds` keeps only those of the table that are named. */
export function startFaults(world: World, rules: Rules, everyMs: number, kinds: readonly string[] | null): Faults {
  const table = faultTable.filter(({ name }) => !kinds || kinds.includes(name));
  const scene: Scene = { world, rules, images: new Map() };
  const dice = world.dice.fork('faults');
  const mends = new Set<() => void>();
  let isOver = false;
  const next = (): void => {
    if (isOver || table.length === 0) return;
    const fault = pickWeighted(table, dice.fraction());
    world.trace.note(world.loop.now(), '', `fault: ${fault.name}`);
    const mend = fault.breaks(scene);
    if (mend) {
      mends.add(mend);
      world.loop.at(
        world.loop.now() + dice.pick([300, 2_000, 5_000, 12_000, 30_000]) * (0.5 + dice.fraction()),
        null,
        () => {
          if (mends.delete(mend)) mend();
        },
      );
    }
    world.loop.at(world.loop.now() + dice.waitMs(everyMs), null, next);
  };
  world.loop.at(world.loop.now() + dice.waitMs(everyMs), null, next);
  return {
    heal: () => {
      isOver = true;
      for (const mend of mends) mend();
      mends.clear();
      for (const host of world.hosts) {
        host.disk.arm(null);
        host.start();
      }
    },
  };
}

function pickWeighted(table: readonly Fault[], fraction: number): Fault {
  let left = fraction * table.reduce((sum, { weight }) => sum + weight, 0);
  for (const fault of table) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  throw new Error('no fault to pick');
}

const chance = (world: World): number => world.dice.fraction();
const anyHost = (world: World): Host => world.dice.pick(world.hosts);

function path(world: World): Path {
  const from = anyHost(world);
  const to = world.dice.pick(world.hosts.filter((host) => host !== from));
  return world.network.path(from.name, to.name);
}

function partition({ world }: Scene): () => void {
  const inside = world.hosts.filter(() => world.dice.chance(0.5));
  const outside = world.hosts.filter((host) => !inside.includes(host));
  const cut = inside.flatMap((a) =>
    outside.flatMap((b) => [world.network.path(a.name, b.name), world.network.path(b.name, a.name)]),
  );
  return block(world, cut);
}

function block(world: World, paths: readonly Path[]): () => void {
  const blocked = paths.filter(({ isBlocked }) => !isBlocked);
  for (const { from, to } of blocked) {
    world.network.setBlocked(from, to, true);
    world.trace.count(world.loop.now(), from, `path blocked`);
  }
  return () => {
    for (const { from, to } of blocked) world.network.setBlocked(from, to, false);
  };
}

function breakSome(world: World, how: 'breakConnections' | 'forgetConnections'): void {
  const { from, to } = path(world);
  const broken = world.network[how](from, to);
  for (let count = 0; count < broken; count++)
    world.trace.count(world.loop.now(), from, `connection: ${how === 'breakConnections' ? 'broken' : 'forgotten'}`);
}

function disturb(world: World, faults: Partial<PathFaults>): () => void {
  const disturbed = path(world);
  disturbed.faults = { ...disturbed.faults, ...faults };
  if (faults.bytesPerMs) world.trace.count(world.loop.now(), disturbed.from, 'path slow');
  return () => {
    disturbed.faults = { ...healthyFaults };
  };
}

function pause({ world }: Scene): (() => void) | undefined {
  const host = anyHost(world);
  if (!host.isUp()) return undefined;
  host.pause();
  return () => host.resume();
}

function slowDisk({ world }: Scene): () => void {
  const host = anyHost(world);
  host.setCommitMs(world.dice.pick([20, 300, 2_000]));
  world.trace.count(world.loop.now(), host.name, 'disk: slow');
  return () => host.setCommitMs(0);
}

function restartLater(world: World, how: 'stop' | 'kill' | 'power'): () => void {
  const host = anyHost(world);
  host.end(how);
  // A Pi has no clock that runs without power.
  if (how === 'power' && world.dice.chance(0.3)) setClock(world, host, world.dice.pick(steps));
  return () => host.start();
}

function armDisk(world: World, fault: CommitFault): () => void {
  const host = anyHost(world);
  host.disk.arm(fault);
  return () => host.start();
}

function fillDisk({ world }: Scene): () => void {
  const host = anyHost(world);
  host.disk.setFull(true);
  return () => host.disk.setFull(false);
}

function stepClock({ world }: Scene): undefined {
  const host = anyHost(world);
  setClock(world, host, host.clock.offsetMs === 0 || chance(world) < 0.5 ? world.dice.pick(steps) : 0);
}

function setClock(world: World, host: Host, offsetMs: number): void {
  if (host.clock.offsetMs === offsetMs) return;
  world.trace.count(
    world.loop.now(),
    host.name,
    offsetMs > host.clock.offsetMs ? 'clock: step ahead' : 'clock: step back',
  );
  host.clock.offsetMs = offsetMs;
}

function driftClock({ world }: Scene): () => void {
  const host = anyHost(world);
  host.clock.driftPerMs = (chance(world) - 0.5) * 0.2;
  world.trace.count(world.loop.now(), host.name, 'clock: drift');
  return () => {
    host.clock.driftPerMs = 0;
  };
}

function copyDisk({ world, images }: Scene): undefined {
  const host = anyHost(world);
  images.set(host, [...(images.get(host) ?? []), host.disk.image()]);
}

function restoreDisk({ world, rules, images }: Scene): (() => void) | undefined {
  const host = world.dice.pick(world.hosts);
  const image = (images.get(host) ?? []).at(-1);
  if (!image || image.size === 0) return undefined;
  host.end('stop');
  host.disk.restore(image);
  rules.replaced(host);
  world.trace.count(world.loop.now(), host.name, 'disk: old one put back');
  return () => host.start();
}

/** Once at most: a copy of a running appliance's card sells on its own, key and all; then the first one is lost and the copy comes home. */
function cloneHost({ world, rules }: Scene): (() => void) | undefined {
  const original = anyHost(world);
  const isFirst = world.hosts.length === world.options.hosts;
  if (world.hosts.length < 3 || !isFirst || !original.isReady()) return undefined;
  const clone = world.addClone(original, `${original.name}2`);
  const around = world.hosts.filter((host) => host !== clone);
  const open = block(
    world,
    around.flatMap((host) => [world.network.path(clone.name, host.name), world.network.path(host.name, clone.name)]),
  );
  rules.replaced(clone);
  clone.start();
  world.trace.count(world.loop.now(), clone.name, 'disk: copy runs');
  return () => {
    original.retire();
    open();
    clone.start();
  };
}
