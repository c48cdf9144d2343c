/**
 * Who waits for a budget that several pools share: lanes of pools, each with one entry.
 * Invariant: first is who may have the next place now; who must leave it to a reservation is passed by.
 */
import type { FairOrder } from "./fair-order.ts";
import { Heap } from "./heap.ts";
import type { Lane } from "./lane.ts";
import type { PendingRequest } from "./pending.ts";
import type { PoolLane } from "./pool-lane.ts";

/** The line of one budget. */
export interface Line<R extends PendingRequest, T> {
  /** Entries; some may have ended without saying so. */
  readonly size: number;
  /** Puts `lane` in, or moves it: its longest wait began with the request of this `sequence`. */
  place(lane: PoolLane<R, T>, sequence: number): void;
  remove(lane: PoolLane<R, T>): void;
  /** Who is next; null when nobody waits, or none may have a place. */
  first(): PoolLane<R, T> | null;
  /** All entries, in no order. */
  entries(): PoolLane<R, T>[];
  /** True when somebody is to have a place before `lane`, which may stand in the line or not. */
  hasBefore(lane: PoolLane<R, T>): boolean;
}

/** Longest wait first. */
export class ArrivalLine<R extends PendingRequest, T> implements Line<R, T> {
  readonly #heap = new Heap<PoolLane<R, T>>();

  get size(): number {
    return this.#heap.size;
  }

  place(lane: PoolLane<R, T>, sequence: number): void {
    this.#heap.place(lane, sequence);
  }

  remove(lane: PoolLane<R, T>): void {
    this.#heap.remove(lane);
  }

  first(): PoolLane<R, T> | null {
    return firstOf(this.#heap);
  }

  entries(): PoolLane<R, T>[] {
    return [...this.#heap.items];
  }

  hasBefore(lane: PoolLane<R, T>): boolean {
    return isBefore(this.first(), lane);
  }
}

/** By the order of a service's lanes; in a lane the longest wait first. */
export class LaneLine<R extends PendingRequest, T> implements Line<R, T> {
  size = 0;
  readonly #order: FairOrder<Lane<R, T>>;
  readonly #lanes: ReadonlyMap<string, Lane<R, T>>;

  constructor(order: FairOrder<Lane<R, T>>, lanes: ReadonlyMap<string, Lane<R, T>>) {
    this.#order = order;
    this.#lanes = lanes;
  }

  place(lane: PoolLane<R, T>, sequence: number): void {
    if (lane.heapIndex === -1) this.size++;
    lane.lane.waiting.place(lane, sequence);
  }

  remove(lane: PoolLane<R, T>): void {
    if (lane.heapIndex !== -1) this.size--;
    lane.lane.waiting.remove(lane);
  }

  first(): PoolLane<R, T> | null {
    const due = this.#order.due(this.entrants([]));
    return due === null ? null : firstOf(due.waiting);
  }

  entries(): PoolLane<R, T>[] {
    return [...this.#lanes.values()].flatMap((each) => each.waiting.items);
  }

  hasBefore(lane: PoolLane<R, T>): boolean {
    lane.lane.sequence = lane.nextSequence ?? Number.POSITIVE_INFINITY;
    const due = this.#order.due(this.entrants([lane.lane]));
    return due === lane.lane ? isBefore(firstOf(due.waiting), lane) : due !== null;
  }

  /** `entrants`, and behind them the lanes that wait here and may have a place, each once. */
  entrants(entrants: Lane<R, T>[]): Lane<R, T>[] {
    if (this.size === 0) return entrants;
    for (const lane of this.#lanes.values()) {
      const before = lane.waiting.size;
      const first = firstOf(lane.waiting);
      this.size -= before - lane.waiting.size;
      if (first === null || entrants.includes(lane)) continue;
      lane.sequence = first.rank;
      entrants.push(lane);
    }
    return entrants;
  }
}

function isBefore<R extends PendingRequest, T>(
  first: PoolLane<R, T> | null,
  lane: PoolLane<R, T>,
): boolean {
  if (first === null || first === lane) return false;
  return (
    (first.nextSequence ?? Number.POSITIVE_INFINITY) <
    (lane.nextSequence ?? Number.POSITIVE_INFINITY)
  );
}

/** The entry that has waited longest of those that may have a place. */
function firstOf<R extends PendingRequest, T>(heap: Heap<PoolLane<R, T>>): PoolLane<R, T> | null {
  const top = topOf(heap);
  if (top === null || top.mayClaim) return top;
  // What is left is reserved: those may have it that it is reserved for. Only then are all looked at.
  let first: PoolLane<R, T> | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const each of heap.items) {
    const sequence = each.nextSequence;
    if (sequence === null || sequence >= least || !each.mayClaim) continue;
    first = each;
    least = sequence;
  }
  return first;
}

/** The entry whose request has waited longest. Ranks are put right here, when they are needed. */
function topOf<R extends PendingRequest, T>(heap: Heap<PoolLane<R, T>>): PoolLane<R, T> | null {
  for (let top = heap.top; top !== null; top = heap.top) {
    const sequence = top.nextSequence;
    if (sequence === top.rank) return top;
    if (sequence === null) heap.remove(top);
    else heap.place(top, sequence);
  }
  return null;
}
