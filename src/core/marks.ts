/**
 * High and low-water marks between the looks of several readers, each of whom has marks of its own since it last looked.
 * Invariant: a mark is of a state in which the core was settled for the moment: what only passes from one request to the next
 * is no low, and what is refused at once no high.
 */
import type { Budget } from "./budget.ts";
import type { Lane } from "./lane.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pools } from "./pools.ts";

/** The least and the most of something since a reader last looked, both ends included. */
export interface Extent {
  readonly low: number;
  readonly high: number;
}

/** Sockets and requests of an origin, a service or a client. */
export interface MarkedCounts {
  readonly open: Extent;
  readonly idle: Extent;
  readonly busy: Extent;
  /** Requests that wait. */
  readonly pending: Extent;
}

interface Window {
  leastOpen: number;
  mostOpen: number;
  leastIdle: number;
  mostIdle: number;
  leastBusy: number;
  mostBusy: number;
  leastPending: number;
  mostPending: number;
}

/** The marks of one budget, for each reader. */
export class Marks {
  readonly #windows = new Map<object, Window>();

  /** It is so now. */
  note(open: number, idle: number, busy: number, pending: number): void {
    for (const window of this.#windows.values()) {
      if (open < window.leastOpen) window.leastOpen = open;
      if (open > window.mostOpen) window.mostOpen = open;
      if (idle < window.leastIdle) window.leastIdle = idle;
      if (idle > window.mostIdle) window.mostIdle = idle;
      if (busy < window.leastBusy) window.leastBusy = busy;
      if (busy > window.mostBusy) window.mostBusy = busy;
      if (pending < window.leastPending) window.leastPending = pending;
      if (pending > window.mostPending) window.mostPending = pending;
    }
  }

  /** The marks of `reader`, which begin anew with what is so now. */
  take(reader: object, open: number, idle: number, busy: number, pending: number): MarkedCounts {
    this.note(open, idle, busy, pending);
    const window = this.#windows.get(reader);
    this.#windows.set(reader, {
      leastOpen: open,
      mostOpen: open,
      leastIdle: idle,
      mostIdle: idle,
      leastBusy: busy,
      mostBusy: busy,
      leastPending: pending,
      mostPending: pending,
    });
    return {
      open: { low: window?.leastOpen ?? open, high: window?.mostOpen ?? open },
      idle: { low: window?.leastIdle ?? idle, high: window?.mostIdle ?? idle },
      busy: { low: window?.leastBusy ?? busy, high: window?.mostBusy ?? busy },
      pending: { low: window?.leastPending ?? pending, high: window?.mostPending ?? pending },
    };
  }

  /** `reader` looks no more. */
  forget(reader: object): void {
    this.#windows.delete(reader);
  }
}

/** High-water marks of a lane, over all its origins. */
export interface LaneHighs {
  /** Requests under way. */
  readonly busy: number;
  /** Requests that waited. */
  readonly pending: number;
}

/** The marks of one lane, for each reader. */
export class LaneMarks {
  readonly #windows = new Map<object, { busy: number; pending: number }>();

  /** It is so now. */
  note(busy: number, pending: number): void {
    for (const window of this.#windows.values()) {
      if (busy > window.busy) window.busy = busy;
      if (pending > window.pending) window.pending = pending;
    }
  }

  /** The marks of `reader`, which begin anew with what is so now. */
  take(reader: object, busy: number, pending: number): LaneHighs {
    const window = this.#windows.get(reader) ?? { busy, pending };
    this.#windows.set(reader, { busy, pending });
    return window;
  }

  /** `reader` looks no more. */
  forget(reader: object): void {
    this.#windows.delete(reader);
  }
}

/** Who reads marks of the pools of one client. */
export class Marking<R extends PendingRequest, T> {
  readonly #readers = new Set<object>();

  /** `reader` has marks from now on. */
  begin(reader: object, pools: Pools<R, T>): void {
    this.#readers.add(reader);
    for (const budget of budgetsOf(pools)) this.ofBudget(budget, reader);
    for (const { lanes } of pools.services)
      for (const lane of lanes.values()) this.ofLane(lane, reader);
  }

  /** A budget has come, in which nothing is open: it has marks from its beginning. */
  watch(budget: Budget<R, T>): void {
    for (const reader of this.#readers) this.ofBudget(budget, reader);
  }

  /** The marks of `budget` since `reader` last took them. */
  ofBudget(budget: Budget<R, T>, reader: object): MarkedCounts {
    budget.marks ??= new Marks();
    const { marks, open, idleCount, busy, pending } = budget;
    return marks.take(reader, open, idleCount, busy, pending);
  }

  /** The marks of `lane` since `reader` last took them. */
  ofLane(lane: Lane<R, T>, reader: object): LaneHighs {
    lane.marks ??= new LaneMarks();
    return lane.marks.take(reader, lane.held, lane.pending);
  }

  /** `reader` has none any more. Returns whether nobody has. */
  end(reader: object, pools: Pools<R, T>): boolean {
    this.#readers.delete(reader);
    const isOver = this.#readers.size === 0;
    for (const budget of budgetsOf(pools)) {
      budget.marks?.forget(reader);
      if (isOver) budget.marks = null;
    }
    for (const { lanes } of pools.services) {
      for (const lane of lanes.values()) {
        lane.marks?.forget(reader);
        if (isOver) lane.marks = null;
      }
    }
    return isOver;
  }
}

function* budgetsOf<R extends PendingRequest, T>(pools: Pools<R, T>): Iterable<Budget<R, T>> {
  yield pools.budget;
  for (const { budget } of pools.services) yield budget;
  for (const { budget } of pools.all) yield budget;
}
