// mdns-js, kept safe. It gets a networking object without sockets: its packets go out through ours, and all it ever hears
// are packets that we made of what was checked. All that it runs by itself is one timer, of a second, that sends again.

import { EventEmitter } from 'node:events';
import mdns, { type Packet } from 'mdns-js';
import type { Announcement } from '../../ports.ts';
import type { Instance } from './read-packet.ts';
import { type OwnNames, serviceName, serviceType, txtOf } from './service.ts';

export type LibraryEvents = {
  /** It wants to ask who is there. */
  question(): void;
  /** It wants to say that we are there, or, with a time to live of zero, that we go; then it wants `sent` to be called. */
  announcement(packet: Packet, sent: () => void): void;
};

/** What mdns-js makes of an instance. */
export type Described = { readonly port: number; readonly txt: readonly string[] };

export type Library = {
  ask(): void;
  describe(instance: Instance, source: string): Described | null;
  goodbye(sent: () => void): void;
};

type Send = (packet: Packet, sent?: () => void) => void;

export function startLibrary(self: Announcement, own: OwnNames, start: string, events: LibraryEvents): Library {
  const send: Send = (packet, sent = () => {}) => {
    if (packet.header.qr === 0) events.question();
    else events.announcement(packet, sent);
  };
  const heard = networking(send);
  const browser = new mdns.Browser(heard, serviceType);
  // A networking object that never hears anything. mdns-js keeps all advertisements of a process in one list and answers
  // each question for all of them, through whichever was started last, also after they were stopped: questions are
  // answered in discovery.ts. And it takes a name of its own that it hears for a rival's, and goes by another.
  const options = { name: own.instance, host: own.host, txt: txtOf(self, start) };
  const advertisement = new mdns.Advertisement(networking(send), serviceType, self.meshPort, options);
  // No probes: a name that cannot be another's needs none (RFC 6762, 8.1). They would run in timers of mdns-js, where
  // what throws ends the process, such as a look at the interfaces without a file descriptor left.
  advertisement.alias = own.fullname;
  advertisement.status = 3;
  advertisement.start();
  return {
    ask: () => browser.discover(),
    describe(instance, source) {
      let described: Described | null = null;
      const take = ({ port, txt }: Described): void => {
        described = { port, txt };
      };
      // It tells of nothing twice and remembers every address for ever; without memory it does neither.
      browser.connections = {};
      browser.once('update', take);
      heard.emit('packets', [packetOf(instance)], { address: source }, { networkInterface: 'ours', interfaceIndex: 0 });
      browser.removeListener('update', take);
      return described;
    },
    goodbye(sent) {
      browser.stop();
      advertisement.stop(sent);
    },
  };
}

/** The object that mdns-js takes for its network. It never stops ours, and is ready at once. */
function networking(send: Send): EventEmitter {
  return Object.assign(new EventEmitter(), {
    INADDR_ANY: true,
    connections: [],
    addUsage: (_user: unknown, ready: () => void) => ready(),
    removeUsage: () => {},
    stop: () => {},
    send,
  });
}

const types = { ptr: 12, txt: 16, srv: 33 } as const;

/** One instance, with nothing in it that mdns-js could trip over: it would throw on names and types that it does not expect. */
function packetOf({ fullname, port, txt }: Instance): object {
  const answer = [
    { name: serviceName, type: types.ptr, data: fullname },
    { name: fullname, type: types.srv, port },
    { name: fullname, type: types.txt, data: txt },
  ];
  const sections = { question: [], answer, authority: [], additional: [] };
  const each = (section: keyof typeof sections, run: (record: object) => void): void => sections[section].forEach(run);
  return { header: { qr: 1 }, ...sections, each };
}
