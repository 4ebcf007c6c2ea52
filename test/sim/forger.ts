// A trusted appliance that alters tickets of others on their way through it, and makes the chain right again: everything
// but the signature, for which it lacks the key.

import { createHash } from 'node:crypto';
import { type Commit, hashesOf, nextHead, type Op } from '../../src/core/op.ts';
import { encodeCommit } from '../../src/protocol/commit-codec.ts';
import { decodeCommitsFrame, encodeCommitsFrame } from '../../src/protocol/frames.ts';

const sha256 = (input: Uint8Array | string): Uint8Array => new Uint8Array(createHash('sha256').update(input).digest());
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export function createForger(): (frame: string | Uint8Array) => string | Uint8Array {
  /** What each chain head became in the forged history. */
  const forgedHeads = new Map<string, Uint8Array>();
  const forgeCommit = (commit: Commit): Commit => {
    const before = forgedHeads.get(hex(commit.seal.before)) ?? commit.seal.before;
    const ops = commit.ops.map(forgeOp);
    const after = ops.reduce((head, op) => nextHead(sha256, head, hashesOf(sha256, op)), before);
    forgedHeads.set(hex(commit.seal.after), after);
    return { ...commit, ops, seal: { ...commit.seal, before, after } };
  };
  return (frame) => {
    if (typeof frame === 'string') return frame;
    const decoded = decodeCommitsFrame(frame);
    if (!decoded) return frame;
    const commits = decoded.commits.map(({ commit }) => encodeCommit(forgeCommit(commit)));
    return encodeCommitsFrame(decoded.origin, decoded.publicKey, commits);
  };
}

const forgeOp = (op: Op): Op =>
  op.kind === 'whole' && op.header.includes('"ticket"')
    ? { ...op, payload: op.payload.replace(/"total":[0-9]+/, '"total":1') }
    : op;
