/**
 * The lanes of one pool: who is served next by a connection that is free, and which requests the dials under
 * way are for.
 * Invariant: each dial under way covers one pending request, as long as there is one whose lane may claim it.
 */
import type { Msecs } from "./clock.ts";
import { FairOrder } from "./fair-order.ts";
import type { Lane } from "./lane.ts";
import { defaultName } from "./lane-options.ts";
import { passedOverSince } from "./line.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import { PoolLane } from "./pool-lane.ts";

const never = Number.POSITIVE_INFINITY;

/** The lanes of one pool that were used. */
export class Lanes<R extends PendingRequest, T> {
  /** Pending requests that a dial under way is for. */
  coveredCount = 0;
  /** Lanes with pending requests, in no order. */
  readonly waiting: PoolLane<R, T>[] = [];
  readonly #pool: Pool<R, T>;
  /** Most pools have one lane, and there may be many pools. */
  #only: PoolLane<R, T> | null = null;
  #byName: Map<string, PoolLane<R, T>> | null = null;
  #order: FairOrder<PoolLane<R, T>> | null = null;
  /** Lanes as they were before they began anew. */
  #former: Map<string, PoolLane<R, T>> | null = null;
  #dialing = 0;

  constructor(pool: Pool<R, T>) {
    this.#pool = pool;
  }

  get all(): Iterable<PoolLane<R, T>> {
    if (this.#byName !== null) return this.#byName.values();
    return this.#only === null ? [] : [this.#only];
  }

  /** The lane with this name, or `default` when the service has none. */
  of(name: string): PoolLane<R, T> {
    return this.#find(name) ?? this.#made(name);
  }

  /** `request` waits, last of its lane: or first, as the lane has it. */
  push(request: R, place: PoolLane<R, T>): void {
    this.#joins(place);
    if (place.lane.options.overload === "newest-first") place.queue.unshift(request);
    else place.queue.push(request);
    this.cover();
  }

  /** `request` waits again: before those that came later. */
  insert(request: R, place: PoolLane<R, T>): void {
    this.#joins(place);
    // Where the newest go first, so does what had its turn already.
    if (place.lane.options.overload === "newest-first") place.queue.unshift(request);
    else place.queue.insert(request);
    this.cover();
  }

  /** A request of `place` waits on, and was not refused: high-water marks rise with it. */
  mark(place: PoolLane<R, T>): void {
    const { lane, queue } = place;
    const { service } = lane;
    if (queue.count > place.mostPending) place.mostPending = queue.count;
    if (lane.pending > lane.highWater.pending) lane.highWater.pending = lane.pending;
    if (service.pending > service.mostPending) service.mostPending = service.pending;
    lane.marks?.note(lane.held, lane.pending);
    const { budget } = this.#pool;
    if (budget.marks !== null) budget.note();
  }

  /** `request` waits no more, and gets nothing. */
  remove(request: R, place: PoolLane<R, T>): void {
    if (this.#leaves(request, place)) place.unclaim();
    this.cover();
  }

  /** `request` is under way: from now on its lane holds what it claimed. */
  serve(request: R, place: PoolLane<R, T>, now: Msecs): void {
    this.#count(place);
    if (!this.#leaves(request, place)) place.claim();
    place.hold(now);
    this.cover();
  }

  /**
   * The lane that an open connection serves next; null when none may use it. `isFresh`: it has carried none yet. It is the one whose
   * turn it is here; but while other origins of the service wait for its sockets, too, one that was passed over there goes first.
   */
  next(isFresh: boolean, now: Msecs): PoolLane<R, T> | null {
    const [only] = this.waiting;
    if (only === undefined) return null;
    if (this.waiting.length === 1) return this.#canServe(only, isFresh) ? only : null;
    const servable = this.servable(isFresh);
    return this.#passedOver(servable, now) ?? this.#turn.due(servable);
  }

  /** The lanes that an open connection may serve. */
  servable(isFresh: boolean): PoolLane<R, T>[] {
    return this.waiting.filter((each) => this.#canServe(each, isFresh));
  }

  /** Says how many dials are under way. */
  setDialing(dialing: number): void {
    this.#dialing = dialing;
    this.cover();
  }

  /** Sees to it that the dials under way are for those who have waited longest, as far as they may claim them. */
  cover(): void {
    while (this.coveredCount < this.#dialing) {
      const next = leastOf(this.waiting, (each) => (each.mayClaim ? each.nextSequence : null));
      if (next === null) return;
      next.claim();
      next.queue.cover();
      this.coveredCount++;
    }
    while (this.coveredCount > this.#dialing) {
      const last = leastOf(this.waiting, (each) => {
        const { lastCovered } = each.queue;
        return lastCovered === null ? null : -lastCovered.sequence;
      }) as PoolLane<R, T>;
      last.queue.uncover();
      last.unclaim();
      this.coveredCount--;
    }
  }

  /** Who needs a dial stands in line at once: pools that want the same places may be looked at before this one. */
  lineUp(): void {
    const client = this.#pool.service.budget.parent;
    for (const each of this.waiting) {
      if (each.nextToDial !== null) each.waitAt(each.waitingAt ?? client);
    }
  }

  /** Of all requests that dials are for, the one that has waited longest. */
  longestCovered(): R | null {
    const lane = leastOf(this.waiting, (each) => each.longestCovered?.sequence ?? null);
    return lane === null ? null : lane.longestCovered;
  }

  /** The request that has waited longest of those that an open connection may serve now. */
  longestFor(isFresh: boolean): R | null {
    const lane = leastOf(this.waiting, (each) => {
      if (!this.#canServe(each, isFresh)) return null;
      return each.longestFor(isFresh)?.sequence ?? null;
    });
    return lane === null ? null : lane.longestFor(isFresh);
  }

  /** The request that has waited longest. */
  longest(): R | null {
    return leastOf(this.waiting, (each) => each.longest?.sequence ?? null)?.longest ?? null;
  }

  /** Lanes begin anew, as the service has them now. Returns the pending requests, in the order of arrival. */
  clear(): R[] {
    const requests: R[] = [];
    this.#former ??= new Map();
    for (const place of this.all) {
      this.#former.set(place.lane.name, place);
      place.waitAt(null);
      for (let each = place.queue.head; each !== null; each = place.queue.head) {
        requests.push(each);
        if (this.#leaves(each, place)) place.unclaim();
      }
    }
    this.#byName = this.#only = this.#pool.recentLane = null;
    return requests.sort((a, b) => a.sequence - b.sequence);
  }

  /** Lanes that the service still has are there at once, with what was counted; those that it has no more are forgotten. */
  renew(): void {
    for (const [name, place] of [...(this.#former ?? [])]) {
      if (this.#pool.service.lanes.has(name)) this.of(name);
      else this.#pool.tally.forget(place);
    }
    this.#former = null;
  }

  #find(name: string): PoolLane<R, T> | undefined {
    if (this.#byName !== null) return this.#byName.get(name);
    return this.#only?.lane.name === name ? this.#only : undefined;
  }

  #made(name: string): PoolLane<R, T> {
    const { service } = this.#pool;
    const lane = service.lanes.get(name) ?? (service.lanes.get(defaultName) as Lane<R, T>);
    const known = this.#find(lane.name);
    if (known !== undefined) return known;
    const former = this.#former?.get(lane.name) ?? null;
    const made = new PoolLane(this.#pool, lane, former);
    this.#former?.delete(lane.name);
    if (this.#byName !== null) this.#byName.set(lane.name, made);
    else if (this.#only === null) this.#only = made;
    else {
      this.#byName = new Map([
        [this.#only.lane.name, this.#only],
        [lane.name, made],
      ]);
    }
    return made;
  }

  #canServe(place: PoolLane<R, T>, isFresh: boolean): boolean {
    const first = place.queue.firstFor(isFresh);
    if (first === null) return false;
    if (first.covered || place.mayClaim) return true;
    this.#pool.isHeldBack = true;
    return false;
  }

  /** `place` takes a turn, while others wait for one. */
  #count(place: PoolLane<R, T>): void {
    if (this.waiting.length === 1) return;
    const entrants = this.waiting.filter((each) => each === place || this.#canServe(each, true));
    this.#turn.took(place, entrants);
  }

  get #turn(): FairOrder<PoolLane<R, T>> {
    this.#order ??= new FairOrder();
    return this.#order;
  }

  /** The lane that was passed over for longest, while other origins wait for the sockets of the service, too; else null. */
  #passedOver(servable: readonly PoolLane<R, T>[], now: Msecs): PoolLane<R, T> | null {
    const { line, isFull } = this.#pool.service.budget;
    if (line === null || line.size === 0 || !isFull) return null;
    const isPassed = servable.some((each) => passedOverSince(each, now) < never);
    if (!isPassed || line.entries().every((each) => each.pool === this.#pool)) return null;
    return leastOf(servable, (each) => passedOverSince(each, now));
  }

  #joins(place: PoolLane<R, T>): void {
    if (place.queue.count === 0) this.waiting.push(place);
    place.lane.pending++;
    place.lane.service.pending++;
    this.#pool.budget.addPending(1);
  }

  /** Returns whether a dial was for it. */
  #leaves(request: R, place: PoolLane<R, T>): boolean {
    const wasCovered = request.covered;
    place.queue.remove(request);
    place.lane.pending--;
    place.lane.service.pending--;
    const { budget } = this.#pool;
    budget.addPending(-1);
    if (budget.marks !== null) budget.note();
    if (wasCovered) this.coveredCount--;
    if (place.queue.count > 0) return wasCovered;
    const last = this.waiting.pop() as PoolLane<R, T>;
    if (last !== place) this.waiting[this.waiting.indexOf(place)] = last;
    return wasCovered;
  }
}

/** The item with the least rank; null when none has one. */
function leastOf<V>(items: readonly V[], rank: (item: V) => number | null): V | null {
  let best: V | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const each of items) {
    const own = rank(each);
    if (own === null || own >= least) continue;
    best = each;
    least = own;
  }
  return best;
}
