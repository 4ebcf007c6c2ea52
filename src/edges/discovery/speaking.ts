// What this appliance says on the network, and how often: who is there?, here I am, goodbye. Questions and answers are at
// least a second apart, so that nobody can make it flood its own network by asking.

import type { Packet } from 'mdns-js';
import { mdnsAnswerSpreadMs, mdnsSpacingMs } from '../../core/limits.ts';
import type { Announcement, Clock, Random, TimerHandle, Timers } from '../../ports.ts';
import type { Interface } from './interfaces.ts';
import { type Library, startLibrary } from './library.ts';
import type { OwnNames } from './service.ts';
import { writeAnnouncement, writeDetailsQuestion, writeQuestion } from './write-packet.ts';

export type SpeakingOptions = {
  readonly timers: Timers;
  readonly clock: Clock;
  readonly random: Random;
  readonly self: Announcement;
  readonly own: OwnNames;
  interfaceCount(): number;
  /** Sends on each interface what `make` says for it; resolves with the count of packets that have left. */
  send(make: (here: Interface) => Buffer): Promise<number>;
};

export type Speaking = {
  readonly library: Library;
  /** Says at once that we are there, and asks who is: on a network that has heard nothing of us. */
  greet(): void;
  /** Asks who is there, unless we just have. */
  ask(): void;
  /** Asks for address and TXT of an instance that was only named. */
  askDetails(fullname: string): void;
  /** Says that we are there, soon. */
  answer(): void;
  /** Resolves when the goodbye has left. Nothing is said after it. */
  goodbye(): Promise<void>;
  sentCount(): number;
};

/** Throws where mdns-js does: where the system does not tell its interfaces. */
export function createSpeaking(options: SpeakingOptions): Speaking {
  const { timers, clock, random, self, own } = options;
  let announcement: Packet | null = null;
  let sentCount = 0;
  let isOver = false;
  let answering: TimerHandle | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let askedDetailsAt = Number.NEGATIVE_INFINITY;
  let answeredAt = Number.NEGATIVE_INFINITY;

  async function send(make: (here: Interface) => Buffer): Promise<void> {
    sentCount += await options.send(make);
  }

  function announce(packet: Packet): Promise<void> {
    answeredAt = clock.monotonic();
    return send(({ address }) => writeAnnouncement(packet, { address, isOnly: options.interfaceCount() === 1 }));
  }

  const isSpaced = (before: number): boolean => clock.monotonic() - before >= mdnsSpacingMs;

  const start = Buffer.from(random.bytes(4)).toString('hex');
  const library = startLibrary(self, own, start, {
    question() {
      askedAt = clock.monotonic();
      void send(() => writeQuestion());
    },
    announcement(packet, sent) {
      const isGoodbye = packet.answer.every(({ ttl }) => ttl === 0);
      if (isOver && !isGoodbye) return;
      if (!isGoodbye) announcement = packet;
      void announce(packet).then(sent);
    },
  });

  function answer(): void {
    if (answering || isOver) return;
    const { min, max } = mdnsAnswerSpreadMs;
    const spacing = Math.max(answeredAt + mdnsSpacingMs - clock.monotonic(), 0);
    answering = timers.after(spacing + min + (max - min) * random.fraction(), () => {
      answering = null;
      if (announcement) void announce(announcement);
    });
  }

  return {
    library,
    greet() {
      if (isOver) return;
      if (announcement) void announce(announcement);
      library.ask();
    },
    ask() {
      if (isOver || !isSpaced(askedAt)) return;
      library.ask();
      // Who hears this question asks none of his own, and counts on hearing us all the same.
      answer();
    },
    askDetails(fullname) {
      const question = isOver || !isSpaced(askedDetailsAt) ? null : writeDetailsQuestion(fullname);
      if (!question) return;
      askedDetailsAt = clock.monotonic();
      void send(() => question);
    },
    answer,
    goodbye() {
      isOver = true;
      answering?.cancel();
      return new Promise((resolve) => library.goodbye(resolve));
    },
    sentCount: () => sentCount,
  };
}
