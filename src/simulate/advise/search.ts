/**
 * Looks for the setting that costs least: a coarse grid first, then along each option from the best of it, in ever
 * smaller steps. Invariant: no setting is simulated twice.
 */
import type { Msecs } from "../../core/clock.ts";

/** What is chosen. */
export interface Point {
  readonly maxSockets: number;
  readonly maxFreeSockets: number;
  readonly keepAliveMsecs: Msecs;
}

/** The names, in the order in which they are changed. */
export const options = ["maxSockets", "maxFreeSockets", "keepAliveMsecs"] as const;

/** Where is looked. */
export interface Bounds {
  /** The most sockets that were ever needed at once. */
  readonly mostOpen: number;
  /** Sockets that are in use on average: fewer cannot carry the load. */
  readonly meanBusy: number;
  /** No connection is kept idle for longer. */
  readonly longestMsecs: Msecs;
}

const keepAlives = [250, 1_000, 4_000, 15_000, 60_000];
/** How often it goes through the options, at most. */
const mostRounds = 5;

/** The points of the grid. */
export function gridOf({ mostOpen, meanBusy, longestMsecs }: Bounds): Point[] {
  const least = Math.max(Math.floor(meanBusy) + 1, 1);
  const sockets = spread(Math.min(least, mostOpen), mostOpen, 4);
  const free = spread(1, mostOpen, 5);
  const times = [...keepAlives.filter((each) => each < longestMsecs), longestMsecs];
  const points: Point[] = [];
  for (const maxSockets of sockets) {
    for (const maxFreeSockets of free) {
      // More idle sockets than sockets are as many as these.
      if (maxFreeSockets > maxSockets && maxFreeSockets !== free.find((each) => each >= maxSockets))
        continue;
      for (const keepAliveMsecs of times) {
        points.push({
          maxSockets,
          maxFreeSockets: Math.min(maxFreeSockets, maxSockets),
          keepAliveMsecs,
        });
      }
    }
  }
  return points;
}

/**
 * The point of least cost that is found. `costOf` is asked once for each point.
 */
export async function search(
  bounds: Bounds,
  costOf: (point: Point) => Promise<number>,
  starts: readonly Point[],
): Promise<Point> {
  const known = new Map<string, number>();
  const cost = async (point: Point): Promise<number> => {
    const key = keyOf(point);
    const found = known.get(key) ?? (await costOf(point));
    known.set(key, found);
    return found;
  };
  let best: Point | null = null;
  const tries = async (points: readonly Point[]): Promise<boolean> => {
    let hasChanged = false;
    for (const each of points) {
      if (best !== null && (await cost(each)) >= (await cost(best))) continue;
      best = each;
      hasChanged = true;
    }
    return hasChanged;
  };
  await tries([...starts, ...gridOf(bounds)]);
  let factor = 1.5;
  for (let round = 0; round < mostRounds; round++) {
    let hasChanged = false;
    for (const option of options) {
      const from = best as unknown as Point;
      hasChanged = (await tries(neighbours(from, option, factor, bounds))) || hasChanged;
    }
    if (!hasChanged && factor < 1.1) break;
    if (!hasChanged) factor = 1 + (factor - 1) / 3;
  }
  return best as unknown as Point;
}

/** Points around `point` that might do the same with less: all sizes and times for its number of sockets, and one socket more or less. */
export function rivalsOf(point: Point, { mostOpen, longestMsecs }: Bounds): Point[] {
  const { maxSockets } = point;
  const free = spread(1, Math.max(Math.min(maxSockets, mostOpen), 1), 6);
  const times = [500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, longestMsecs];
  const around = free.flatMap((maxFreeSockets) =>
    times
      .filter((each) => each <= longestMsecs)
      .map((keepAliveMsecs) => ({ maxSockets, maxFreeSockets, keepAliveMsecs })),
  );
  const beside = [maxSockets - 1, maxSockets + 1]
    .filter((each) => each >= 1 && each <= mostOpen)
    .map((each) => ({ ...point, maxSockets: each }));
  return [...around, ...beside];
}

/** Text that is the same for the same point. */
export function keyOf(point: Point): string {
  return options.map((each) => point[each]).join(" ");
}

function neighbours(
  point: Point,
  option: (typeof options)[number],
  factor: number,
  { mostOpen, longestMsecs }: Bounds,
): Point[] {
  const value = point[option];
  const isTime = option === "keepAliveMsecs";
  const most = isTime ? longestMsecs : option === "maxSockets" ? mostOpen : point.maxSockets;
  const least = 1;
  const values = isTime
    ? [roundTime(value / factor), roundTime(value * factor)]
    : [value - 1, value + 1, Math.round(value / factor), Math.round(value * factor)];
  return [...new Set(values)]
    .filter((each) => each !== value && each >= least && each <= most)
    .map((each) => ({ ...point, [option]: each }))
    .map((each) => ({ ...each, maxFreeSockets: Math.min(each.maxFreeSockets, each.maxSockets) }));
}

/** Two digits are as fine as a timeout needs to be. */
function roundTime(msecs: Msecs): Msecs {
  return Math.max(Number(msecs.toPrecision(2)), 1);
}

/** Whole numbers from `least` to `most`, by proportion. */
function spread(least: number, most: number, count: number): number[] {
  const values = Array.from({ length: count }, (_, index) =>
    Math.round(least * (most / least) ** (index / (count - 1))),
  );
  return [...new Set(values)];
}
