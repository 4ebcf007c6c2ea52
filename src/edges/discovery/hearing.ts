// What comes from the network, from bytes to claims about appliances: counted, refused where it is broken, too much or from
// elsewhere, and read. Never throws, whatever comes.

import type { RemoteInfo } from 'node:dgram';
import { mdnsPacketBytesMax, mdnsPacketsPerSourceMax, mdnsSpacingMs } from '../../core/limits.ts';
import type { Announcement, Clock } from '../../ports.ts';
import { createBudget } from './budget.ts';
import type { Claim } from './candidates.ts';
import { type Interface, isOnNetwork } from './interfaces.ts';
import type { Library } from './library.ts';
import { type Heard, type Instance, readPacket } from './read-packet.ts';
import { isAboutUs } from './safe-packet.ts';
import { type OwnNames, readTxt } from './service.ts';

export type HearingOptions = {
  readonly clock: Clock;
  readonly self: Announcement;
  readonly own: OwnNames;
  readonly port: number;
  readonly packetsPerSecondMax: number;
  readonly describe: Library['describe'];
  interfaces(): readonly Interface[];
  question(question: Extract<Heard, { kind: 'question' }>): void;
  claim(claim: Claim): void;
  /** Of an instance nothing more than its name was said. */
  named(fullname: string, source: string): void;
  goodbye(fullname: string, source: string): void;
  /** A second or more has passed since the last of these. */
  second(): void;
};

export type Hearing = {
  packet(bytes: Buffer, remote: RemoteInfo): void;
  counts(): { lastHeardAt: number | null; packetsHeard: number; packetsDropped: number };
};

export function createHearing(options: HearingOptions): Hearing {
  const { clock, self, own, port, packetsPerSecondMax } = options;
  const perSource = Math.max(mdnsPacketsPerSourceMax, packetsPerSecondMax / 4);
  const budget = createBudget(packetsPerSecondMax, perSource);
  const counts = { lastHeardAt: null as number | null, packetsHeard: 0, packetsDropped: 0 };
  let secondAt = clock.monotonic();

  const count = (): void => {
    counts.packetsHeard++;
    counts.lastHeardAt = clock.now();
  };
  const drop = (): void => {
    counts.packetsDropped++;
  };

  function passSecond(): void {
    if (clock.monotonic() - secondAt < mdnsSpacingMs) return;
    secondAt = clock.monotonic();
    budget.renew();
    options.second();
  }

  function read(bytes: Buffer, remote: RemoteInfo, isElsewhere: boolean): void {
    const here = options.interfaces().find((one) => isOnNetwork(one, remote.address));
    const heard = here && budget.take(remote.address) ? readPacket(bytes, own) : null;
    if (!here || !heard) return drop();
    if (heard.kind === 'question') return options.question(heard);
    // Who may not use the port of mDNS is no responder (RFC 6762, 6).
    if (remote.port !== port) return drop();
    for (const fullname of heard.goodbyes) options.goodbye(fullname, remote.address);
    const claims = heard.instances.flatMap((instance) => claimOf(instance, remote.address, here) ?? []);
    // On our own machine, only another appliance's voice is no echo of ours.
    if (claims.length > 0 && !isElsewhere) count();
    for (const claim of claims) options.claim(claim);
    for (const fullname of heard.named) {
      const hasDetails = heard.instances.some((instance) => instance.fullname === fullname);
      if (!hasDetails && fullname !== own.fullname.toLowerCase()) options.named(fullname, remote.address);
    }
  }

  function claimOf(instance: Instance, source: string, here: Interface): Claim | null {
    const described = options.describe(instance, source);
    const told = described && readTxt(described.txt);
    if (!told || told.replicaId === self.replicaId) return null;
    const host = hostOf(instance, source, here);
    if (options.interfaces().some(({ address }) => address === host) && described.port === self.meshPort) return null;
    const { replicaId, name, shop, start } = told;
    return {
      sighting: { replicaId, address: `${host}:${described.port}`, name, shop },
      start,
      fullname: instance.fullname,
      source,
    };
  }

  return {
    packet(bytes, remote) {
      passSecond();
      const isElsewhere = !options.interfaces().some(({ address }) => address === remote.address);
      if (isElsewhere) count();
      if (bytes.length > mdnsPacketBytesMax) return drop();
      if (isAboutUs(bytes)) read(bytes, remote, isElsewhere);
    },
    counts: () => ({ ...counts }),
  };
}

/** Where to dial: the address that the packet came from, unless somebody speaks for another host of this network. */
function hostOf({ addresses }: Instance, source: string, here: Interface): string {
  if (addresses.includes(source)) return source;
  return addresses.find((address) => isOnNetwork(here, address)) ?? source;
}
