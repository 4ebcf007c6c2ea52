// The sockets of discovery through the day: built anew whenever the interfaces change (a cable, an address, a radio that
// comes late) and, less often, when something failed. Without a network it waits for one.

import type { RemoteInfo } from 'node:dgram';
import { rebuildRoundsMin } from '../../core/limits.ts';
import { type Interface, readInterfaces } from './interfaces.ts';
import { openSockets, type Sockets } from './sockets.ts';

export type NetworkOptions = {
  readonly port: number;
  /** Names; null for all that are up and not internal. */
  readonly names: readonly string[] | null;
  packet(bytes: Buffer, remote: RemoteInfo): void;
  /** New sockets are open: nobody there has heard of us. */
  opened(): void;
  /** What is wrong now, as a sentence, or null. */
  trouble(sentence: string | null): void;
};

export type Network = {
  /** Looks at the interfaces and starts a rebuild where it is due. */
  look(): void;
  interfaces(): readonly Interface[];
  /** Resolves with the count of packets that have left. */
  send(make: (here: Interface) => Buffer): Promise<number>;
  /** Resolves when every socket is closed. */
  close(): Promise<void>;
};

export function createNetwork(options: NetworkOptions): Network {
  const { names, trouble } = options;
  let sockets: Sockets | null = null;
  let builtFor = '';
  let looksSinceBuilt = 0;
  let isInTrouble = false;
  let isClosed = false;
  let building: Promise<void> | null = null;

  const isDue = (signature: string): boolean =>
    signature !== builtFor || (isInTrouble && looksSinceBuilt >= rebuildRoundsMin);

  async function build(interfaces: readonly Interface[]): Promise<void> {
    await sockets?.close();
    sockets = null;
    isInTrouble = false;
    if (interfaces.length === 0) return trouble(nothingUp(names));
    const opened = await openSockets({
      port: options.port,
      interfaces,
      packet: (bytes, remote) => {
        if (!isClosed) options.packet(bytes, remote);
      },
      trouble: report,
    });
    if (isClosed) return opened.close();
    sockets = opened;
    if (opened.trouble !== null) report(opened.trouble);
    if (opened.interfaces.length > 0) options.opened();
  }

  function report(sentence: string): void {
    if (isClosed) return;
    isInTrouble = true;
    trouble(sentence);
  }

  return {
    look() {
      looksSinceBuilt++;
      const interfaces = isClosed || building ? null : readInterfaces(names);
      const signature = JSON.stringify(interfaces);
      if (!interfaces || !isDue(signature)) return;
      builtFor = signature;
      looksSinceBuilt = 0;
      building = build(interfaces).finally(() => {
        building = null;
      });
    },
    interfaces: () => sockets?.interfaces ?? [],
    async send(make) {
      const sentCount = (await sockets?.send(make)) ?? 0;
      // Not sooner: sockets that open may still not let anything out.
      if (sentCount > 0 && !isInTrouble && !isClosed) trouble(null);
      return sentCount;
    },
    async close() {
      isClosed = true;
      await building;
      await sockets?.close();
      sockets = null;
    },
  };
}

const nothingUp = (names: readonly string[] | null): string =>
  names
    ? `no interface named ${names.join(' or ')} is up with an IPv4 address: plug it in, or mend TILLMESH_MDNS_INTERFACES`
    : 'no network interface is up with an IPv4 address: plug in a cable or join a network; it will be noticed';
