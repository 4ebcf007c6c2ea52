// What group commit is held against: the same HTTP app on the same appliance, in one of two ways. "each": timers that
// wait for nothing, so that each request is a commit and an fsync of its own. "nothing": a ticket is read, checked, decided
// upon and answered, but not written. Arguments: the way, data folder, shop key, admin token.

import { createHash } from 'node:crypto';
import type { Appliance } from '../../src/appliance.ts';
import type { CommandContext } from '../../src/core/command.ts';
import { createHttpApp } from '../../src/edges/http/app.ts';
import { systemRandom, systemTimers } from '../../src/edges/system.ts';
import { compose, quietLog, serve } from './compose.ts';

const [way = '', folder = '', shopKey = '', adminToken = ''] = process.argv.slice(2);
const hash = createHash('sha256').update(adminToken).digest('hex');
const timers = way === 'each' ? { ...systemTimers, soon: (run: () => void) => run() } : systemTimers;
const { appliance, close } = compose(folder, shopKey, timers);
const app = createHttpApp(way === 'each' ? appliance : withoutWriting(appliance), {
  version: '0',
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

/** What is no ticket is written all the same: the catalogue, the tills. */
function withoutWriting(whole: Appliance): Appliance {
  const now = Date.now();
  const context: CommandContext = {
    books: whole.books,
    replicaId: whole.replicaId,
    clockMs: now,
    meshMs: now,
    sha256Hex: (text) => createHash('sha256').update(text).digest('hex'),
    newId: () => 'bench',
  };
  return {
    ...whole,
    execute(command, done) {
      const decision = command(context);
      if (!decision.ok || decision.drafts[0]?.entity !== 'ticket') return whole.execute(command, done);
      done({ ok: true, result: decision.result(whole.books) });
    },
  };
}
