// Sessions as a table in memory: bounded, and nobody puts another out.

import { expect, test } from 'vitest';
import { sessionsMax, sessionsOfUserMax } from '../../src/core/limits.ts';
import { createSessions } from '../../src/edges/http/sessions.ts';
import { systemClock, systemRandom } from '../../src/edges/system.ts';

const newSessions = () => createSessions(systemClock, systemRandom);

test('B8 whoever logs in again and again loses his own oldest session, nobody else’s', () => {
  const sessions = newSessions();
  const admin = sessions.open('admin', 'mark');
  const first = sessions.open('looker', 'mark');
  const later = Array.from({ length: sessionsOfUserMax }, () => sessions.open('looker', 'mark'));
  expect(sessions.use(first.id)).toBe(undefined);
  expect(sessions.use(admin.id)).toBe(admin.session);
  for (const { id, session } of later) expect(sessions.use(id)).toBe(session);
});

test('B8 past the number of all, the one that was idle longest makes room', () => {
  const sessions = newSessions();
  const opened = Array.from({ length: sessionsMax }, (_, index) => sessions.open(`user-${index}`, 'mark'));
  const [first, second] = opened;
  // Used just now, so it is no longer the one that was idle longest.
  expect(sessions.use(first?.id ?? '')).toBe(first?.session);
  sessions.open('one-more', 'mark');
  expect(sessions.use(first?.id ?? '')).toBe(first?.session);
  expect(sessions.use(second?.id ?? '')).toBe(undefined);
});

test('B10 ids and CSRF tokens are of 32 bytes of chance, each its own', () => {
  const sessions = newSessions();
  const secrets = Array.from({ length: 50 }, () => sessions.open('admin', 'mark')).flatMap(({ id, session }) => [
    id,
    session.csrfToken,
  ]);
  expect(new Set(secrets).size).toBe(100);
  for (const secret of secrets) expect(secret).toMatch(/^[\w-]{43}$/);
});
