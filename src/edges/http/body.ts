// The body of a request: JSON in UTF-8, not compressed, of bounded size. The bound holds before and while it comes in,
// so that nothing large is ever held.

import { type Failure, failure } from '../../core/command.ts';
import type { Json } from '../../core/json.ts';
import { bodyBytesMax } from '../../core/limits.ts';
import { isItemTooLarge, type Reading } from './reading.ts';
import { readStrictJson } from './strict-json.ts';

export type BodyRule = {
  readonly bytesMax: number;
  /** Nothing sent counts as {}. */
  readonly isOptional?: boolean;
  readonly isMergePatch?: boolean;
  /** A list of items, each of which has a bound of its own. */
  readonly isBatch?: boolean;
};

const decoder = new TextDecoder('utf-8', { fatal: true });

export async function readBody(request: Request, rule: BodyRule): Promise<Reading<Json>> {
  const { headers } = request;
  const declared = headers.get('content-length');
  const refusal = checkHeaders(headers, rule);
  if (refusal) return rule.isOptional && (await isEmpty(request, declared, rule)) ? { ok: true, value: {} } : refusal;
  if (declared !== null && Number(declared) > rule.bytesMax) return tooLarge(rule);
  const bytes = declared === null ? await readBounded(request, rule) : await readAll(request);
  if (!(bytes instanceof Uint8Array)) return bytes;
  if (bytes.length > rule.bytesMax) return tooLarge(rule);
  if (bytes.length === 0 && rule.isOptional) return { ok: true, value: {} };
  return parseBytes(bytes, rule);
}

function parseBytes(bytes: Uint8Array, rule: BodyRule): Reading<Json> {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return failure('not_utf8', 'The message has bytes that are no UTF-8. Send text as UTF-8.');
  }
  const reading = readStrictJson(text);
  if (!reading.ok) {
    return failure(reading.code, reading.detail, { errors: [{ pointer: reading.pointer, detail: reading.detail }] });
  }
  // Numbers such as 1e15 are longer when they are written out: four times at most.
  if (bytes.length > bodyBytesMax / 4 && !rule.isBatch && isItemTooLarge(reading.value)) return tooLarge(rule);
  return reading;
}

function checkHeaders(headers: Headers, rule: BodyRule): Failure | undefined {
  const encoding = headers.get('content-encoding');
  if (encoding !== null && encoding !== '' && encoding.toLowerCase() !== 'identity') {
    return failure('encoding_unsupported', 'Send the message as it is, without Content-Encoding.');
  }
  const type = headers.get('content-type');
  if (type === 'application/json' || isJsonType(type ?? '', rule)) return undefined;
  return failure('media_type_unsupported', 'Send JSON, and say so: Content-Type: application/json.');
}

function isJsonType(type: string, rule: BodyRule): boolean {
  const [name = '', ...parameters] = type.toLowerCase().split(';');
  const isKnown =
    name.trim() === 'application/json' || (rule.isMergePatch && name.trim() === 'application/merge-patch+json');
  return isKnown === true && parameters.every((parameter) => isUtf8Parameter(parameter.trim()));
}

const isUtf8Parameter = (parameter: string): boolean =>
  parameter === '' || parameter === 'charset=utf-8' || parameter === 'charset="utf-8"' || parameter === 'charset=utf8';

/** Without a length there may still be nothing: that shows only in the reading. */
async function isEmpty(request: Request, declared: string | null, rule: BodyRule): Promise<boolean> {
  if (declared !== null) return declared === '0';
  const bytes = await readBounded(request, rule);
  return bytes instanceof Uint8Array && bytes.length === 0;
}

async function readAll(request: Request): Promise<Uint8Array | Failure> {
  try {
    return new Uint8Array(await request.arrayBuffer());
  } catch {
    return incomplete();
  }
}

/** Reads a body of unknown length, and stops at the bound. */
async function readBounded(request: Request, rule: BodyRule): Promise<Uint8Array | Failure> {
  const reader = request.body?.getReader();
  if (!reader) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return joined(chunks, length);
      length += value.length;
      if (length > rule.bytesMax) {
        void reader.cancel().catch(() => {});
        return tooLarge(rule);
      }
      chunks.push(value);
    }
  } catch {
    return incomplete();
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks;
  if (only && chunks.length === 1) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

const tooLarge = ({ bytesMax }: BodyRule): Failure =>
  failure('body_too_large', `At most ${bytesMax} bytes are read in one message. Send less at a time.`);

const incomplete = (): Failure =>
  failure('body_incomplete', 'The connection ended before the message did. Send it again.');
