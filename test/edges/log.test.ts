// Texts from outside in the log: one line each, whatever they hold.

import { expect, test } from 'vitest';
import { printable } from '../../src/edges/log.ts';

test('F5 line breaks, escape sequences and turned-round text are shown, not obeyed', () => {
  expect(printable('Bar\r\nadmin logged in')).toBe('Bar\\u000d\\u000aadmin logged in');
  expect(printable('\x1b[2Jgone \x9b31m')).toBe('\\u001b[2Jgone \\u009b31m');
  expect(printable('exe.\u202etxt')).toBe('exe.\\u202etxt');
  expect(printable('Crème brûlée 🍮')).toBe('Crème brûlée 🍮');
});
