// Who makes room where places are few: of those who hold most of them, the one that came first.

/** Undefined where there is nobody. `keyOf`: by whom places are counted. */
export function firstOfMost<Place>(places: Iterable<Place>, keyOf: (place: Place) => string): Place | undefined {
  let most: Place[] = [];
  for (const held of Map.groupBy(places, keyOf).values()) if (held.length > most.length) most = held;
  return most[0];
}
