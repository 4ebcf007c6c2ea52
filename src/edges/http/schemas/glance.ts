// Says at a glance of most messages that their schema would let them pass as they are: what a till sends all day need not
// be taken apart and put together again. In doubt it says no, and the schema decides.

import { z } from '@hono/zod-openapi';

export type Glance = (value: unknown) => boolean;

const glances = new WeakMap<object, Glance>();

/** `glance` must hold only for values that the schema returns as they are. */
export function withGlance<Schema extends z.ZodType>(schema: Schema, glance: Glance): Schema {
  glances.set(schema, glance);
  return schema;
}

export const isTextUpTo =
  (charsMax: number): Glance =>
  (value) =>
    typeof value === 'string' && value.length <= charsMax;

export const isListOf =
  (item: Glance, itemsMax: number): Glance =>
  (value) =>
    Array.isArray(value) && value.length <= itemsMax && value.every(item);

/** For a loose object: its members one by one, others than it names as they please. With any of `refused`: no. */
export function objectGlance(schema: z.ZodObject, refused: Iterable<string> = []): Glance {
  const members = new Map<string, Glance>();
  const required: string[] = [];
  for (const [name, member] of Object.entries(schema.shape)) {
    const isOptional = member instanceof z.ZodOptional;
    // A default fills in what is missing, so without it the value would not stay as it is.
    const inner = isOptional || member instanceof z.ZodDefault ? member.def.innerType : member;
    members.set(name, glances.get(inner) ?? never);
    if (!isOptional) required.push(name);
  }
  for (const name of refused) members.set(name, never);
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    for (const name in value) {
      const glance = members.get(name);
      if (glance && !glance((value as Record<string, unknown>)[name])) return false;
    }
    return required.every((name) => name in value);
  };
}

const never: Glance = () => false;
