// A cable between two appliances: a TCP proxy that can be cut, healed, and stopped in either direction.

import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export type Cable = {
  /** To be dialed in place of the target. */
  readonly address: string;
  /** Ends what is open and takes nothing more. */
  cut(): void;
  heal(): void;
  /** To another target from now on; what is open ends. */
  lead(target: string): void;
  /** What the target sends is no longer read, or is again. */
  stopAnswers(): void;
  resumeAnswers(): void;
  openCount(): number;
  /** Who knocked while it was cut. */
  refusedCount(): number;
};

export async function openCable(target: string): Promise<Cable> {
  let leadsTo = target;
  const pairs = new Set<{ near: Socket; far: Socket }>();
  let isCut = false;
  let isStopped = false;
  let refusedCount = 0;
  const server = createServer((near) => {
    near.on('error', () => {});
    if (isCut) {
      refusedCount += 1;
      near.destroy();
      return;
    }
    const [host = '', port] = leadsTo.split(':');
    const far = connect({ host, port: Number(port) }).on('error', () => {});
    const pair = { near, far };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    near.on('close', end).pipe(far);
    far.on('close', end).pipe(near);
    if (isStopped) far.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const destroyAll = (): void => {
    for (const { near, far } of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  onTestFinished(() => {
    destroyAll();
    server.close();
  });
  const address = server.address();
  return {
    address: `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    cut() {
      isCut = true;
      destroyAll();
    },
    heal() {
      isCut = false;
    },
    lead(to) {
      leadsTo = to;
      destroyAll();
    },
    stopAnswers() {
      isStopped = true;
      for (const { near, far } of pairs) {
        far.unpipe(near);
        far.pause();
      }
    },
    resumeAnswers() {
      isStopped = false;
      for (const { near, far } of pairs) far.pipe(near);
    },
    openCount: () => pairs.size,
    refusedCount: () => refusedCount,
  };
}
