// One direction of one connection, with the manners of TCP: in order and reliable, held back by a blocked path or a
// reader that does not read, unless a fault on the path says otherwise.

import type { Loop } from './loop.ts';

export type PathFaults = {
  /** Probability for each frame. */
  loss: number;
  duplicate: number;
  reorder: number;
  garble: number;
  latencyMs: number;
  jitterMs: number;
  bytesPerMs: number;
};

/** From one host to another: what the network does to every connection between them in this direction. */
export type Path = { readonly from: string; readonly to: string; isBlocked: boolean; faults: PathFaults };

export const healthyFaults: PathFaults = {
  loss: 0,
  duplicate: 0,
  reorder: 0,
  garble: 0,
  latencyMs: 0.4,
  jitterMs: 0.2,
  bytesPerMs: 12_500,
};

export type Frame = string | Uint8Array;

export type Fate = 'whole' | 'loss' | 'duplicate' | 'reorder' | 'garble';

export type WireEnds = {
  /** What the path does to this frame now. */
  fate(): Fate;
  jitterMs(): number;
  /** Hands a frame over to the reading process, which calls `taken` when it gets to it. */
  arrive(frame: Frame, taken: () => void): void;
  /** All bytes handed over have left. */
  drained(): void;
  /** The other end is no more: a reset comes back when a frame gets there. */
  reader(): 'open' | 'reset' | 'silent';
  reset(): void;
};

export type Wire = {
  send(frame: Frame): void;
  queuedBytes(): number;
  /** Tries again after the path opened. */
  pump(): void;
  /** When a notice sent now would come, behind what is already on its way. */
  arrivalAt(): number;
  /** Drops what has not left. */
  cut(): void;
};

/** What the two kernels hold of a direction whose reader does not read. */
const kernelBytesMax = 256 * 1024;

export const frameBytes = (frame: Frame): number =>
  typeof frame === 'string' ? Buffer.byteLength(frame) : frame.byteLength;

export function createWire(loop: Loop, path: Path, ends: WireEnds): Wire {
  let queue: { frame: Frame; bytes: number }[] = [];
  let queuedBytes = 0;
  let flightBytes = 0;
  let isSending = false;
  let lastArrival = 0;
  const arrivalAt = (): number => {
    lastArrival = Math.max(lastArrival, loop.now() + path.faults.latencyMs + ends.jitterMs());
    return lastArrival;
  };
  const pump = (): void => {
    const next = queue[0];
    if (!next || isSending || path.isBlocked || (flightBytes > 0 && flightBytes + next.bytes > kernelBytesMax)) return;
    isSending = true;
    loop.at(loop.now() + next.bytes / path.faults.bytesPerMs, null, () => {
      isSending = false;
      if (queue[0] !== next || path.isBlocked) return pump();
      queue.shift();
      queuedBytes -= next.bytes;
      depart(next.frame, next.bytes);
      if (queuedBytes === 0) ends.drained();
      pump();
    });
  };
  const deliverAt = (time: number, frame: Frame, bytes: number): void => {
    flightBytes += bytes;
    const taken = (): void => {
      flightBytes -= bytes;
      pump();
    };
    loop.at(time, null, () => ends.arrive(frame, taken));
  };
  const depart = (frame: Frame, bytes: number): void => {
    const reader = ends.reader();
    if (reader === 'reset') ends.reset();
    else if (reader === 'silent') flightBytes += bytes;
    else fly(ends.fate(), frame, bytes);
  };
  const fly = (fate: Fate, frame: Frame, bytes: number): void => {
    if (fate === 'loss') return;
    const arrival = fate === 'reorder' ? loop.now() + path.faults.latencyMs + 20 + ends.jitterMs() * 50 : arrivalAt();
    deliverAt(arrival, fate === 'garble' ? garbled(frame) : frame, bytes);
    if (fate === 'duplicate') deliverAt(arrivalAt() + ends.jitterMs() * 100, frame, bytes);
  };
  return {
    send: (frame) => {
      const bytes = frameBytes(frame);
      queue.push({ frame, bytes });
      queuedBytes += bytes;
      pump();
    },
    queuedBytes: () => queuedBytes,
    pump,
    arrivalAt,
    cut: () => {
      queue = [];
      queuedBytes = 0;
    },
  };
}

/** As no TLS would let through: what a peer with a broken or hostile program writes. */
function garbled(frame: Frame): Frame {
  if (typeof frame === 'string') return `${frame.slice(0, frame.length >> 1)}\u0000`;
  const bytes = Uint8Array.from(frame);
  for (let at = bytes.length >> 2; at < bytes.length; at += 3) bytes[at] = (bytes[at] ?? 0) ^ 0x55;
  return bytes;
}
