// What a connection tells whoever listens, in order: frames that came before anybody did, frames, and once, last, that
// it is closed. Nothing is called back from within `listen` or `end`, and nothing after `closed`.

import type { ConnectionEvents, Timers } from '../../ports.ts';

export type Delivery = {
  listen(events: ConnectionEvents): void;
  frame(frame: string | Uint8Array): void;
  drained(): void;
  /** The first reason counts; whatever came before is still delivered. */
  end(reason: string): void;
  hasEnded(): boolean;
  /** Frames that come, or wait, are no longer wanted. */
  dropFrames(): void;
};

export function createDelivery(timers: Timers): Delivery {
  let events: ConnectionEvents | undefined;
  /** Undefined once somebody listens. */
  let early: (string | Uint8Array)[] | undefined = [];
  let endReason: string | undefined;
  let wantsFrames = true;

  const frame = (frame: string | Uint8Array): void => {
    if (early) early.push(frame);
    else if (wantsFrames) events?.frame(frame);
  };
  const tellEarly = (): void => {
    const frames = early ?? [];
    early = undefined;
    for (const one of frames) frame(one);
  };
  const tellClosed = (): void => {
    const told = events;
    events = undefined;
    told?.closed(endReason ?? '');
  };
  return {
    listen(listener) {
      events = listener;
      timers.soon(tellEarly);
      if (endReason !== undefined) timers.soon(tellClosed);
    },
    frame,
    drained() {
      if (endReason === undefined) events?.drained();
    },
    end(reason) {
      if (endReason !== undefined) return;
      endReason = reason;
      if (events) timers.soon(tellClosed);
    },
    hasEnded: () => endReason !== undefined,
    dropFrames() {
      wantsFrames = false;
    },
  };
}
