// The Log port on pino: JSON lines on standard error, for journald and the like; readable lines on a terminal. Control
// characters are escaped in both, so that no name from outside can forge a line or move the cursor.

import { writeSync } from 'node:fs';
import pino from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { LogLevel } from '../config.ts';
import type { Log } from '../ports.ts';

export function createLog(level: LogLevel, isTerminal: boolean): Log {
  const serializers = { error: pino.stdSerializers.err };
  const logger = pino({ level, base: undefined, serializers }, { write: isTerminal ? writePretty() : writeLine });
  return {
    debug: (message, facts = {}) => logger.debug(facts, message),
    info: (message, facts = {}) => logger.info(facts, message),
    warn: (message, facts = {}) => logger.warn(facts, message),
    error: (message, facts = {}) => logger.error(facts, message),
  };
}

/** Written before the call returns: what was said last before a crash is what is looked for afterwards. */
function writeLine(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads (a closed pipe, a full one): a log is not worth a sale.
  }
}

function writePretty(): (line: string) => void {
  const prettify = prettyFactory({ colorize: true, translateTime: 'SYS:HH:MM:ss.l', singleLine: true });
  return (line) => {
    const facts = JSON.parse(line, (_key, value) => (typeof value === 'string' ? printable(value) : value));
    writeLine(prettify(facts));
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

export const printable = (text: string): string =>
  text.replace(controlCharacters, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
