/**
 * Who waits for a budget that several pools share: lanes of pools, each with one entry.
 * Invariant: first is who may have the next place now; who must leave it to a reservation is passed by.
 */
import type { Msecs } from "./clock.ts";
import { Heap } from "./heap.ts";
import type { Lane } from "./lane.ts";
import type { PendingRequest } from "./pending.ts";
import type { PoolLane } from "./pool-lane.ts";

/**
 * A connection that another origin's request has a better right to, by the order of waiting, stays with
 * its origin while the difference is no more than this: handing it over costs a handshake, and two busy
 * origins under one `maxTotalSockets` would otherwise pay it with every request.
 */
export const yieldAfterMsecs: Msecs = 100;

/** The line of one budget. */
export interface Line<R extends PendingRequest, T> {
  /** Entries; some may have ended without saying so. */
  readonly size: number;
  /** Puts `lane` in, or moves it: its longest wait began with the request of this `sequence`. */
  place(lane: PoolLane<R, T>, sequence: number): void;
  remove(lane: PoolLane<R, T>): void;
  /** Who is next; null when nobody waits, or none may have a place. */
  first(now: Msecs): PoolLane<R, T> | null;
  /** All entries, in no order. */
  entries(): PoolLane<R, T>[];
  /** True when somebody is to have a place before `lane`, which may stand in the line or not. */
  hasBefore(lane: PoolLane<R, T>, now: Msecs): boolean;
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

/**
 * The lane with the least sockets for its weight, and in a lane the longest wait. Before all of them comes a lane that has no
 * socket and was passed over for `yieldAfterMsecs`: where there are fewer sockets than lanes they take them in turn.
 */
export class LaneLine<R extends PendingRequest, T> implements Line<R, T> {
  size = 0;
  readonly #lanes: ReadonlyMap<string, Lane<R, T>>;

  constructor(lanes: ReadonlyMap<string, Lane<R, T>>) {
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

  first(now: Msecs): PoolLane<R, T> | null {
    if (this.size === 0) return null;
    let first: PoolLane<R, T> | null = null;
    for (const { waiting } of this.#lanes.values()) {
      const before = waiting.size;
      const own = firstOf(waiting);
      this.size -= before - waiting.size;
      if (own !== null && (first === null || isDueBefore(own, first, now))) first = own;
    }
    return first;
  }

  entries(): PoolLane<R, T>[] {
    return [...this.#lanes.values()].flatMap((each) => each.waiting.items);
  }

  hasBefore(lane: PoolLane<R, T>, now: Msecs): boolean {
    const first = this.first(now);
    return first !== null && first !== lane && isDueBefore(first, lane, now);
  }
}

/** True when the socket of `rival`, which is free, is due to `lane`: but not where both have as much, or they would take turns with handshakes. */
export function isOwed<R extends PendingRequest, T>(
  lane: PoolLane<R, T>,
  rival: PoolLane<R, T>,
  now: Msecs,
): boolean {
  const since = passedOverSince(lane, now);
  const rivalSince = passedOverSince(rival, now);
  return since === rivalSince ? lane.lane.load < rival.lane.load : since < rivalSince;
}

function isDueBefore<R extends PendingRequest, T>(
  lane: PoolLane<R, T>,
  other: PoolLane<R, T>,
  now: Msecs,
): boolean {
  return isOwed(lane, other, now) || (!isOwed(other, lane, now) && isBefore(lane, other));
}

/** Since when its lane waits for a socket and has none; `Infinity` when that is not too long, or the lane has one. */
export function passedOverSince<R extends PendingRequest, T>(
  { lane, nextToDial }: PoolLane<R, T>,
  now: Msecs,
): Msecs {
  if (lane.claimed > 0 || nextToDial === null) return Number.POSITIVE_INFINITY;
  const since = Math.max(lane.servedAt, nextToDial.enqueuedAt);
  return now - since > yieldAfterMsecs ? since : Number.POSITIVE_INFINITY;
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
