/**
 * Counts durations in buckets that grow with the value: eight to each doubling, from 1 µs to over an
 * hour, so a percentile is right to within 6 % (below 8 µs, 1 µs). Buckets are made eight at a time, where values
 * fall. `perf_hooks` has one, but the core imports nothing, and the smallest of those takes 25 KB at 1 % (times 10,000
 * origins).
 *
 * Of many origins there are many histograms, which have left the caches when a request ends: to wait for each in turn took a
 * twentieth of a request. So what is recorded is noted first, and counted with others, whose memory is then fetched at the same time.
 * Invariant: whoever asks is told of all that was recorded.
 */
import type { Msecs } from "./clock.ts";

const bucketsPerDoubling = 8;
/** So many buckets are made at once: durations of one kind at one origin are within few doublings. */
const blockSize = bucketsPerDoubling;
const noCounts = new Array<number>(blockSize).fill(0);
/** Where the sum and the greatest value stand, before the buckets. */
const sumAt = 0;
const maxAt = 1;
const firstBucketAt = 2;

/** So many are noted before they are counted. */
const mostNoted = 256;
/** What was recorded and is not counted yet: where, and how long. */
const notedFor: Histogram[] = [];
const notedMsecs = new Float64Array(mostNoted);
let notedCount = 0;

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
  #count = 0;
  #zeroCount = 0;
  /** Sum, greatest value, and the counts of buckets from `#from` on, where values have fallen; null before the first one. */
  #cells: number[] | null = null;
  #from = 0;

  get count(): number {
    Histogram.#countNoted();
    return this.#count;
  }

  get max(): Msecs {
    Histogram.#countNoted();
    return this.#cells?.[maxAt] ?? 0;
  }

  get sum(): Msecs {
    Histogram.#countNoted();
    return this.#cells?.[sumAt] ?? 0;
  }

  /** Adds one duration. 0 counts as 0, else below 1 µs as 1 µs, above 71 minutes as that. */
  record(msecs: Msecs): void {
    notedFor[notedCount] = this;
    notedMsecs[notedCount++] = msecs;
    if (notedCount === mostNoted) Histogram.#countNoted();
  }

  static #countNoted(): void {
    for (let index = 0; index < notedCount; index++) {
      (notedFor[index] as Histogram).#add(notedMsecs[index] as Msecs);
    }
    notedCount = 0;
  }

  #add(msecs: Msecs): void {
    this.#count++;
    if (msecs === 0) {
      this.#zeroCount++;
      return;
    }
    const bucket = bucketOf(msecs);
    const cells = this.#cellsFor(bucket);
    const index = firstBucketAt + bucket - this.#from;
    cells[index] = (cells[index] as number) + 1;
    cells[sumAt] = (cells[sumAt] as number) + msecs;
    if (msecs > (cells[maxAt] as number)) cells[maxAt] = msecs;
  }

  /** Counts all that is in `other`, too. */
  add(other: Histogram): void {
    Histogram.#countNoted();
    this.#count += other.#count;
    this.#zeroCount += other.#zeroCount;
    const cells = other.#cells;
    if (cells === null) return;
    for (let index = firstBucketAt; index < cells.length; index++) {
      const count = cells[index] as number;
      if (count === 0) continue;
      const bucket = other.#from + index - firstBucketAt;
      const own = this.#cellsFor(bucket);
      const at = firstBucketAt + bucket - this.#from;
      own[at] = (own[at] as number) + count;
    }
    const own = this.#cells;
    if (own === null) return;
    own[sumAt] = (own[sumAt] as number) + (cells[sumAt] as number);
    own[maxAt] = Math.max(own[maxAt] as number, cells[maxAt] as number);
  }

  /** How many values are below `2 ** doubling` microseconds; exact, since a bucket ends there. */
  countBelow(doubling: number): number {
    Histogram.#countNoted();
    const cells = this.#cells;
    let count = this.#zeroCount;
    if (cells === null) return count;
    const end = firstBucketAt + doubling * bucketsPerDoubling - this.#from;
    for (let index = firstBucketAt; index < Math.min(end, cells.length); index++) {
      count += cells[index] as number;
    }
    return count;
  }

  /** The duration that a share of the values does not exceed; `share` from 0 to 1. Null when empty. `zeros`: further values, all 0. */
  percentile(share: number, zeros = 0): Msecs | null {
    const count = this.count + zeros;
    if (count === 0) return null;
    let left = Math.max(Math.ceil(share * count), 1) - this.#zeroCount - zeros;
    const cells = this.#cells;
    if (left <= 0 || cells === null) return 0;
    for (let index = firstBucketAt; index < cells.length; index++) {
      left -= cells[index] as number;
      if (left <= 0) return Math.min(middleOf(this.#from + index - firstBucketAt), this.max);
    }
    return this.max;
  }

  /** Cells with room for `bucket`. */
  #cellsFor(bucket: number): number[] {
    const cells = this.#cells;
    const index = firstBucketAt + bucket - this.#from;
    const hasRoom = cells !== null && index >= firstBucketAt && index < cells.length;
    return hasRoom ? cells : this.#widened(bucket);
  }

  #widened(bucket: number): number[] {
    const first = bucket - (bucket % blockSize);
    if (this.#cells === null) this.#from = first;
    const [sum = 0, max = 0, ...known] = this.#cells ?? [0, 0, ...noCounts];
    let counts = known;
    while (first < this.#from) {
      counts = [...noCounts, ...counts];
      this.#from -= blockSize;
    }
    while (bucket >= this.#from + counts.length) counts = [...counts, ...noCounts];
    this.#cells = [sum, max, ...counts];
    return this.#cells;
  }

  /** All of it; `zeros`: with further values, all 0. */
  summary(zeros = 0): DurationSummary {
    const count = this.count + zeros;
    if (count === 0) return { count, mean: null, p50: null, p90: null, p99: null, max: null };
    return {
      count,
      mean: this.sum / count,
      p50: this.percentile(0.5, zeros),
      p90: this.percentile(0.9, zeros),
      p99: this.percentile(0.99, zeros),
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
