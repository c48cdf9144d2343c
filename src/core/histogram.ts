/**
 * Counts durations in buckets that grow with the value: eight to each doubling, from 1 µs to over an
 * hour, so a percentile is right to within 6 % (below 8 µs, 1 µs). Buckets are made eight at a time, where values
 * fall. `perf_hooks` has one, but the core imports nothing, and the smallest of those takes 25 KB at 1 % (times 10,000
 * origins).
 *
 * What a request goes through is several durations at one origin, and of many origins each piece of memory that it is counted in
 * has left the caches by then. So several distributions share one array.
 */
import type { Msecs } from "./clock.ts";

const bucketsPerDoubling = 8;
/** So many buckets are made at once: durations of one kind at one origin are within few doublings. */
const blockSize = bucketsPerDoubling;

/**
 * The array begins with a head for each distribution: sum and greatest value; how many values were 0; and of its buckets, which are
 * those from `from` on, how many there are and where they stand.
 */
const sumAt = 0;
const maxAt = 1;
const zerosAt = 2;
const fromAt = 3;
const lengthAt = 4;
const startAt = 5;
const headSize = 6;

/** What `Histogram.summary` returns: durations in ms; all but `count` are null while nothing was recorded. */
export interface DurationSummary {
  readonly count: number;
  readonly mean: Msecs | null;
  readonly p50: Msecs | null;
  readonly p90: Msecs | null;
  readonly p99: Msecs | null;
  readonly max: Msecs | null;
}

/** Several distributions of durations side by side. */
export class Histograms {
  /** For `Histogram` alone. */
  cells: number[];

  /** So many, all empty. */
  constructor(size: number) {
    this.cells = emptyCells(size);
  }

  /** Forgets what was recorded, and the memory for it. */
  clearDurations(): void {
    this.cells = emptyCells(this.#size);
  }

  /** Counts all that is in `other`, which has as many, too. */
  addAll(other: Histograms): void {
    for (let which = 0; which < this.#size; which++) {
      new Histogram(this, which).add(new Histogram(other, which));
    }
  }

  /** Adds one duration to the distribution at `which`: see `Histogram.record`. */
  record(which: number, msecs: Msecs): void {
    const head = which * headSize;
    if (msecs === 0) {
      (this.cells[head + zerosAt] as number)++;
      return;
    }
    const index = this.bucket(which, bucketOf(msecs));
    const { cells } = this;
    (cells[index] as number)++;
    (cells[head + sumAt] as number) += msecs;
    if (msecs > (cells[head + maxAt] as number)) cells[head + maxAt] = msecs;
  }

  /** For `Histogram`: where in `cells` the count of `bucket` stands, which is made when it is not there. */
  bucket(which: number, bucket: number): number {
    const { cells } = this;
    const head = which * headSize;
    const offset = bucket - (cells[head + fromAt] as number);
    if (offset >= 0 && offset < (cells[head + lengthAt] as number)) {
      return (cells[head + startAt] as number) + offset;
    }
    this.#widen(head, bucket - (bucket % blockSize));
    return this.bucket(which, bucket);
  }

  get #size(): number {
    return headsOf(this.cells) / headSize;
  }

  /** Makes room for the block of buckets from `first` on, and for those between it and what is there. */
  #widen(head: number, first: number): void {
    const { cells } = this;
    const start = cells[head + startAt] as number;
    const length = cells[head + lengthAt] as number;
    const from = length === 0 ? first : (cells[head + fromAt] as number);
    const before = Math.max(from - first, 0);
    const after = Math.max(first + blockSize - from - length, 0);
    const added = before + after;
    this.cells = [
      ...cells.slice(0, start),
      ...new Array<number>(before).fill(0),
      ...cells.slice(start, start + length),
      ...new Array<number>(after).fill(0),
      ...cells.slice(start + length),
    ];
    this.cells[head + fromAt] = from - before;
    this.cells[head + lengthAt] = length + added;
    const heads = headsOf(cells);
    for (let later = head + headSize; later < heads; later += headSize) {
      (this.cells[later + startAt] as number) += added;
    }
  }
}

/** Distribution of durations. */
export class Histogram {
  readonly #all: Histograms;
  readonly #which: number;

  /** One of several, or one by itself. */
  constructor(all = new Histograms(1), which = 0) {
    this.#all = all;
    this.#which = which;
  }

  get count(): number {
    const { length, start } = this.#buckets;
    let count = this.#at(zerosAt);
    for (let index = 0; index < length; index++) count += this.#all.cells[start + index] as number;
    return count;
  }

  get max(): Msecs {
    return this.#at(maxAt);
  }

  get sum(): Msecs {
    return this.#at(sumAt);
  }

  /** Adds one duration. 0 counts as 0, else below 1 µs as 1 µs, above 71 minutes as that. */
  record(msecs: Msecs): void {
    this.#all.record(this.#which, msecs);
  }

  /** Counts all that is in `other`, too. */
  add(other: Histogram): void {
    const all = this.#all;
    const head = this.#which * headSize;
    const { from, length, start } = other.#buckets;
    for (let index = 0; index < length; index++) {
      const count = other.#all.cells[start + index] as number;
      if (count === 0) continue;
      const own = all.bucket(this.#which, from + index);
      (all.cells[own] as number) += count;
    }
    (all.cells[head + zerosAt] as number) += other.#at(zerosAt);
    (all.cells[head + sumAt] as number) += other.sum;
    all.cells[head + maxAt] = Math.max(this.max, other.max);
  }

  /** How many values are below `2 ** doubling` microseconds; exact, since a bucket ends there. */
  countBelow(doubling: number): number {
    const { from, length, start } = this.#buckets;
    let count = this.#at(zerosAt);
    const end = Math.min(doubling * bucketsPerDoubling - from, length);
    for (let index = 0; index < end; index++) count += this.#all.cells[start + index] as number;
    return count;
  }

  /** The duration that a share of the values does not exceed; `share` from 0 to 1. Null when empty. `zeros`: further values, all 0. */
  percentile(share: number, zeros = 0): Msecs | null {
    const count = this.count + zeros;
    if (count === 0) return null;
    let left = Math.max(Math.ceil(share * count), 1) - this.#at(zerosAt) - zeros;
    if (left <= 0) return 0;
    const { from, length, start } = this.#buckets;
    for (let index = 0; index < length; index++) {
      left -= this.#all.cells[start + index] as number;
      if (left <= 0) return Math.min(middleOf(from + index), this.max);
    }
    return this.max;
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

  get #buckets(): { readonly from: number; readonly length: number; readonly start: number } {
    return { from: this.#at(fromAt), length: this.#at(lengthAt), start: this.#at(startAt) };
  }

  #at(place: number): number {
    return this.#all.cells[this.#which * headSize + place] as number;
  }
}

/** The heads of so many distributions, with nothing in them. */
function emptyCells(size: number): number[] {
  const cells = new Array<number>(size * headSize).fill(0);
  for (let head = 0; head < cells.length; head += headSize) cells[head + startAt] = cells.length;
  return cells;
}

/** How many cells are those of heads: the buckets of the first distribution stand right behind them. */
function headsOf(cells: readonly number[]): number {
  return cells[startAt] as number;
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
