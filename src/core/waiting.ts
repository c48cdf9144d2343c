/**
 * The requests of one pool that wait: how they begin to, time out, are refused and give up; and who is told when a
 * lane of them is saturated.
 * Invariant: a pending request is in the queue of its lane and has its timeout set; any other is and has neither.
 */
import type { Msecs } from "./clock.ts";
import { type KeeplineError, QueueFullError, QueueTimeoutError } from "./errors.ts";
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
  }

  /** `request` is served. */
  served(request: R, place: PoolLane<R, T>, now: Msecs): void {
    this.#world.timers.clear(request);
    this.#pool.lanes.serve(request, place, now);
    place.waited(now - request.enqueuedAt);
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
    place.tally.timedOut++;
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

  /** No lane is looked at any more. */
  stopLooking(): void {
    for (const place of this.#pool.lanes.all) this.#world.timers.clear(place);
  }

  /** A claim has ended: who was kept from one may have it now, here or at other origins. */
  unclaimed(): void {
    const { lanes, budget } = this.#pool;
    if (lanes.isHeldBack) this.#world.touch(this.#pool);
    for (let each = budget.parent; each !== null; each = each.parent) {
      if (each.reserved > 0) this.#world.offer(budget);
    }
  }

  #end(request: R, place: PoolLane<R, T>, now: Msecs): void {
    this.#world.timers.clear(request);
    place.waited(now - request.enqueuedAt);
    this.#pool.lanes.remove(request, place);
    this.unclaimed();
  }

  #tell(place: PoolLane<R, T>, change: SaturationChange, now: Msecs): void {
    if (change !== null) this.#world.port.saturation(change, saturationOf(place, now));
  }
}

function placeOf<R extends PendingRequest, T>(request: R): PoolLane<R, T> {
  return request.place as PoolLane<R, T>;
}
