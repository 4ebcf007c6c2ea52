// The settings of this process, and how `config` shows them: secrets masked, each with where it came from.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { type Option, optionTable, type Resolved, resolveSettings, type Settings, type Sources } from '../config.ts';
import { columns } from './command-line.ts';

export const options: readonly Option[] = optionTable([...hostname()].slice(0, 64).join('') || 'tillmesh');

export const readSettings = (flags: ReadonlyMap<string, readonly string[]>): Resolved =>
  resolveSettings(options, flags, { env: process.env, readText });

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // A path through a file is no place for a file either; the data folder's own trouble is told where it is made.
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR'].includes(String(error.code)))
      return undefined;
    throw error;
  }
}

export const settingsText = (settings: Settings, sources: Sources): string =>
  columns(options.map(({ name, secret }) => [name, shown(settings[name], secret), sources[name]])).join('\n');

function shown(value: Settings[keyof Settings], isSecret = false): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return '(not set)';
  if (isSecret) return '********';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value);
}
