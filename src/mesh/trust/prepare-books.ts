// The books with which an appliance begins in the shop that let it in: empty but for its own word that it trusts its host,
// the way there, and what it brings along.

import { base32 } from '../../core/identity.ts';
import { membershipOf, trustEntity } from '../../core/membership.ts';
import type { Ports } from '../../ports.ts';
import { appendLocal } from '../../storage/append.ts';
import { carryBooks } from '../../storage/carry.ts';
import type { OpenConfig, OpenFailure } from '../../storage/open.ts';
import { createStorage, type Storage } from '../../storage/storage.ts';
import { createPeerBook } from '../peer-book.ts';
import type { Welcome } from './wish.ts';

/** `config`: of the new file. Closed again when this returns. */
export function prepareBooks(
  ports: Ports,
  config: OpenConfig,
  present: Storage,
  { host, hostName, address }: Welcome,
): { ok: true; carried: number } | OpenFailure {
  const storage = createStorage(ports, config, { committed: () => {} });
  if ('detail' in storage) return storage;
  const payload = { verdict: 'trusted', subject: host, pardons: [], name: hostName, via: 'joined', by: 'system' };
  const said = storage.write((unit) =>
    appendLocal(unit, { entity: trustEntity, id: base32(ports.random.bytes(15)), payload }),
  );
  const { isInTime } = membershipOf(config.replicaId, present.state().trust);
  const carried = said.ok ? carryBooks(present, storage, isInTime) : undefined;
  const peers = createPeerBook(storage);
  const entry = peers.meet(host, hostName);
  if (entry) peers.save({ ...entry, address });
  copyStaticPeers(present, storage);
  storage.close();
  if (carried !== undefined) return { ok: true, carried };
  return { code: 'storage_failed', detail: 'The books for the other shop could not be written: is the disk full?' };
}

function copyStaticPeers(from: Storage, to: Storage): void {
  const addresses = from.handle().database.prepare('SELECT address FROM static_peers').all() as { address: string }[];
  to.note(({ database }) => {
    const add = database.prepare('INSERT OR IGNORE INTO static_peers (address) VALUES (?)');
    for (const { address } of addresses) add.run(address);
  });
}
