// What a start has made before it failed, so that it can be removed and nothing is changed. Only what this start made
// itself: whoever mends the folder may be putting a backup into it at this very moment.

import { existsSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export type Traces = {
  /** The identity, and what follows from it, is of this start. */
  identityMade(): void;
  remove(): void;
};

/** Called before anything is made. `configText` is what a first config.json says. */
export function noteTraces(folder: string, configName: string, configText: string): Traces {
  const names = [configName, 'addon', 'lock.db', 'lock.db-journal', 'identity.json.partial'].filter(
    (name) => !existsSync(join(folder, name)),
  );
  const folders: string[] = [];
  for (let path = resolve(folder); !existsSync(path); path = dirname(path)) folders.push(path);

  /** A disk that ran full may have kept a part of it. */
  function isOurs(name: string): boolean {
    return name !== configName || configText.startsWith(readFileSync(join(folder, name), 'utf8'));
  }

  return {
    identityMade() {
      names.push('identity.json', 'books.db', 'books.db-wal', 'books.db-shm', 'claim-code');
    },
    remove() {
      try {
        for (const name of names)
          if (existsSync(join(folder, name)) && isOurs(name))
            rmSync(join(folder, name), { recursive: true, force: true });
        for (const path of folders) rmdirSync(path);
      } catch {
        // Not empty, or a disk that cannot be written: what is left does no harm.
      }
    },
  };
}
