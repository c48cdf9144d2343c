/**
 * What is measured of a virtual world as its time goes by: from the end of the warm-up on, and nothing before; but moves of
 * tuning from the beginning on.
 */
import type { Msecs } from "../core/clock.ts";
import type { TuningChange } from "../core/tuner.ts";
import type { Wire } from "./model.ts";
import { Series } from "./series.ts";

/** A move of tuning. */
export interface TimedChange extends TuningChange {
  /** From the beginning of the simulation on. */
  readonly atMsecs: Msecs;
}

/** So many are kept. */
const mostChanges = 1_000;

/** Measures one world. */
export class Meter {
  readonly series: Series;
  /** False during the warm-up. */
  isCounting: boolean;
  /** The most at once. */
  mostOpen = 0;
  mostIdle = 0;
  mostPending = 0;
  /** Moves of `tuning: "auto"`, the first ones. */
  readonly changes: TimedChange[] = [];
  readonly #countFrom: Msecs;

  /** A world that begins at `beginAt`, of which is counted what comes from `countFrom` on, in so many `points` of time at least. */
  constructor(beginAt: Msecs, countFrom: Msecs, points: number) {
    this.#countFrom = Math.max(countFrom, beginAt);
    this.isCounting = countFrom <= beginAt;
    this.series = new Series(this.#countFrom, points);
  }

  /** Until `at` there were so many sockets and pending requests. */
  advance(at: Msecs, open: number, idle: number, pending: number): void {
    if (!this.isCounting) {
      if (at < this.#countFrom) return;
      this.isCounting = true;
    }
    this.series.advance(at, open, idle, pending);
    if (open > this.mostOpen) this.mostOpen = open;
    if (idle > this.mostIdle) this.mostIdle = idle;
    if (pending > this.mostPending) this.mostPending = pending;
  }

  /** Tuning has moved a value. */
  tuned(change: TuningChange, atMsecs: Msecs): void {
    if (this.changes.length < mostChanges) this.changes.push({ atMsecs, ...change });
  }

  /** `wire` is idle no more, if it was. */
  wasIdle(wire: Wire, now: Msecs): void {
    if (wire.idleSince < 0) return;
    const from = Math.max(wire.idleSince, this.#countFrom);
    wire.idleSince = -1;
    if (this.isCounting) wire.model.idleMsecs += now - from;
  }

  /** `wire` is open no more, or what it was open for counts now. */
  wasOpen(wire: Wire, now: Msecs): void {
    const from = Math.max(wire.dialedAt, this.#countFrom);
    if (this.isCounting) wire.model.openMsecs += now - from;
  }
}
