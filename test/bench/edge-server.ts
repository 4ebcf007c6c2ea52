// What group commit is held against: the same HTTP app on the same appliance, in one of two ways. "each": timers that
// wait for nothing, so that each request is a commit and an fsync of its own. "parses": a ticket is read and checked as
// ever, and answered with the first one that was taken in; nothing is decided, looked up or written. Arguments: the way,
// data folder, shop key, admin token.

import { createHash } from 'node:crypto';
import type { Appliance } from '../../src/appliance.ts';
import type { Outcome } from '../../src/core/command.ts';
import { createHttpApp } from '../../src/edges/http/app.ts';
import { systemClock, systemRandom, systemTimers } from '../../src/edges/system.ts';
import { compose, quietLog, serve } from './compose.ts';

const [way = '', folder = '', shopKey = '', adminToken = ''] = process.argv.slice(2);
const hash = createHash('sha256').update(adminToken).digest('hex');
const timers = way === 'each' ? { ...systemTimers, soon: (run: () => void) => run() } : systemTimers;
const { appliance, close } = compose(folder, shopKey, timers);
const app = createHttpApp(way === 'each' ? appliance : withoutWriting(appliance), {
  version: '0',
  clock: systemClock,
  rateLimit: false,
  timers: systemTimers,
  random: systemRandom,
  log: quietLog,
  adminTokenHashes: () => [hash],
  publicFiles: new Map(),
});
const port = await serve((request) => app.fetch(request));
process.on('SIGTERM', () => {
  close();
  process.exit(0);
});
process.send?.({ port });

/** What is no ticket is written all the same: the catalogue, the tills; and the first ticket, to answer with. */
function withoutWriting(whole: Appliance): Appliance {
  let answer: Outcome<unknown> | undefined;
  return {
    ...whole,
    execute(command, done) {
      if (answer) return done(answer as Parameters<typeof done>[0]);
      whole.execute(command, (outcome) => {
        const result = outcome.ok ? (outcome.result as { row?: { payload?: { body?: object } } }) : undefined;
        if (result?.row?.payload?.body) answer = outcome;
        done(outcome);
      });
    },
  };
}
