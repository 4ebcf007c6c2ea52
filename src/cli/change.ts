// What makes another appliance of this one while it runs: a shop that has let it in, a key of its own. What is needed is
// put on disk first; then it is told to serve again.

import type { Appliance, StartFailure } from '../appliance.ts';
import { failure, type Outcome } from '../core/command.ts';
import { newKey } from '../edges/identity.ts';
import { systemTimers } from '../edges/system.ts';
import type { Welcome } from '../mesh/trust/wish.ts';
import type { Log } from '../ports.ts';
import type { House } from './house.ts';
import { beginMove, clearPrepared, preparedPath } from './move.ts';

export type Change = {
  /** The appliance given is the one that runs, or why it does not. */
  join(appliance: Appliance | StartFailure, welcome: Welcome): void;
  renew(appliance: Appliance, by: string): Outcome<{ replicaId: string }>;
};

/** Whoever asked for the change is answered before the doors close. */
const answerMs = 200;

/** `again(last)`: `last` runs once nobody is served any more, with the appliance still open. */
export function createChange(house: House, log: Log, again: (last: () => void) => void): Change {
  const { folder } = house;
  let isUnderWay = false;

  /** Nothing is sold between the copying of the books and the move, so nothing is left behind. */
  function prepare(appliance: Appliance, welcome: Welcome): void {
    clearPrepared(folder);
    const prepared = appliance.prepareFor(welcome, preparedPath(folder));
    if (!('ok' in prepared))
      return log.error('let in to another shop, but its books cannot be made', { detail: prepared.detail });
    beginMove(folder, house.shop, welcome.shop);
    log.info('joining another shop', { shop: welcome.shop, host: welcome.hostName, carried: prepared.carried });
  }

  return {
    join(appliance, welcome) {
      if ('detail' in appliance || isUnderWay) return;
      isUnderWay = true;
      systemTimers.after(answerMs, () => again(() => prepare(appliance, welcome)));
    },
    renew(appliance, by) {
      if (isUnderWay)
        return failure('not_ready', 'The appliance is becoming another one already: ask again in a moment.');
      isUnderWay = true;
      const key = newKey(folder, { sha256: house.crypto.sha256 });
      const vouched = appliance.mesh.vouchFor(key.replicaId, by);
      const trouble = vouched.ok ? key.keep() : undefined;
      if (!vouched.ok || trouble) isUnderWay = false;
      if (!vouched.ok) return vouched;
      if (trouble) return failure('storage_unavailable', 'The new key cannot be written: the old one stays.');
      log.info('a new identity', { replicaId: key.replicaId });
      systemTimers.after(answerMs, () => again(() => {}));
      return { ok: true, result: { replicaId: key.replicaId } };
    },
  };
}
