/**
 * The requests of one pool that wait: how they begin to, time out, are refused and give up; and who is told when a
 * lane of them is saturated.
 * Invariant: a pending request is in the queue of its lane and has its timeout set; any other is and has neither.
 */
import type { Msecs } from "./clock.ts";
import { type KeeplineError, QueueFullError, QueueTimeoutError } from "./errors.ts";
import { refusalAt } from "./overload.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { PoolLane } from "./pool-lane.ts";
import type { Pools } from "./pools.ts";
import { contextOf, countsOf } from "./report.ts";
import { looked, refused, type SaturationChange, saturationOf, watch } from "./saturation.ts";

/** The waiting requests of one pool. */
export class Waiting<R extends PendingRequest, T> {
  readonly #world: Pools<R, T>;
  readonly #pool: Pool<R, T>;

  constructor(world: Pools<R, T>, pool: Pool<R, T>) {
    this.#world = world;
    this.#pool = pool;
  }

  /** `request` waits in `place`, for the first time or again. */
  begin(request: R, place: PoolLane<R, T>, now: Msecs): void {
    const { timers, isClosing } = this.#world;
    request.phase = "pending";
    const timeoutMsecs = request.queueTimeoutMsecs ?? place.lane.options.queueTimeoutMsecs;
    timers.set(request, now + timeoutMsecs, now);
    if (request.resending === null) this.#pool.lanes.push(request, place);
    else this.#pool.lanes.insert(request, place);
    if (!isClosing) watch(place, timers, now);
    this.#world.observer?.queued(request, now);
  }

  /** `request` waits on, unless its lane has too many or would serve it too late. */
  admit(request: R, place: PoolLane<R, T>, now: Msecs): void {
    const refusal = refusalAt(place, request, now);
    if (refusal === null) {
      this.#pool.lanes.mark(place);
      return;
    }
    this.refuse(refusal.request, refusal.error, now);
    this.#world.touch(this.#pool); // a pool that only ever refused is dropped like any other
  }

  /** `request` is served. */
  served(request: R, place: PoolLane<R, T>, now: Msecs): void {
    this.#world.timers.clear(request);
    this.#pool.lanes.serve(request, place, now);
    this.#waited(request, place, now);
  }

  /** `request` gives up: it is forgotten and not told. */
  cancel(request: R, now: Msecs): void {
    this.#end(request, placeOf(request), now);
    request.phase = "settled";
  }

  refuse(request: R, error: KeeplineError, now: Msecs): void {
    const place: PoolLane<R, T> = placeOf(request);
    this.#end(request, place, now);
    request.phase = "settled";
    const isOverload = error instanceof QueueFullError || error instanceof QueueTimeoutError;
    if (isOverload && !this.#world.isClosing) {
      this.#tell(place, refused(place, this.#world.timers, now), now);
    }
    this.#world.port.refuse(request, error);
  }

  /** `request` has waited for too long. */
  timedOut(request: R, now: Msecs): void {
    const place: PoolLane<R, T> = placeOf(request);
    place.timedOut++;
    const waitedMsecs = now - request.enqueuedAt;
    const cause = this.#pool.dialing.failure ?? undefined;
    const error = new QueueTimeoutError(
      { ...countsOf(place), waitedMsecs, predictedMsecs: null },
      { ...contextOf(this.#pool, request), cause },
    );
    this.refuse(request, error, now);
  }

  /** Some request of `place` may have waited for `saturationMsecs`. */
  look(place: PoolLane<R, T>, now: Msecs): void {
    this.#tell(place, looked(place, this.#world.timers, now), now);
  }

  /** The lanes have begun anew: those that are saturated are looked at as before, or are there no more. */
  lookAgain(saturated: readonly PoolLane<R, T>[], now: Msecs): void {
    const { lanes, service } = this.#pool;
    const { timers, isClosing } = this.#world;
    if (isClosing) return;
    for (const place of saturated) {
      if (service.lanes.has(place.lane.name)) watch(lanes.of(place.lane.name), timers, now);
      else this.#tell(place, "relieved", now);
    }
    for (const place of lanes.waiting) watch(place, timers, now);
  }

  /** Refuses what waits for another request's connection in a lane that lets none do so: its dial served who was due. */
  refuseUncovered(now: Msecs): void {
    for (const place of [...this.#pool.lanes.waiting]) {
      const { overload } = place.lane.options;
      if (overload !== "reject") continue;
      for (let next = place.queue.uncovered; next !== null; next = place.queue.uncovered) {
        if (next.resending !== null) break; // it had its turn, and another place is made for it
        place.refused++;
        const counts = { ...countsOf(place), maxPending: 0, overload };
        this.refuse(next, new QueueFullError(counts, contextOf(this.#pool, next)), now);
      }
    }
  }

  /** `saturationMsecs` may be another one. */
  reconsider(now: Msecs): void {
    if (this.#world.isClosing) return;
    for (const place of this.#pool.lanes.all) {
      if (place.queue.count > 0 || place.saturatedAt !== null) this.look(place, now);
    }
  }

  /** The pool is let go. */
  end(now: Msecs): void {
    this.stopLooking();
    for (const place of this.#pool.lanes.all) {
      if (place.saturatedAt === null) continue;
      place.saturatedAt = null;
      this.#tell(place, "relieved", now);
    }
  }

  /** No lane is looked at any more. */
  stopLooking(): void {
    for (const { nextLook } of this.#pool.lanes.all) {
      if (nextLook !== null) this.#world.timers.clear(nextLook);
    }
  }

  /** A claim has ended: who was kept from one may have it now, here or at other origins. */
  unclaimed(): void {
    const { isHeldBack, budget } = this.#pool;
    if (isHeldBack) this.#world.touch(this.#pool);
    if (this.#pool.service.isReservedFrom) this.#world.offer(budget);
  }

  #end(request: R, place: PoolLane<R, T>, now: Msecs): void {
    this.#world.timers.clear(request);
    this.#waited(request, place, now);
    this.#pool.lanes.remove(request, place);
    this.unclaimed();
  }

  #waited(request: R, place: PoolLane<R, T>, now: Msecs): void {
    const msecs = now - request.enqueuedAt;
    place.waitEnded(msecs);
    if (place.saturatedAt !== null && msecs >= this.#pool.options.saturationMsecs) {
      place.saturatedAt = now;
    }
  }

  #tell(place: PoolLane<R, T>, change: SaturationChange, now: Msecs): void {
    if (change !== null) this.#world.port.saturation(change, saturationOf(place, now));
  }
}

function placeOf<R extends PendingRequest, T>(request: R): PoolLane<R, T> {
  return request.place as PoolLane<R, T>;
}
