/**
 * Counts durations in buckets that grow with the value: eight to each doubling, from 1 µs to over an
 * hour, so a percentile is right to within 6 % (below 8 µs, 1 µs). Buckets are made sixteen at a time, where values
 * fall: a histogram takes some two hundred bytes. `perf_hooks` has one, but the core imports nothing, and the smallest
 * of those takes 25 KB at 1 % (times 10,000 origins).
 */
import type { Msecs } from "./clock.ts";

const bucketsPerDoubling = 8;
/** Two doublings: so many buckets are made at once. */
const blockSize = 16;
const noCounts = new Array<number>(blockSize).fill(0);

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
  #zeroCount = 0;
  /** Of buckets from `#from` on, where values have fallen; null before the first one. */
  #counts: number[] | null = null;
  #from = 0;

  /** Adds one duration. 0 counts as 0, else below 1 µs as 1 µs, above 71 minutes as that. */
  record(msecs: Msecs): void {
    this.count++;
    // Most waits are none, and of many origins there are many histograms: nothing more is touched then.
    if (msecs === 0) {
      this.#zeroCount++;
      return;
    }
    this.#sum += msecs;
    if (msecs > this.max) this.max = msecs;
    const bucket = bucketOf(msecs);
    const counts = this.#counts;
    const index = bucket - this.#from;
    if (counts === null || index < 0 || index >= counts.length) this.#widen(bucket);
    else counts[index] = (counts[index] as number) + 1;
  }

  /** The duration that a share of the values does not exceed; `share` from 0 to 1. Null when empty. */
  percentile(share: number): Msecs | null {
    if (this.count === 0) return null;
    let left = Math.max(Math.ceil(share * this.count), 1) - this.#zeroCount;
    if (left <= 0 || this.#counts === null) return 0;
    for (const [index, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(middleOf(this.#from + index), this.max);
    }
    return this.max;
  }

  /** The first value in `bucket`, and around it. */
  #widen(bucket: number): void {
    const first = bucket - (bucket % blockSize);
    let counts = this.#counts;
    if (counts === null) {
      counts = [...noCounts];
      this.#from = first;
    }
    while (first < this.#from) {
      counts = [...noCounts, ...counts];
      this.#from -= blockSize;
    }
    while (bucket >= this.#from + counts.length) counts = [...counts, ...noCounts];
    this.#counts = counts;
    counts[bucket - this.#from] = (counts[bucket - this.#from] as number) + 1;
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
