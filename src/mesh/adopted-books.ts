// Books that came as a snapshot, once they are in use: every seal is looked at, and where one does not hold they are made
// anew from what was sealed. Until that is done no other snapshot is begun: it would come into the file in which they are
// made anew. What a restart or a failing disk cuts is begun again.

import { base32 } from '../core/identity.ts';
import type { Random } from '../ports.ts';
import type { MeshParts } from './parts.ts';

export type AdoptedBooks = {
  /** Not to be called while the storage is in trouble. */
  areUnsettled(): boolean;
  /** Goes on with the check where there is one to be made and none under way. */
  check(): void;
};

export const newFeedId = (random: Random): string => base32(random.bytes(10));

/** `broken`: what came from that maker was not what was sealed. */
export function createAdoptedBooks(parts: MeshParts, broken: (maker: string) => void): AdoptedBooks {
  const { ports, storage, links, peers, alarms } = parts;
  const { log } = ports;
  /** Also where that failed: then the next start tries again. */
  let isRebuilding = false;

  function check(): void {
    if (isRebuilding || storage.trouble()) return;
    const maker = storage.uncheckedFrom();
    if (maker === '') return;
    storage.recheck((found) => {
      if (found === undefined) return log.info('the books of a snapshot were checked: every seal holds');
      makeAnew(maker, found);
    });
  }

  function makeAnew(maker: string, found: string): void {
    const who = peers.get(maker)?.name ?? maker;
    log.error('the books of a snapshot are not what was sealed', { peer: who, found });
    alarms.raise(
      `snapshot ${maker}`,
      'snapshot_broken',
      `The books that came from ${who} were not what was sealed: ${found} They are made anew from what was. Run verify there.`,
    );
    broken(maker);
    isRebuilding = true;
    storage.rebuild(newFeedId(ports.random), rebuilt);
  }

  function rebuilt(failed: string | undefined): void {
    if (failed) return log.error('the books could not be made anew', { detail: failed });
    isRebuilding = false;
    log.info('the books were made anew');
    for (const link of links.values()) {
      link.dispatch({ kind: 'announce' });
      link.dispatch({ kind: 'askAgain' });
    }
    parts.replan();
  }

  return { areUnsettled: () => isRebuilding || storage.uncheckedFrom() !== '', check };
}
