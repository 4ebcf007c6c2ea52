// Who is logged in with a browser: in memory alone, so a restart logs everybody out. A session is known by the hash of
// its id, ends when it is idle or old, and is good only while the person's password is the one it was opened with.

import { hash } from 'node:crypto';
import { sessionIdleMs, sessionMs, sessionsMax, sessionsOfUserMax } from '../../core/limits.ts';
import type { Clock, Random } from '../../ports.ts';

export type Session = {
  readonly user: string;
  readonly csrfToken: string;
  /** SHA-256 of the PHC string that the password was checked against. */
  readonly passwordMark: string;
  /** Since an arbitrary moment, ms. */
  readonly openedAt: number;
  usedAt: number;
};

export type Sessions = {
  /** A new id at every log-in; whoever had set one before knows nothing of it. */
  open(user: string, passwordMark: string): { id: string; session: Session };
  /** The session of an id, used just now; undefined when there is none or it has ended. */
  use(id: string): Session | undefined;
  /** The same, without that it counts as used: a page that only stands open keeps nobody logged in. */
  look(id: string): Session | undefined;
  close(id: string): void;
  isOpen(session: Session): boolean;
  /** Unix ms at which it ends if nobody uses it. */
  endsAt(session: Session): number;
};

const secretBytes = 32;

export function createSessions(clock: Clock, random: Random): Sessions {
  /** By hash of the id, the one idle longest first. */
  const sessions = new Map<string, Session>();
  const secret = (): string => Buffer.from(random.bytes(secretBytes)).toString('base64url');
  const leftMs = ({ openedAt, usedAt }: Session): number =>
    Math.min(usedAt + sessionIdleMs, openedAt + sessionMs) - clock.monotonic();

  return {
    open(user, passwordMark) {
      const own = [...sessions].filter(([, session]) => session.user === user);
      const [oldest] = own.length >= sessionsOfUserMax ? own : sessions.size >= sessionsMax ? sessions : [];
      if (oldest) sessions.delete(oldest[0]);
      const now = clock.monotonic();
      const session: Session = { user, passwordMark, csrfToken: secret(), openedAt: now, usedAt: now };
      const id = secret();
      sessions.set(keyOf(id), session);
      return { id, session };
    },
    use(id) {
      const key = keyOf(id);
      const session = sessions.get(key);
      if (!session) return undefined;
      sessions.delete(key);
      if (leftMs(session) <= 0) return undefined;
      session.usedAt = clock.monotonic();
      sessions.set(key, session);
      return session;
    },
    look(id) {
      const session = sessions.get(keyOf(id));
      return session && leftMs(session) > 0 ? session : undefined;
    },
    close(id) {
      sessions.delete(keyOf(id));
    },
    isOpen: (session) => leftMs(session) > 0 && [...sessions.values()].includes(session),
    endsAt: (session) => clock.now() + leftMs(session),
  };
}

const keyOf = (id: string): string => hash('sha256', id, 'hex');
