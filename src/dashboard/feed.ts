/**
 * Chooses what of many pools, connections and events goes into an update, so that its size is bounded. Pure.
 * Invariant: what is left out is counted.
 */
import { Histogram } from "../core/histogram.ts";
import { limits, type PoolUpdate, type Spread } from "./messages.ts";

/** How much a pool has to show. */
export interface Liveliness {
  readonly pending: number;
  readonly busy: number;
  readonly dialing: number;
  readonly open: number;
  /** Something happened to it since the update before. */
  readonly isActive: boolean;
  /** It was in the update before: a page that shows it should not lose it for a moment of rest. */
  readonly wasShown: boolean;
}

/** The higher, the sooner it is shown: what waits before what works, what works before what rests. */
export function scoreOf({ pending, busy, dialing, open, isActive, wasShown }: Liveliness): number {
  const load = 4 * pending + 2 * (busy + dialing) + open;
  return load / (load + 1) + (pending > 0 ? 2 : 0) + (isActive ? 1 : 0) + (wasShown ? 1.5 : 0);
}

/** The `count` items of the highest scores, in the order in which they came, also with their scores (`ranked`); in one pass, for there may be ten thousand. */
export function best<V>(items: Iterable<V>, count: number, score: (item: V) => number) {
  const kept: { readonly item: V; readonly score: number; readonly index: number }[] = [];
  let total = 0;
  let least = Number.NEGATIVE_INFINITY;
  for (const item of items) {
    const index = total++;
    const its = score(item);
    if (its <= least) continue;
    let at = kept.length;
    while (at > 0 && (kept[at - 1]?.score ?? 0) < its) at--;
    kept.splice(at, 0, { item, score: its, index });
    if (kept.length > count) kept.pop();
    if (kept.length === count) least = kept[count - 1]?.score ?? least;
  }
  const ranked = kept.toSorted((a, b) => a.index - b.index);
  return { chosen: ranked.map((each) => each.item), ranked, total };
}

/** How many lines each pool may show, when they have `open` connections: all where there is room, else in equal parts. */
export function shareLines(open: readonly number[]): number[] {
  const shares = open.map(() => 0);
  let left: number = limits.allLines;
  for (;;) {
    const wanting = open.flatMap((count, index) =>
      (shares[index] ?? 0) < Math.min(count, limits.lines) ? [index] : [],
    );
    const part = Math.floor(left / Math.max(wanting.length, 1));
    if (wanting.length === 0 || part === 0) return shares;
    for (const index of wanting) {
      const have = shares[index] ?? 0;
      const more = Math.min(part, Math.min(open[index] ?? 0, limits.lines) - have);
      shares[index] = have + more;
      left -= more;
    }
  }
}

/** Keeps the first so many of what comes, and counts all. */
export class Kept<V> {
  readonly items: V[] = [];
  count = 0;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** `make` is called only when there is room. */
  add(make: () => V): void {
    if (this.count++ < this.#most) this.items.push(make());
  }

  get leftOut(): number {
    return this.count - this.items.length;
  }
}

/** What counters of a pool say, and what they said at the update before. */
export interface Totals {
  readonly requests: number;
  readonly opened: number;
}

/** The growth of counters per second; null without an update before. */
export function ratesOf(
  now: Totals,
  before: Totals | null,
  sinceMsecs: number,
): Pick<PoolUpdate, "requestsPerSecond" | "openedPerSecond"> {
  if (before === null || sinceMsecs <= 0) return { requestsPerSecond: null, openedPerSecond: null };
  const perSecond = (count: number): number => (count * 1_000) / sinceMsecs;
  return {
    requestsPerSecond: perSecond(now.requests - before.requests),
    openedPerSecond: perSecond(now.opened - before.opened),
  };
}

const empty = new Histogram();

/** What was recorded. */
export function spreadOf(histogram: Histogram | null): Spread {
  const { count, p50, p99, max } = (histogram ?? empty).summary();
  return { count, p50: short(p50), p99: short(p99), max: short(max) };
}

/** Milliseconds to the hundredth: more digits only make a message longer. */
export function short<V extends number | null>(value: V): V {
  return (value === null ? null : Math.round(value * 100) / 100) as V;
}

/** An event in its wire format. */
export function eventText(name: "hello" | "update", content: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(content)}\n\n`;
}

/** The size that no update exceeds, in characters, with names of usual length: what the limits come to. */
export const largestUpdate = 256 * 1_024;
