// The sockets of discovery on a given set of interfaces: one that listens, and one for each address that speaks. Failures
// come back, or are told later, as sentences; nothing here throws.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Interface } from './interfaces.ts';

export const multicastGroup = '224.0.0.251';

export type SocketOptions = {
  readonly port: number;
  readonly interfaces: readonly Interface[];
  packet(bytes: Buffer, remote: RemoteInfo): void;
  /** A sentence. Sockets that failed are of no use any more. */
  trouble(sentence: string): void;
};

export type Sockets = {
  /** Those that can be heard and spoken on. */
  readonly interfaces: readonly Interface[];
  /** What was wrong at the beginning. */
  readonly trouble: string | null;
  /** Sends to the group on each interface what `make` says for it; resolves with the count of packets that have left. */
  send(make: (here: Interface) => Buffer): Promise<number>;
  /** Resolves when all are closed. */
  close(): Promise<void>;
};

export async function openSockets(options: SocketOptions): Promise<Sockets> {
  const { port, interfaces, trouble } = options;
  const open: Socket[] = [];
  const close = async (): Promise<void> => void (await Promise.all(open.splice(0).map(closeSocket)));
  const receiver = await bindSocket(port, '0.0.0.0', trouble);
  if (!receiver.ok) {
    const sentence = `UDP port ${port} cannot be listened on (${receiver.reason}): end the program that keeps it for itself, or choose another for all appliances with TILLMESH_MDNS_PORT; peers that are named need no mDNS`;
    return { interfaces: [], trouble: sentence, send: async () => 0, close };
  }
  open.push(receiver.socket);
  receiver.socket.on('message', options.packet);
  const speakers: { here: Interface; socket: Socket }[] = [];
  const failures: string[] = [];
  for (const here of interfaces) {
    const speaker = await openSpeaker(port, here, receiver.socket, trouble);
    if (speaker.ok) {
      open.push(speaker.socket);
      speakers.push({ here, socket: speaker.socket });
    } else failures.push(cannotUse(here, speaker.reason));
  }
  return {
    interfaces: speakers.map(({ here }) => here),
    trouble: failures[0] ?? null,
    async send(make) {
      const outcomes = await Promise.all(
        speakers.map(async ({ here, socket }) => ({ here, reason: await sendOn(socket, port, () => make(here)) })),
      );
      for (const { here, reason } of outcomes) if (reason !== null) trouble(cannotUse(here, reason));
      return outcomes.filter(({ reason }) => reason === null).length;
    },
    close,
  };
}

const cannotUse = ({ name, address }: Interface, reason: string): string =>
  `${name} (${address}) cannot be used for mDNS (${reason}): look at its cable and the firewall, or leave it out with TILLMESH_MDNS_INTERFACES`;

type Bound = { ok: true; socket: Socket } | { ok: false; reason: string };

/**
 * Bound to the interface's own address, at the port of mDNS: answers from another port would be ignored (RFC 6762, 6), and
 * it does not hear the group a second time. What is sent to it alone is not listened to: we ask for no such answers.
 */
async function openSpeaker(
  port: number,
  { address }: Interface,
  receiver: Socket,
  trouble: (sentence: string) => void,
): Promise<Bound> {
  const bound = await bindSocket(port, address, trouble);
  if (!bound.ok) return bound;
  try {
    joinGroup(receiver, address);
    bound.socket.setMulticastInterface(address);
    bound.socket.setMulticastTTL(255);
    bound.socket.setMulticastLoopback(true);
    return bound;
  } catch (error) {
    await closeSocket(bound.socket);
    return { ok: false, reason: reasonOf(error) };
  }
}

/** A card is in the group once, however many addresses it has. */
function joinGroup(receiver: Socket, address: string): void {
  try {
    receiver.addMembership(multicastGroup, address);
  } catch (error) {
    if (reasonOf(error) !== 'EADDRINUSE') throw error;
  }
}

/** Shares the port with other programs that do mDNS, such as avahi. */
function bindSocket(port: number, address: string, trouble: (sentence: string) => void): Promise<Bound> {
  return new Promise((resolve) => {
    try {
      const socket = createSocket({ type: 'udp4', reuseAddr: true });
      let isBound = false;
      socket.on('error', (error) => {
        if (isBound) trouble(`the socket of mDNS at ${address} failed (${reasonOf(error)}): it will be opened anew`);
        else void closeSocket(socket).then(() => resolve({ ok: false, reason: reasonOf(error) }));
      });
      socket.bind(port, address, () => {
        isBound = true;
        resolve({ ok: true, socket });
      });
    } catch (error) {
      resolve({ ok: false, reason: reasonOf(error) });
    }
  });
}

/** Null when it has left, otherwise why not. */
function sendOn(socket: Socket, port: number, make: () => Buffer): Promise<string | null> {
  return new Promise((resolve) => {
    try {
      socket.send(make(), port, multicastGroup, (error) => resolve(error ? reasonOf(error) : null));
    } catch (error) {
      resolve(reasonOf(error));
    }
  });
}

function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(() => resolve());
    } catch {
      // It was closed before.
      resolve();
    }
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
