// A voucher: the sealed commit in which a member says that somebody is of the shop. Whoever has not heard of it yet (they
// were never linked to who let him in) can check it by itself, for the seal is a signature.

import { replicaOf } from '../../core/heads.ts';
import { voucherBytesMax } from '../../core/limits.ts';
import { readTrustWord, type TrustStatement, trustEntity } from '../../core/membership.ts';
import { parseHeader, parsePayload } from '../../core/op.ts';
import type { Crypto } from '../../ports.ts';
import { decodeCommitsFrame, encodeCommitsFrame } from '../../protocol/frames.ts';
import { isWhole } from '../../storage/receive.ts';
import type { Storage } from '../../storage/storage.ts';

/** Base64; undefined when nobody of the others has said that `replica` is of the shop, or it would be too large. */
export function voucherFor(storage: Storage, replica: string): string | undefined {
  const { trust, origins } = storage.state();
  for (const said of [...trust].reverse()) {
    if (said.verdict !== 'trusted' || said.subject !== replica || replicaOf(said.origin) === replica) continue;
    const author = origins.get(said.origin);
    const [commit] = author ? storage.readCommits(said.origin, said.number - 1, 1) : [];
    if (!commit || commit.last < said.number || commit.bytes.length > voucherBytesMax) continue;
    const frame = encodeCommitsFrame(said.origin, commit.publicKey, [commit.bytes]);
    return Buffer.from(frame).toString('base64');
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
