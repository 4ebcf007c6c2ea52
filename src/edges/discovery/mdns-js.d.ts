// What we call of mdns-js, which brings no types. `networking` is the object that it is given instead of its own, which
// would hang or crash on what any guest of a network can send.

declare module 'mdns-js' {
  import type { EventEmitter } from 'node:events';

  type Packet = {
    header: { qr: number };
    answer: {
      name: string;
      type: number;
      ttl: number;
      port?: number;
      target?: string;
      data?: string | Record<string, string>;
    }[];
  };

  class Browser extends EventEmitter {
    constructor(networking: EventEmitter, serviceType: string);
    /** What it has heard so far, by interface; grows with each address. */
    connections: Record<string, unknown>;
    discover(): void;
    stop(): void;
  }

  class Advertisement {
    constructor(networking: EventEmitter, serviceType: string, port: number, options: object);
    /** The full name of the instance. */
    alias: string;
    /** 0 to 2: probes follow; 3: announces. */
    status: number;
    start(): void;
    stop(next?: () => void): void;
  }

  const mdns: { Browser: typeof Browser; Advertisement: typeof Advertisement };
  export default mdns;
  export type { Advertisement, Browser, Packet };
}
