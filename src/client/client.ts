// The terminal's module, as the appliance serves it at /client.js: one connection for all scripts of a page. The same file runs
// in browsers, Node and Bun.

import { createConnectionManager } from './connection.ts';
import type { ConnectionManager, ConnectionOptions } from './contract.ts';
import { createEnvironment } from './environment.ts';
import { readOptions } from './settings.ts';

export type * from './contract.ts';

const managers = new Map<string, ConnectionManager>();

/** Throws TypeError for options that make no sense. A manager that was closed is not given out again. */
export function getConnectionManager(options: ConnectionOptions = {}): ConnectionManager {
  const environment = createEnvironment();
  const settings = readOptions(options, environment.servedFrom);
  const key = JSON.stringify(settings);
  const known = managers.get(key);
  if (known) return known;
  const manager = createConnectionManager(settings, environment, () => managers.delete(key));
  managers.set(key, manager);
  return manager;
}
