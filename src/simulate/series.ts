/**
 * What happened when: a bounded number of steps of equal length, whose length doubles when there would be more of them.
 * So a minute and a year take the same memory, and nothing need be known of how long a simulation will be.
 */
import type { Msecs } from "../core/clock.ts";

/** Columns of the same length, one entry a step. */
export interface TimeSeries {
  /** Length of a step in ms; the first one begins when the measurement does. */
  readonly stepMsecs: Msecs;
  /** Requests that were made. */
  readonly requests: readonly number[];
  /** Connections that were opened. */
  readonly opened: readonly number[];
  /** Connections that were closed, by whichever side. */
  readonly closed: readonly number[];
  /** Requests that got an error. */
  readonly failed: readonly number[];
  /** Sockets, those being dialed included: mean over the step. */
  readonly open: readonly number[];
  /** Of these, idle ones: mean over the step. */
  readonly idle: readonly number[];
  /** Requests that waited for a connection: mean over the step. */
  readonly pending: readonly number[];
  /** Requests that waited for a connection: the most at once. */
  readonly mostPending: readonly number[];
}

const counts = ["requests", "opened", "closed", "failed"] as const;
const levels = ["open", "idle", "pending"] as const;
type Column = (typeof counts)[number] | (typeof levels)[number] | "mostPending";

/** A series that grows. */
export class Series {
  readonly #columns: Record<Column, Float64Array>;
  readonly #most: number;
  #startAt: Msecs;
  #stepMsecs: Msecs;
  /** The present step, and where it ends. */
  #index = 0;
  #endAt: Msecs;
  #lastAt: Msecs;

  /** From `startAt` on, in `points` to twice as many steps, unless it is over sooner than that many ms. */
  constructor(startAt: Msecs, points: number) {
    this.#most = 2 * points;
    const column = (): Float64Array => new Float64Array(this.#most);
    this.#columns = {
      requests: column(),
      opened: column(),
      closed: column(),
      failed: column(),
      open: column(),
      idle: column(),
      pending: column(),
      mostPending: column(),
    };
    this.#startAt = this.#lastAt = startAt;
    this.#stepMsecs = 1;
    this.#endAt = startAt + 1;
  }

  /** Until `now` there were so many. */
  advance(now: Msecs, open: number, idle: number, pending: number): void {
    while (now > this.#endAt) {
      this.#add(this.#endAt - this.#lastAt, open, idle, pending);
      this.#lastAt = this.#endAt;
      if (++this.#index === this.#most) this.#halve();
      this.#endAt = this.#startAt + (this.#index + 1) * this.#stepMsecs;
    }
    this.#add(now - this.#lastAt, open, idle, pending);
    this.#lastAt = now;
  }

  /** One more of `column`, now. */
  count(column: (typeof counts)[number]): void {
    const values = this.#columns[column];
    values[this.#index] = (values[this.#index] as number) + 1;
  }

  /** What was seen so far. */
  get summary(): TimeSeries {
    const length = this.#index + 1;
    const round = (value: number): number => Math.round(value * 1_000) / 1_000;
    const listed = (column: Column): number[] => [...this.#columns[column].subarray(0, length)];
    const means = (column: Column): number[] =>
      listed(column).map((sum, index) => {
        const endAt = Math.min(this.#lastAt, this.#startAt + (index + 1) * this.#stepMsecs);
        const msecs = endAt - (this.#startAt + index * this.#stepMsecs);
        return msecs > 0 ? round(sum / msecs) : 0;
      });
    return {
      stepMsecs: this.#stepMsecs,
      requests: listed("requests"),
      opened: listed("opened"),
      closed: listed("closed"),
      failed: listed("failed"),
      open: means("open"),
      idle: means("idle"),
      pending: means("pending"),
      mostPending: listed("mostPending"),
    };
  }

  #add(msecs: Msecs, open: number, idle: number, pending: number): void {
    const { open: opens, idle: idles, pending: pendings, mostPending } = this.#columns;
    const index = this.#index;
    opens[index] = (opens[index] as number) + open * msecs;
    idles[index] = (idles[index] as number) + idle * msecs;
    if (pending === 0) return;
    pendings[index] = (pendings[index] as number) + pending * msecs;
    if (pending > (mostPending[index] as number)) mostPending[index] = pending;
  }

  /** Two steps become one. */
  #halve(): void {
    const half = this.#most / 2;
    for (const [name, values] of Object.entries(this.#columns)) {
      for (let index = 0; index < half; index++) {
        const one = values[2 * index] as number;
        const other = values[2 * index + 1] as number;
        values[index] = name === "mostPending" ? Math.max(one, other) : one + other;
      }
      values.fill(0, half);
    }
    this.#stepMsecs *= 2;
    this.#index = half;
  }
}
