// Passwords as argon2id (RFC 9106), in PHC strings that hold their own parameters and salt. Hashing takes memory and
// time on purpose, so few run at once and a bounded number waits; the loop goes on meanwhile.

import { argon2, timingSafeEqual } from 'node:crypto';
import { type Failure, failure } from '../../core/command.ts';
import {
  passwordBytesMax,
  passwordCharsMin,
  passwordLanesMax,
  passwordMemoryKiBMax,
  passwordPassesMax,
  passwordsAtOnceMax,
  passwordsWaitingMax,
} from '../../core/limits.ts';
import type { Random } from '../../ports.ts';

export type Passwords = {
  /** A PHC string, of a new salt. */
  hash(password: string): Promise<{ ok: true; hash: string } | Failure>;
  /** Whether it is the password of this hash; without a hash it is never, and takes as long. */
  isRight(password: string, hash: string | undefined): Promise<{ ok: true; isRight: boolean } | Failure>;
};

type Parameters = { readonly memory: number; readonly passes: number; readonly parallelism: number };

/** OWASP's first choice: 19 MiB, two passes, one lane. */
const ours: Parameters = { memory: 19_456, passes: 2, parallelism: 1 };
const saltBytes = 16;
const tagBytes = 32;

const busy = failure('busy', 'Too many log in at once. Try again in a moment.');
const unsupported = failure(
  'passwords_unsupported',
  'This runtime cannot check passwords: start the appliance with Node 24.7 or newer, or use a token.',
);

export function createPasswords(random: Random): Passwords {
  const enqueue = createQueue();
  const derive = (password: string, salt: Uint8Array, use: Parameters, tagLength: number) =>
    enqueue(() => argon2id(password, salt, use, tagLength));

  return {
    async hash(password) {
      const salt = random.bytes(saltBytes);
      const tag = await derive(password, salt, ours, tagBytes);
      return 'ok' in tag ? tag : { ok: true, hash: phcText(ours, salt, tag) };
    },
    async isRight(password, hash) {
      const known = hash === undefined ? undefined : readPhc(hash);
      const { salt, use, tag } = known ?? { salt: new Uint8Array(saltBytes), use: ours, tag: new Uint8Array(tagBytes) };
      const derived = await derive(password, salt, use, tag.length);
      if ('ok' in derived) return derived;
      return { ok: true, isRight: timingSafeEqual(derived, tag) && known !== undefined };
    },
  };
}

/** What is wrong with a new password, as a sentence; undefined when nothing is. */
export function faultOfPassword(password: string): string | undefined {
  if ([...password].length < passwordCharsMin) return `must have at least ${passwordCharsMin} characters`;
  if (Buffer.byteLength(password) > passwordBytesMax) return `must have at most ${passwordBytesMax} bytes`;
  return undefined;
}

type Job = () => Promise<Uint8Array>;

function createQueue(): (job: Job) => Promise<Uint8Array | Failure> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (job) => {
    if (typeof argon2 !== 'function') return unsupported;
    if (waiting.length >= passwordsWaitingMax) return busy;
    if (running >= passwordsAtOnceMax) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await job();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

const argon2id = (password: string, nonce: Uint8Array, use: Parameters, tagLength: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    // One person types é as one character, another's keyboard sends two.
    const message = Buffer.from(password.normalize('NFC'));
    argon2('argon2id', { message, nonce, tagLength, ...use }, (error, tag) => (error ? reject(error) : resolve(tag)));
  });

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '');

const phcText = ({ memory, passes, parallelism }: Parameters, salt: Uint8Array, tag: Uint8Array): string =>
  `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`;

const phcPattern =
  /^\$argon2id\$v=19\$m=([0-9]{1,6}),t=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Undefined for what is no such string, or would cost more than any in use. */
function readPhc(text: string): { use: Parameters; salt: Uint8Array; tag: Uint8Array } | undefined {
  const [, m, t, p, salt = '', tag = ''] = phcPattern.exec(text) ?? [];
  const use = { memory: Number(m), passes: Number(t), parallelism: Number(p) };
  const isBearable =
    use.memory >= 8 * use.parallelism &&
    use.memory <= passwordMemoryKiBMax &&
    use.passes >= 1 &&
    use.passes <= passwordPassesMax &&
    use.parallelism >= 1 &&
    use.parallelism <= passwordLanesMax;
  return isBearable ? { use, salt: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64') } : undefined;
}
