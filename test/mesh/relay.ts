// What somebody in the middle does, with a key of his own on both sides: every message goes on, both ways.

import type { Connection, Transport } from '../../src/ports.ts';

type Frame = string | Uint8Array;

/** `isStubborn`: ends neither side when the other has gone, so that both get to read what there was. */
export function relay(
  near: Connection,
  {
    transport,
    target,
    see,
    isStubborn = false,
  }: {
    transport: Transport;
    target: string;
    see(frame: Frame): void;
    isStubborn?: boolean;
  },
): void {
  const early: Frame[] = [];
  let far: Connection | undefined;
  const pass = (from: Connection, send: (frame: Frame) => void, close: (reason: string) => void): void =>
    from.listen({
      frame(frame) {
        see(frame);
        send(frame);
      },
      drained() {},
      closed: (reason) => isStubborn || close(reason),
    });
  pass(
    near,
    (frame) => (far ? far.send(frame) : void early.push(frame)),
    (reason) => far?.close(reason),
  );
  transport.dial(target, (outcome) => {
    if (!outcome.ok) return near.close(outcome.reason);
    far = outcome.connection;
    pass(far, near.send, near.close);
    for (const frame of early) far.send(frame);
  });
}
