/**
 * A distribution of latencies in bounded memory, however many there are: 128 buckets to a doubling, so that a
 * percentile is right to half a percent (the core's own histogram has 8, since there are thousands of it).
 * Also corrects for coordinated omission: what a sender that waits for each answer does not ask while one is late.
 */
import type { Msecs } from "../../core/clock.ts";

const cellsPerDoubling = 128;
const mostMicros = 0xffff_ffff;
/** Points of a curve to each power of ten. */
const curveSteps = 10;

/** What a distribution says in short; all but `count` are null when there is none. In ms. */
export interface LatencySummary {
  readonly count: number;
  readonly meanMsecs: Msecs | null;
  readonly p50Msecs: Msecs | null;
  readonly p75Msecs: Msecs | null;
  readonly p90Msecs: Msecs | null;
  readonly p95Msecs: Msecs | null;
  readonly p99Msecs: Msecs | null;
  readonly p999Msecs: Msecs | null;
  readonly maxMsecs: Msecs | null;
}

/** Distribution of latencies. */
export class Latencies {
  count = 0;
  /** Counts by cell, as many as values have needed so far. */
  readonly #cells: number[] = [];
  #sumMicros = 0;
  #maxMicros = 0;

  /** Adds one: to the microsecond, above 71 minutes as that. */
  record(msecs: Msecs): void {
    this.#add(Math.min(Math.max(Math.round(msecs * 1_000), 0), mostMicros), 1);
  }

  /** Adds all of another one. */
  merge(other: Latencies): void {
    other.#cells.forEach((count, cell) => {
      if (count > 0) this.#count(cell, count);
    });
    this.#sumMicros += other.#sumMicros;
    this.#maxMicros = Math.max(this.#maxMicros, other.#maxMicros);
  }

  /** The latency that a share of the values does not exceed; `share` from 0 to 1. Null when empty. */
  percentile(share: number): Msecs | null {
    if (this.count === 0) return null;
    let left = Math.max(Math.ceil(share * this.count), 1);
    for (let cell = 0; cell < this.#cells.length; cell++) {
      left -= this.#cells[cell] ?? 0;
      if (left <= 0) return Math.min(middleOf(cell), this.#maxMicros) / 1_000;
    }
    return this.#maxMicros / 1_000;
  }

  /** All of it, in short. */
  summary(): LatencySummary {
    const { count } = this;
    return {
      count,
      meanMsecs: count === 0 ? null : this.#sumMicros / count / 1_000,
      p50Msecs: this.percentile(0.5),
      p75Msecs: this.percentile(0.75),
      p90Msecs: this.percentile(0.9),
      p95Msecs: this.percentile(0.95),
      p99Msecs: this.percentile(0.99),
      p999Msecs: this.percentile(0.999),
      maxMsecs: count === 0 ? null : this.#maxMicros / 1_000,
    };
  }

  /**
   * Latency by percentile, drawn towards the slow ones: the value at `i` is not exceeded by a share of `1 - 10 ** (-i / 10)`, so
   * that the first is the least, that at 10 is p90, at 20 p99, at 30 p99.9. It ends before the greatest; empty when there is none.
   */
  curve(): Msecs[] {
    const points = Math.ceil(Math.log10(this.count) * curveSteps);
    return Array.from({ length: Math.max(points, 0) }, (_, index) =>
      this.percentile(1 - 10 ** (-index / curveSteps)),
    ).filter((each) => each !== null);
  }

  /**
   * As if each sender had gone on asking every `intervalMsecs` while it waited: a value of several intervals brings
   * those with it that would have begun meanwhile, each an interval shorter (as HdrHistogram does it). The
   * same distribution when the interval is not above 0.
   */
  corrected(intervalMsecs: Msecs): Latencies {
    const result = new Latencies();
    const interval = intervalMsecs * 1_000;
    this.#cells.forEach((count, cell) => {
      if (count === undefined || count === 0) return;
      const value = Math.min(middleOf(cell), this.#maxMicros);
      result.#add(value, count);
      if (!(interval > 0) || value < 2 * interval) return;
      // By cells and not one by one: a stall of a minute may stand for a million of them.
      for (let at = cellOf(interval); at <= cellOf(value - interval); at++) {
        const low = Math.max(lowOf(at), interval);
        const from = Math.max(0, Math.floor((value - lowOf(at + 1)) / interval));
        const missing = Math.floor((value - low) / interval) - from;
        if (missing > 0) result.#add(middleOf(at), missing * count);
      }
    });
    return result;
  }

  #count(cell: number, count: number): void {
    while (this.#cells.length <= cell) this.#cells.push(0);
    this.#cells[cell] = (this.#cells[cell] ?? 0) + count;
    this.count += count;
  }

  #add(micros: number, count: number): void {
    this.#count(cellOf(micros), count);
    this.#sumMicros += micros * count;
    if (micros > this.#maxMicros) this.#maxMicros = micros;
  }
}

/** The cell of a whole or broken number of microseconds. Up to 256 there is one for each. */
function cellOf(micros: number): number {
  const whole = Math.floor(micros);
  const shift = Math.max(0, 31 - Math.clz32(whole) - 7);
  return shift * cellsPerDoubling + Math.floor(whole / 2 ** shift);
}

/** The least value of a cell. */
function lowOf(cell: number): number {
  if (cell < 2 * cellsPerDoubling) return cell;
  const shift = Math.floor(cell / cellsPerDoubling) - 1;
  return ((cell % cellsPerDoubling) + cellsPerDoubling) * 2 ** shift;
}

function middleOf(cell: number): number {
  const low = lowOf(cell);
  const high = lowOf(cell + 1) - 1;
  return (low + high) / 2;
}
