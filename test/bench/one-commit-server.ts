// The limit that group commit is held against: the same appliance and the same HTTP app, with timers that wait for
// nothing, so that each request is a commit and an fsync of its own. Arguments: data folder, shop key, admin token.

import { createHash } from 'node:crypto';
import { createHttpApp } from '../../src/edges/http/app.ts';
import { systemRandom, systemTimers } from '../../src/edges/system.ts';
import { compose, quietLog, serve } from './compose.ts';

const [folder = '', shopKey = '', adminToken = ''] = process.argv.slice(2);
const hash = createHash('sha256').update(adminToken).digest('hex');
const { appliance, close } = compose(folder, shopKey, { ...systemTimers, soon: (run) => run() });
const app = createHttpApp(appliance, {
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
