// Virtual time: one queue of events for everything that happens anywhere, in the order of (time, scheduling). An event
// belongs to a process: a stopped one's events wait, a dead one's never run.

import type { TimerHandle } from '../../src/ports.ts';

export type Process = {
  readonly name: string;
  state: 'running' | 'stopped' | 'dead';
  /** Its one thread is taken until then (a slow disk); its events wait. */
  busyUntil: number;
  held: Event[];
};

type Event = { time: number; order: number; process: Process | null; run: () => void; cancelled: boolean };

export type Loop = {
  /** Virtual milliseconds since the beginning of the simulation. */
  now(): number;
  at(time: number, process: Process | null, run: () => void): TimerHandle;
  /** At this time, after everything that is already scheduled for it. */
  soon(process: Process | null, run: () => void): TimerHandle;
  resume(process: Process): void;
  /** Runs events up to `time`; `after` is called after each. */
  runUntil(time: number, after: () => void): void;
  eventCount(): number;
};

export const createProcess = (name: string): Process => ({ name, state: 'running', busyUntil: 0, held: [] });

/** `onError` gets what an event threw, with the process that it was of. */
export function createLoop(onError: (process: Process | null, error: unknown) => void): Loop {
  const heap: Event[] = [];
  let now = 0;
  let order = 0;
  let count = 0;
  const at = (time: number, process: Process | null, run: () => void): TimerHandle => {
    const event: Event = { time: Math.max(time, now), order: order++, process, run, cancelled: false };
    push(heap, event);
    return {
      cancel: () => {
        event.cancelled = true;
      },
    };
  };
  const requeue = (event: Event, time: number): void => {
    event.time = time;
    event.order = order++;
    push(heap, event);
  };
  const runNext = (): boolean => {
    const event = pop(heap);
    if (!event || event.cancelled) return false;
    now = Math.max(now, event.time);
    const { process } = event;
    if (process?.state === 'dead') return false;
    if (process?.state === 'stopped') {
      process.held.push(event);
      return false;
    }
    if (process && process.busyUntil > now) {
      requeue(event, process.busyUntil);
      return false;
    }
    count++;
    try {
      event.run();
    } catch (error) {
      onError(process, error);
    }
    return true;
  };
  return {
    now: () => now,
    at,
    soon: (process, run) => at(now, process, run),
    resume: (process) => {
      if (process.state !== 'stopped') return;
      process.state = 'running';
      for (const event of process.held.splice(0)) requeue(event, now);
    },
    runUntil: (time, after) => {
      for (let next = heap[0]; next && next.time <= time; next = heap[0]) if (runNext()) after();
      now = Math.max(now, time);
    },
    eventCount: () => count,
  };
}

const isEarlier = (a: Event, b: Event): boolean => (a.time !== b.time ? a.time < b.time : a.order < b.order);

function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Event;
    if (!isEarlier(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (!top || !last || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = at * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isEarlier(heap[child + 1] as Event, heap[child] as Event)) child++;
    if (!isEarlier(heap[child] as Event, last)) break;
    heap[at] = heap[child] as Event;
    at = child;
  }
  heap[at] = last;
  return top;
}
