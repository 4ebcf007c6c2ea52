// Which place in the stream a time stands for, for whoever polls with a time instead of a cursor. Times told here never go
// back, and what is said after a time was told has a later one: so nothing is skipped, whatever the clock does.

import { liveMomentMs, liveMomentsMax, liveQueueMs } from '../core/limits.ts';

/** What stands after the moment before, and up to `place`, was stamped with `time`, and happened by `until`. */
type Moment<Place> = { readonly time: number; until: number; place: Place };

export type Times<Place> = {
  /** For what happens now and stands just before `place`; Unix milliseconds. */
  stamp(place: Place): number;
  /** Whoever is told something now, and of now: all that comes later is stamped later. */
  tell(): number;
  /** Everything that was stamped later than `time` stands after it; undefined where that is not known any more. */
  placeAt(time: number): Place | undefined;
};

/** `start`: where the stream stands now; nothing is known of what was before. */
export function createTimes<Place>(now: () => number, start: Place): Times<Place> {
  const moments: Moment<Place>[] = [{ time: Math.trunc(now()), until: Math.trunc(now()), place: start }];
  let told = moments[0]?.time ?? 0;

  return {
    stamp(place) {
      const last = moments.at(-1);
      const time = Math.max(Math.trunc(now()), told + 1, last?.until ?? 0);
      if (last && last.time > told && time - last.time < liveMomentMs) {
        last.place = place;
        last.until = time;
        return last.time;
      }
      moments.push({ time, until: time, place });
      while (moments.length > liveMomentsMax || (moments.length > 1 && time - (moments[0]?.time ?? 0) > liveQueueMs)) {
        moments.shift();
      }
      return time;
    },
    tell() {
      told = Math.max(told, Math.trunc(now()), moments.at(-1)?.until ?? 0);
      return told;
    },
    placeAt(time) {
      let low = 0;
      let high = moments.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((moments[middle]?.time ?? 0) > time) high = middle;
        else low = middle + 1;
      }
      // Some of the last one may have happened later than that: rather told again than never.
      const isWhole = (moments[low - 1]?.until ?? 0) <= time;
      return moments[isWhole ? low - 1 : low - 2]?.place;
    },
  };
}
