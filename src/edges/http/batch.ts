// A batch: items that stand each for itself. They go to the writer a bounded number at a time, so that one batch never
// fills the queue before the other tills' sales.

import { type Failure, failure, type Outcome } from '../../core/command.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { isJsonObject } from '../../core/json.ts';
import { commitOpsMax } from '../../core/limits.ts';
import { problemDocument } from './problems.ts';
import { isItemTooLarge } from './reading.ts';
import type { Answer } from './route.ts';

export type ItemOutcome = Outcome<{ readonly status: number; readonly id: string }>;

/** Items handed to the writer before the first of them is answered. */
const underWayMax = commitOpsMax;

/** Runs `write` for every item, in their order. */
export async function runBatch(
  items: readonly Json[],
  write: (item: Json, index: number) => Promise<ItemOutcome> | Failure,
): Promise<Answer> {
  const data: JsonObject[] = [];
  for (let start = 0; start < items.length; start += underWayMax) {
    const group = items.slice(start, start + underWayMax).map(async (item, offset) => {
      const index = start + offset;
      return itemResult(index, item, isItemTooLarge(item) ? tooLarge : await write(item, index));
    });
    data.push(...(await Promise.all(group)));
  }
  return { status: 200, json: { data } };
}

const tooLarge = failure('body_too_large', 'An item may be as large as a message of its own, 1 MiB.');

function itemResult(index: number, item: Json, outcome: ItemOutcome): JsonObject {
  if (outcome.ok) return { index, ...outcome.result };
  const id = isJsonObject(item) && typeof item.id === 'string' ? item.id : null;
  const { type: _, title: __, ...problem } = problemDocument(outcome);
  return { index, id, ...problem };
}
