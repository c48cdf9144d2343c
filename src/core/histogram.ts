/**
 * Counts durations in buckets that grow with the value: eight to each doubling, from 1 µs to over an
 * hour, so a percentile is right to within 6 % (below 8 µs, 1 µs) and a histogram takes one kilobyte.
 * `perf_hooks` has one, but the core imports nothing, and the smallest of those takes 25 KB at 1 %
 * (times 10,000 origins).
 */
import type { Msecs } from "./clock.ts";

const bucketsPerDoubling = 8;
const bucketCount = 32 * bucketsPerDoubling;

/** What `Histogram.summary` returns: durations in ms; all but `count` are null while nothing was recorded. */
export interface DurationSummary {
  readonly count: number;
  readonly mean: Msecs | null;
  readonly p50: Msecs | null;
  readonly p90: Msecs | null;
  readonly p99: Msecs | null;
  readonly max: Msecs | null;
}

/** Distribution of durations. */
export class Histogram {
  count = 0;
  max: Msecs = 0;
  #sum: Msecs = 0;
  /** Made with the first value: most pools of a crawler see one request. */
  #buckets: Uint32Array | null = null;

  /** Adds one duration. Below 1 µs counts as 1 µs, above 71 minutes as that. */
  record(msecs: Msecs): void {
    this.count++;
    this.#sum += msecs;
    if (msecs > this.max) this.max = msecs;
    this.#buckets ??= new Uint32Array(bucketCount);
    const bucket = bucketOf(msecs);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  /** The duration that a share of the values does not exceed; `share` from 0 to 1. Null when empty. */
  percentile(share: number): Msecs | null {
    if (this.#buckets === null) return null;
    let left = Math.max(Math.ceil(share * this.count), 1);
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      left -= this.#buckets[bucket] ?? 0;
      if (left <= 0) return Math.min(middleOf(bucket), this.max);
    }
    return this.max;
  }

  summary(): DurationSummary {
    if (this.count === 0)
      return { count: 0, mean: null, p50: null, p90: null, p99: null, max: null };
    return {
      count: this.count,
      mean: this.#sum / this.count,
      p50: this.percentile(0.5),
      p90: this.percentile(0.9),
      p99: this.percentile(0.99),
      max: this.max,
    };
  }
}

/** The doubling is the position of the highest bit of the microseconds, the rest the next three bits. */
function bucketOf(msecs: Msecs): number {
  const micros = Math.min(Math.max(msecs * 1000, 1), 0xffff_ffff) >>> 0;
  const doubling = 31 - Math.clz32(micros);
  const rest = doubling >= 3 ? (micros >>> (doubling - 3)) & 7 : (micros << (3 - doubling)) & 7;
  return doubling * bucketsPerDoubling + rest;
}

/** The value that is as far, in proportion, from both ends of the bucket: at most 1/17 of it. */
function middleOf(bucket: number): Msecs {
  const step = 2 ** Math.floor(bucket / bucketsPerDoubling) / bucketsPerDoubling;
  const low = (bucketsPerDoubling + (bucket % bucketsPerDoubling)) * step;
  const high = low + step;
  return (2 * low * high) / (low + high) / 1000;
}
