// Asks the appliance of its own host over HTTP: one process for many questions, so that looking often costs little.
// A line of JSON comes for each question, {"id", "method", "path", "body"?}; a line goes for each answer, {"id", "status",
// "answer"} or {"id", "failure"}. The token for all of them is its only word.

import { createInterface } from 'node:readline';

const [token = ''] = process.argv.slice(2);
const answerMsMax = 5_000;

type Question = { readonly id: number; readonly method: string; readonly path: string; readonly body?: unknown };

async function ask({ id, method, path, body }: Question): Promise<object> {
  try {
    const response = await fetch(`http://127.0.0.1:3030${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(answerMsMax),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { id, status: response.status, answer: text === '' ? null : JSON.parse(text) };
  } catch (error) {
    return { id, failure: error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : String(error) };
  }
}

createInterface({ input: process.stdin })
  .on('line', async (text) => {
    const answer = await ask(JSON.parse(text) as Question);
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  })
  .on('close', () => process.exit(0));
