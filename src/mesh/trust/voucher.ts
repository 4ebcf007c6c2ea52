// A voucher: the sealed commit in which a member says that somebody is of the shop. Whoever has not heard of it yet (they
// were never linked to who let him in) can check it by itself, for the seal is a signature.

import { replicaOf } from '../../core/heads.ts';
import { voucherBytesMax } from '../../core/limits.ts';
import { readTrustWord, type TrustStatement, trustEntity } from '../../core/membership.ts';
import { type Commit, hashesOf, parseHeader, parsePayload, type Sha256 } from '../../core/op.ts';
import type { Crypto } from '../../ports.ts';
import { decodeCommit, encodeCommit } from '../../protocol/commit-codec.ts';
import { decodeCommitsFrame, encodeCommitsFrame } from '../../protocol/frames.ts';
import { isWhole } from '../../storage/receive.ts';
import type { Storage } from '../../storage/storage.ts';

/** Of the other ops their hashes alone: a voucher is shown to strangers, and a seal may cover sales. */
const withOnly = (commit: Commit, number: number, sha256: Sha256): Commit => ({
  ...commit,
  from: commit.seal.first,
  ops: commit.ops.map((op, index) =>
    commit.seal.first + index === number ? op : { kind: 'pruned', ...hashesOf(sha256, op) },
  ),
});

/** Base64; undefined when nobody of the others has said that `replica` is of the shop, or it would be too large. */
export function voucherFor(storage: Storage, sha256: Sha256, replica: string): string | undefined {
  const { trust, origins } = storage.state();
  for (const said of [...trust].reverse()) {
    if (said.verdict !== 'trusted' || said.subject !== replica || replicaOf(said.origin) === replica) continue;
    const author = origins.get(said.origin);
    const [commit] = author ? storage.readCommits(said.origin, said.number - 1, 1) : [];
    if (!commit || commit.last < said.number || commit.bytes.length > voucherBytesMax) continue;
    const alone = decodeCommit(said.origin, commit.bytes);
    if (!alone || alone.ops.length === 0) continue;
    const bytes = encodeCommit(withOnly(alone, said.number, sha256));
    return Buffer.from(encodeCommitsFrame(said.origin, commit.publicKey, [bytes])).toString('base64');
  }
  return undefined;
}

/** The statements on trust in a voucher, when it is sealed by their author. */
export function readVoucher(crypto: Crypto, shop: string, voucher: string): TrustStatement[] {
  const frame = decodeCommitsFrame(Buffer.from(voucher, 'base64'));
  const [item] = frame?.commits ?? [];
  if (!frame || !item || !isWhole({ crypto, shop }, item.commit, frame.publicKey)) return [];
  const { seal, ops } = item.commit;
  return ops.flatMap((op, index) => {
    const header = op.kind === 'whole' ? parseHeader(op.header) : undefined;
    if (op.kind !== 'whole' || typeof header !== 'object' || header.entity !== trustEntity || header.seen) return [];
    const payload = parsePayload(op.payload);
    const word = typeof payload === 'object' ? readTrustWord(payload) : undefined;
    const { id, stamp } = header;
    return word ? [{ ...word, origin: seal.origin, number: seal.first + index, id, stamp }] : [];
  });
}
