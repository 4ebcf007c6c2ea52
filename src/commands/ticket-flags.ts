// What is odd about a ticket, as names. Nothing here refuses: the till's figures are law, ours only raise a flag.

import { clockSuspectMs } from '../core/limits.ts';
import type { TicketBody, TicketLine } from './ticket-body.ts';

/** Rounding of one line: half a cent either way, whatever rule the till rounds by. */
const lineToleranceMinor = 1;
/** Tills drift by minutes; a wrong time zone is an hour. */
const soldAheadMsMax = 10 * 60_000;
/** Longer than any outage a till sits out with a full outbox. */
const soldAgoMsMax = 30 * 24 * 3_600_000;

/** Total of the lines, and how far rounding alone may put it off; undefined when a line has neither total nor price. */
function sumOfLines(lines: readonly TicketLine[]): { sum: number; tolerance: number } | undefined {
  let sum = 0;
  let tolerance = 0;
  for (const line of lines) {
    const computed = line.total === undefined ? computedTotal(line) : line.total;
    if (computed === undefined) return undefined;
    sum += computed;
    if (line.total === undefined) tolerance += lineToleranceMinor;
  }
  return { sum: Math.round(sum), tolerance };
}

const computedTotal = (line: TicketLine): number | undefined =>
  line.unitPrice === undefined ? undefined : line.quantity * line.unitPrice - (line.discount ?? 0);

/**
 * Whether a line's total is not quantity × price − discount. Tills write the signs of returned goods in every way, so
 * there the sizes are compared, with the discount counted either way.
 */
export function isLineTotalOff(line: TicketLine, isReturn: boolean): boolean {
  const { total, unitPrice, quantity, discount = 0 } = line;
  if (total === undefined || unitPrice === undefined) return false;
  const gross = quantity * unitPrice;
  if (!isReturn && quantity >= 0) return Math.abs(total - (gross - discount)) > lineToleranceMinor;
  const off = (expected: number): number => Math.abs(Math.abs(total) - Math.abs(expected));
  return Math.min(off(gross - discount), off(gross + discount)) > lineToleranceMinor;
}

/** Flags that follow from the ticket's own figures. */
export function figureFlags(body: TicketBody): string[] {
  const isReturn = body.kind !== 'sale';
  const size = (amount: number): number => (isReturn ? Math.abs(amount) : amount);
  const lines = sumOfLines(body.lines);
  const isTotalOff =
    body.lines.some((line) => isLineTotalOff(line, isReturn)) ||
    (body.total !== undefined && lines !== undefined && Math.abs(size(body.total) - size(lines.sum)) > lines.tolerance);
  const flags = isTotalOff ? ['total_mismatch'] : [];
  const due = body.total ?? lines?.sum;
  if (body.payments !== undefined && due !== undefined) {
    const paid = body.payments.reduce((sum, payment) => sum + (payment.amount ?? 0), 0);
    const tolerance = body.total === undefined ? (lines?.tolerance ?? 0) : 0;
    if (Math.abs(size(paid) - size(due)) > tolerance) flags.push('payment_mismatch');
  }
  return flags;
}

/** Whether the ticket's times are doubtful: our clock is off, or the till says it sold in the future or long ago. */
export function isClockSuspect(soldAt: string | undefined, clockMs: number, meshMs: number): boolean {
  if (Math.abs(meshMs - clockMs) > clockSuspectMs) return true;
  if (soldAt === undefined) return false;
  const agoMs = meshMs - Date.parse(soldAt);
  return agoMs < -soldAheadMsMax || agoMs > soldAgoMsMax;
}
