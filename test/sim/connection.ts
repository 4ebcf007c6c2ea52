// One end of a connection, as the appliance holds it: the Connection port over a wire in each direction.

import { frameBytesMax } from '../../src/core/limits.ts';
import type { Connection, ConnectionEvents } from '../../src/ports.ts';
import type { Dice } from './dice.ts';
import type { Loop, Process } from './loop.ts';
import type { Trace } from './trace.ts';
import { createWire, type Fate, type Frame, frameBytes, type Path, type Wire } from './wire.ts';

export type EndSetup = {
  loop: Loop;
  dice: Dice;
  trace: Trace;
  number: number;
  own: { readonly host: string; readonly process: Process; readonly publicKey: Uint8Array };
  other: { readonly host: string; readonly process: Process; readonly publicKey: Uint8Array };
  path: Path;
  isOpenBetween(): boolean;
  /** Whether the other host's kernel answers at all. */
  isPowered(): boolean;
  address: string;
  dialedByUs: boolean;
  channelBinding: Uint8Array;
  onFrame(frame: Frame): void;
};

export type End = {
  readonly host: string;
  readonly process: Process;
  readonly connection: Connection;
  join(other: End): void;
  /** Throws when the appliance took the connection without listening to it. */
  requireListening(): void;
  isClosed(): boolean;
  bufferedBytes(): number;
  pump(): void;
  /** Takes a frame from the other end; `taken` when the process got to it. */
  arrive(frame: Frame, taken: () => void): void;
  /** Closes this end and tells its appliance. */
  die(reason: string, isTold: boolean): void;
  /** Swallows whatever is sent from now on, in silence. */
  forget(): void;
  /** The process of this end is gone. */
  vanish(isTold: boolean): void;
};

/** What a frame is, for the trace. Commits are told by their size: signatures differ from run to run. */
function frameText(frame: Frame): string {
  const bytes = `${frameBytes(frame)} bytes`;
  return typeof frame === 'string' ? `${frame.slice(0, 400)}, ${bytes}` : `commits, ${bytes}`;
}

export function createEnd(setup: EndSetup): End {
  const { loop, dice, trace, own, path } = setup;
  let events: ConnectionEvents | null = null;
  let isClosed = false;
  let isForgotten = false;
  let early: Frame[] = [];
  let other: End | null = null;

  const die = (reason: string, isTold: boolean): void => {
    if (isClosed) return;
    isClosed = true;
    wire.cut();
    if (isTold) loop.soon(own.process, () => events?.closed(reason));
  };
  /** Tells the other end behind what is on its way; a blocked path swallows the notice: half open. */
  const tellOther = (reason: string): void => {
    if (isForgotten || !setup.isOpenBetween()) {
      trace.count(loop.now(), own.host, 'half-open connection');
      return;
    }
    loop.at(wire.arrivalAt(), null, () => other?.die(reason, true));
  };
  const fate = (): Fate => {
    for (const kind of ['loss', 'duplicate', 'reorder', 'garble'] as const) {
      if (path.faults[kind] > 0 && dice.chance(path.faults[kind])) {
        trace.count(loop.now(), own.host, `frame: ${kind}`);
        return kind;
      }
    }
    return 'whole';
  };
  const wire: Wire = createWire(loop, path, {
    fate,
    jitterMs: () => dice.fraction() * path.faults.jitterMs,
    arrive: (frame, taken) => other?.arrive(frame, taken),
    drained: () => loop.soon(own.process, () => (isClosed ? undefined : events?.drained())),
    reader: () => {
      if (isForgotten) return 'silent';
      if (!other?.isClosed()) return 'open';
      return setup.isPowered() && setup.isOpenBetween() ? 'reset' : 'silent';
    },
    reset: () => loop.at(loop.now() + path.faults.latencyMs, null, () => die('connection reset by peer', true)),
  });
  const connection: Connection = {
    dialedByUs: setup.dialedByUs,
    address: setup.address,
    peerKey: setup.other.publicKey,
    channelBinding: setup.channelBinding,
    listen: (given) => {
      if (events) throw new Error('listen was called twice');
      events = given;
      for (const frame of early.splice(0)) loop.soon(own.process, () => (isClosed ? undefined : events?.frame(frame)));
    },
    send: (frame) => {
      if (isClosed || own.process.state === 'dead') return;
      if (frameBytes(frame) > frameBytesMax) throw new Error(`B8 a frame of ${frameBytes(frame)} bytes`);
      setup.onFrame(frame);
      trace.note(loop.now(), own.host, `> ${setup.other.host} #${setup.number} ${frameText(frame)}`);
      wire.send(frame);
    },
    bufferedBytes: () => wire.queuedBytes(),
    close: (reason) => {
      if (isClosed || own.process.state === 'dead') return;
      trace.note(loop.now(), own.host, `closes #${setup.number} to ${setup.other.host}: ${reason}`);
      die(reason, true);
      tellOther('closed by the other end');
    },
  };
  return {
    host: own.host,
    process: own.process,
    connection,
    join: (given) => {
      other = given;
    },
    requireListening: () => {
      if (!events && !isClosed) throw new Error('a connection was accepted and not listened to');
    },
    isClosed: () => isClosed,
    bufferedBytes: () => wire.queuedBytes(),
    pump: () => wire.pump(),
    arrive: (frame, taken) => {
      loop.soon(own.process, () => {
        taken();
        if (isClosed) return;
        if (events) events.frame(frame);
        else early.push(frame);
      });
    },
    die,
    forget: () => {
      isForgotten = true;
      wire.cut();
    },
    vanish: (isTold) => {
      isClosed = true;
      early = [];
      wire.cut();
      if (isTold) tellOther('connection reset by peer');
    },
  };
}
