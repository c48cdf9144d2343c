/**
 * One lane in one pool: its queue, and what it holds of the sockets. A lease or a dial under way for one of its
 * requests is a claim, which counts for the pool, for the service and for the client.
 *
 * Reservations are kept by what is *committed* of a budget: for each lane the larger of its claims and of its
 * `reservedSockets`. A claim within the reservation commits nothing more; any other one needs
 * `committed < limit`. So what is reserved can always be claimed, whoever has the rest.
 *
 * Invariant: `claimed` is `held` plus the covered requests of the queue; no claim is made past the lane's
 * `maxSockets` or into what is reserved for others.
 */
import type { Budget } from "./budget.ts";
import type { Msecs } from "./clock.ts";
import type { Entrant } from "./fair-order.ts";
import type { Ranked } from "./heap.ts";
import type { Lane } from "./lane.ts";
import { PendingQueue, type PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import { LaneTally } from "./tally.ts";
import type { Reminder } from "./timers.ts";

/**
 * One lane in one pool. It is its own tally: of many origins, each further object that a request is counted in has left the caches,
 * and is waited for.
 */
export class PoolLane<R extends PendingRequest, T> extends LaneTally implements Ranked, Entrant {
  readonly pool: Pool<R, T>;
  readonly lane: Lane<R, T>;
  /** Requests under way. */
  held = 0;
  /** Requests under way at once, at most. */
  mostHeld = 0;
  /** Requests under way, and those that a dial is for. */
  claimed = 0;
  readonly queue = new PendingQueue<R>();
  start = 0;
  round = 0;
  rank = 0;
  heapIndex = -1;
  /** The shared budget in whose line it stands. */
  waitingAt: Budget<R, T> | null = null;
  /** Requests that waited at once, at most. */
  mostPending = 0;
  /** The longest wait. */
  longestWaitMsecs: Msecs = 0;
  /** When requests last waited for `saturationMsecs` or were refused; null when neither was for so long. */
  saturatedAt: Msecs | null = null;
  /** The next look at that; null until there is to be one. */
  nextLook: Reminder | null = null;

  /** `former`: the same lane of the same pool before lanes began anew; null when there was none. What was counted goes on. */
  constructor(pool: Pool<R, T>, lane: Lane<R, T>, former: PoolLane<R, T> | null) {
    super();
    this.pool = pool;
    this.lane = lane;
    if (former === null) return;
    this.follow(former);
    this.mostHeld = former.mostHeld;
    this.mostPending = former.mostPending;
    this.longestWaitMsecs = former.longestWaitMsecs;
    this.saturatedAt = former.saturatedAt;
  }

  get weight(): number {
    return this.lane.options.weight;
  }

  /** Since when the first of its requests waits, as a place in the order of arrival. */
  get sequence(): number {
    return this.queue.head?.sequence ?? Number.POSITIVE_INFINITY;
  }

  /** The request that has waited longest. */
  get longest(): R | null {
    return this.lane.options.overload === "newest-first" ? this.queue.tail : this.queue.head;
  }

  /** The request that has waited longest, where an open connection can serve the lane: `isFresh` when it has carried none yet. */
  longestFor(isFresh: boolean): R | null {
    const first = this.queue.firstFor(isFresh);
    return first === null || this.lane.options.overload !== "newest-first"
      ? first
      : this.queue.tail;
  }

  /** Of the requests that dials under way are for, the one that has waited longest. */
  get longestCovered(): R | null {
    const { queue, lane } = this;
    if (lane.options.overload === "newest-first") return queue.lastCovered;
    return queue.coveredCount === 0 ? null : queue.head;
  }

  /** Since when a further dial is waited for, as a place in the order of arrival; null when none is wanted. */
  get nextSequence(): number | null {
    return this.nextToDial?.sequence ?? null;
  }

  /** The longest-waiting request that no dial under way is for. */
  get nextToDial(): R | null {
    const { uncovered, tail } = this.queue;
    return uncovered !== null && this.lane.options.overload === "newest-first" ? tail : uncovered;
  }

  /** True when its next claim is one that is reserved for it, everywhere. */
  get isReserved(): boolean {
    const { reservedSockets } = this.lane.options;
    return this.claimed < reservedSockets && this.lane.claimed < reservedSockets;
  }

  /** True when the lane may have one more of the sockets that there are or may be. */
  get mayClaim(): boolean {
    return this.claimed < this.lane.options.maxSockets && this.keeper === null;
  }

  /** The nearest budget whose last places are kept for other lanes; null when none stands against a further claim. */
  get keeper(): Budget<R, T> | null {
    const { budget } = this.pool;
    const reserved = this.lane.options.reservedSockets;
    let claimed = this.claimed;
    for (let each: Budget<R, T> | null = budget; each !== null; each = each.parent) {
      const isLeft = each.reserved === 0 || each.committed < each.limit * this.pool.capacity;
      if (!isLeft && claimed >= reserved) return each;
      claimed = this.lane.claimed; // above its origin, all origins count
    }
    return null;
  }

  /** Counts a claim here and above. */
  claim(): void {
    const reserved = this.lane.options.reservedSockets;
    const { budget } = this.pool;
    if (this.claimed++ >= reserved) budget.committed++;
    if (this.lane.claimed++ < reserved) return;
    for (let each = budget.parent; each !== null; each = each.parent) each.committed++;
  }

  /** Takes a claim back. */
  unclaim(): void {
    const reserved = this.lane.options.reservedSockets;
    const { budget } = this.pool;
    if (--this.claimed >= reserved) budget.committed--;
    if (--this.lane.claimed < reserved) return;
    for (let each = budget.parent; each !== null; each = each.parent) each.committed--;
  }

  /** One of its requests is under way. It was claimed. */
  hold(now: Msecs): void {
    const busy = ++this.held;
    const { lane } = this;
    const busyOfLane = ++lane.held;
    lane.servedAt = now;
    if (busy > this.mostHeld) this.mostHeld = busy;
    if (busyOfLane > lane.highWater.busy) lane.highWater.busy = busyOfLane;
    lane.marks?.note(busyOfLane, 0);
  }

  /** A request is not under way any more. */
  letGo(now: Msecs): void {
    this.held--;
    this.lane.held--;
    this.lane.servedAt = now;
    this.unclaim();
  }

  /** As `letGo`: the lease of a request has ended that was held for so long. */
  leaseEnded(heldMsecs: Msecs, isWell: boolean, now: Msecs): void {
    this.ended(heldMsecs, isWell);
    this.letGo(now);
  }

  override responded(msecs: Msecs): void {
    super.responded(msecs);
    this.pool.idle.responded(msecs);
  }

  /** A request has waited for so long, and waits no more. */
  waitEnded(msecs: Msecs): void {
    const { lane } = this;
    if (msecs > this.longestWaitMsecs) this.longestWaitMsecs = msecs;
    if (msecs > lane.highWater.waitMsecs) lane.highWater.waitMsecs = msecs;
  }

  /** Stands in the line of `budget`, or in none. */
  waitAt(budget: Budget<R, T> | null): void {
    if (this.waitingAt !== budget) this.waitingAt?.line?.remove(this);
    this.waitingAt = budget;
    const sequence = this.nextSequence;
    if (sequence !== null) budget?.line?.place(this, sequence);
  }
}
