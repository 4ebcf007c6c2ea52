// A small world: hosts on a LAN, true time, and what everyone in it may ask for. Made from one seed; nothing in it comes
// from outside.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApplianceConfig } from '../../src/appliance.ts';
import { readAssets } from '../../src/assets.ts';
import { createDice, type Dice } from './dice.ts';
import { ProcessEnded } from './disk.ts';
import { createHost, type Host } from './host.ts';
import { createKeyring } from './keys.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createLoop, type Loop } from './loop.ts';
import { createNetwork, type Network } from './network.ts';
import { createTrace, type Trace } from './trace.ts';

/** A rule was broken. The message begins with its id. */
export class RuleBroken extends Error {}

export type WorldOptions = {
  seed: string;
  hosts: number;
  /** mesh: everyone knows everyone. line: each knows its neighbours only. */
  topology: 'mesh' | 'line' | 'ring';
  signatures: 'real' | 'stand_in';
  show?: (line: string) => void;
};

export type World = {
  readonly options: WorldOptions;
  readonly dice: Dice;
  readonly loop: Loop;
  readonly trace: Trace;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly hosts: Host[];
  /** Throws RuleBroken once the event is over, however it is called. */
  broken(message: string): void;
  /** Runs for so long; `after` follows each event. */
  run(milliseconds: number, after?: () => void): void;
  /** A host with the key and a copy of the disk of another: a cloned card. */
  addClone(of: Host, name: string): Host;
  host(name: string): Host;
  close(): void;
};

const { migrations, version } = readAssets(new URL('../../', import.meta.url));
const hostNames = ['A', 'B', 'C', 'D', 'E', 'F'];
const tempFolder = (): string => {
  try {
    return mkdtempSync('/dev/shm/tillmesh-sim-');
  } catch {
    return mkdtempSync(join(tmpdir(), 'tillmesh-sim-'));
  }
};
const addressOf = (index: number): string => `10.0.0.${index + 1}:3031`;

export function createWorld(options: WorldOptions): World {
  const dice = createDice(options.seed);
  const trace = createTrace(options.show ?? null);
  const folder = tempFolder();
  let failure: RuleBroken | null = null;
  const broken = (message: string): void => {
    failure ??= new RuleBroken(`${message} (at ${(loop.now() / 1000).toFixed(3)} s)`);
  };
  const loop = createLoop((process, error) => {
    if (process?.state === 'dead' || error instanceof ProcessEnded) return;
    broken(error instanceof RuleBroken ? error.message : `B7 ${process?.name} threw: ${(error as Error).stack}`);
  });
  const network = createNetwork(loop, dice.fork('network'), trace);
  const keyring = createKeyring(options.signatures);
  const shopKey = keyring.crypto.shopOfKey(options.seed);
  const hosts: Host[] = [];
  const add = (name: string, keyOf: string, peers: readonly string[], isCopy = false): Host => {
    const config: Pick<ApplianceConfig, 'shop' | 'shopKey' | 'version' | 'migrations' | 'staticPeers'> = {
      shop: shopKey.shop,
      shopKey,
      version,
      migrations,
      staticPeers: peers,
    };
    const address = addressOf(hosts.length);
    // Half of them notice by themselves that their disk is another's or an old one; the others hear it from their peers.
    const tells = dice.fork(`start of ${keyOf}`).chance(0.5);
    const own = { name, address, keyOf, isCopy, tells, folder: join(folder, name) };
    const setup = { ...own, dice, loop, trace, network, keyring, config };
    const host = createHost(setup);
    hosts.push(host);
    return host;
  };
  for (let index = 0; index < options.hosts; index++) {
    const name = hostNames[index] ?? `H${index}`;
    add(name, name, peersOf(index, options));
  }
  // Members tell each other where the others are: a line stays one because there is no way to the others.
  hosts.forEach((host, index) => {
    const neighbours = peersOf(index, options);
    for (const other of hosts)
      if (other !== host && !neighbours.includes(other.address)) network.setBlocked(host.name, other.name, true);
  });
  return {
    options,
    dice,
    loop,
    trace,
    network,
    ledger: createLedger(),
    hosts,
    broken,
    run: (milliseconds, after) => {
      loop.runUntil(loop.now() + milliseconds, () => {
        for (const host of hosts) host.bury();
        after?.();
        if (failure) throw failure;
      });
      if (failure) throw failure;
    },
    addClone: (of, name) => {
      const peers = hosts.filter((host) => host !== of).map(({ address }) => address);
      const clone = add(name, of.name, peers, true);
      clone.disk.restore(of.disk.image());
      return clone;
    },
    host: (name) => {
      const found = hosts.find((host) => host.name === name);
      if (!found) throw new Error(`no host ${name}`);
      return found;
    },
    close: () => {
      for (const host of hosts) host.end('kill');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function peersOf(index: number, { hosts, topology }: WorldOptions): string[] {
  const all = Array.from({ length: hosts }, (_, other) => other);
  const isNeighbour = (other: number): boolean => {
    if (other === index) return false;
    if (topology === 'mesh') return true;
    const distance = Math.abs(other - index);
    return distance === 1 || (topology === 'ring' && distance === hosts - 1);
  };
  return all.filter(isNeighbour).map(addressOf);
}
