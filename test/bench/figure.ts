// What a figure is: something measured on the built file, a limit measured in the same run, and what was promised.

import type { BareLink } from './ground.ts';
import type { Lab } from './lab.ts';

export type Row = {
  readonly what: string;
  readonly measured: string;
  /** The limit, with its name. */
  readonly beside: string;
  readonly ratio: number | null;
  readonly wanted: string;
  readonly passed: boolean;
};

export type Setting = {
  readonly lab: Lab;
  readonly link: BareLink;
  /** Under a minute in all, wide margins, and nothing but ratios counts. */
  readonly quick: boolean;
  note(text: string): void;
};

export type Figure = { readonly name: string; readonly run: (setting: Setting) => Promise<Row[]> };

export const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en')}/s`;
export const inMs = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
export const inMicroseconds = (us: number): string => `${Math.round(us)} µs`;
