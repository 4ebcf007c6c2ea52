// Times as RFC 3339 has them: read with any zone, told in UTC.

const pattern = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Unix milliseconds (finer digits are cut off), or undefined when it is no time or has no zone. */
export function parseTime(text: string): number | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const part = (index: number): number => Number(match[index] ?? 0);
  const [year, month, day, hour, minute] = [part(1), part(2), part(3), part(4), part(5)];
  // A leap second is told as the last millisecond before it.
  const isLeap = part(6) === 60;
  const second = isLeap ? 59 : part(6);
  const millisecond = isLeap ? 999 : Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  if (hour > 23 || minute > 59 || second > 59 || part(9) > 23 || part(10) > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const offsetMs = (match[8] === '-' ? -1 : 1) * (part(9) * 60 + part(10)) * 60_000;
  const ms = date.setUTCHours(hour, minute, second, millisecond) - offsetMs;
  return isTellable(ms) ? ms : undefined;
}

/** Whether a time is written as we tell it already, as JavaScript writes times: known in a third of the time. */
export function isCanonicalTime(text: string): boolean {
  if (text.length !== 24) return false;
  const date = new Date(text);
  return !Number.isNaN(date.getTime()) && date.toISOString() === text;
}

/** RFC 3339, UTC, with milliseconds; null for what is no moment of the years 0 to 9999. */
export const timeText = (ms: number | null): string | null =>
  ms !== null && isTellable(ms) ? new Date(ms).toISOString() : null;

const firstMs = -62_167_219_200_000;
const lastMs = 253_402_300_799_999;

const isTellable = (ms: number): boolean => ms >= firstMs && ms <= lastMs;
