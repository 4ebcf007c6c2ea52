// What is void: the part of a closed origin after its end.

import { expect, test } from 'vitest';
import { voidsOf, withoutVoid } from '../../src/storage/voids.ts';

test('B3 nobody has seen what is void: whoever heard of it, and whoever did not, tell the same of a record', () => {
  const voids = voidsOf({ 'a.1': 22, 'b.3': 0 }, []);
  expect(withoutVoid(voids, { 'a.1': 82, 'b.3': 7, 'c.1': 5 })).toEqual({ 'a.1': 22, 'c.1': 5 });
  expect(withoutVoid(voids, { 'a.1': 22, 'c.1': 5 })).toEqual({ 'a.1': 22, 'c.1': 5 });
  expect(withoutVoid(voids, { 'a.1': 21 })).toEqual({ 'a.1': 21 });
});
