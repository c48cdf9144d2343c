/**
 * Requests that wait for a connection in one lane of one pool, in an intrusive list: joining, leaving from
 * anywhere and looking at the head are O(1).
 * Invariant: the first `coveredCount` requests are covered, each by one dial under way; `uncovered` is the
 * first that is not, the one for which a further dial would be made.
 */
import type { Msecs } from "./clock.ts";
import type { PoolLane } from "./pool-lane.ts";
import type { Resending } from "./resend.ts";
import { Deadline } from "./timers.ts";

/**
 * Where a request stands for the core: `new` → `pending` → `granted` or `settled`. Back from `granted` to
 * `pending` it goes when it is sent again on another connection.
 */
export type RequestPhase = "new" | "pending" | "granted" | "settled";

/** A request as the core sees it. Surfaces extend it with what they need to send it. */
export abstract class PendingRequest extends Deadline {
  phase: RequestPhase = "new";
  /** Order of arrival over all pools of a client. */
  sequence = 0;
  /** When it began to wait, for the first time. */
  enqueuedAt: Msecs = 0;
  /** When its surface will give it up; `Infinity` when it sets no such limit. */
  latestAt: Msecs = Number.POSITIVE_INFINITY;
  /** The lane and the pool that it waits in, or has a connection of. */
  // biome-ignore lint/suspicious/noExplicitAny: a request does not know what transports its pool has
  place: PoolLane<any, any> | null = null;
  covered = false;
  /** Set from the first failure of a connection under it on. */
  resending: Resending | null = null;
  /** What an observer keeps with it; null while nobody looks on. */
  observation: object | null = null;
  ahead: PendingRequest | null = null;
  behind: PendingRequest | null = null;

  /** Its own `queueTimeoutMsecs`; null takes its lane's. */
  abstract readonly queueTimeoutMsecs: Msecs | null;
  /** The name of its lane. One that is not there (any more) is the lane `default`. */
  abstract readonly lane: string;
  /** True when it does no harm if the server gets it twice. Others keep well away from connections that may be dead. */
  abstract readonly isReplayable: boolean;

  /** The queue timeout has come. While a request is granted, surfaces use the same deadline for their own. */
  override expire(now: Msecs): void {
    if (this.phase === "pending") this.place?.pool.queueTimedOut(this, now);
    else this.expireGranted(now);
  }

  /** A deadline that the surface set after the grant has come. */
  abstract expireGranted(now: Msecs): void;
  /** Its connection failed, and it will be sent again on another one: it holds nothing of the first any more. */
  abstract interrupted(): void;
}

/** The queue of one lane of one pool. */
export class PendingQueue<R extends PendingRequest> {
  count = 0;
  head: R | null = null;
  tail: R | null = null;
  /** The next request that no dial under way is for. */
  uncovered: R | null = null;
  coveredCount = 0;

  /** The request that a dial under way is for, and that comes last of these. */
  get lastCovered(): R | null {
    if (this.coveredCount === 0) return null;
    return (this.uncovered === null ? this.tail : this.uncovered.ahead) as R | null;
  }

  /** Puts `request` last. */
  push(request: R): void {
    this.#link(request, null);
    this.uncovered ??= request;
  }

  /** Puts `request` first. Where a dial is for the head, it is for this one now, and the last of those it was for waits on. */
  unshift(request: R): void {
    this.#putBefore(this.head, request);
  }

  /** Puts `request` where it would be had it waited all the time: before those that came after it. */
  insert(request: R): void {
    let next = this.head;
    while (next !== null && next.sequence < request.sequence) next = next.behind as R | null;
    this.#putBefore(next, request);
  }

  /** The first request that an open connection can serve: `isFresh` when it has carried none yet. */
  firstFor(isFresh: boolean): R | null {
    let first = this.head;
    if (isFresh) return first;
    // What is sent again after its last try on an idle connection waits for a fresh one.
    while (first !== null && first.resending !== null) first = first.behind as R | null;
    return first;
  }

  /** Takes `request` out, wherever it stands. It must be in this queue. Its dial, if there is one, is for nobody then. */
  remove(request: R): void {
    if (request.covered) {
      request.covered = false;
      this.coveredCount--;
    } else if (request === this.uncovered) {
      this.uncovered = request.behind as R | null;
    }
    if (request.ahead === null) this.head = request.behind as R | null;
    else request.ahead.behind = request.behind;
    if (request.behind === null) this.tail = request.ahead as R | null;
    else request.behind.ahead = request.ahead;
    request.ahead = request.behind = null;
    this.count--;
  }

  /** A dial is for the first request that had none. There must be one. */
  cover(): void {
    const next = this.uncovered as R;
    next.covered = true;
    this.coveredCount++;
    this.uncovered = next.behind as R | null;
  }

  /** The last request that had a dial has none any more. There must be one. */
  uncover(): void {
    const last = this.lastCovered as R;
    last.covered = false;
    this.coveredCount--;
    this.uncovered = last;
  }

  #putBefore(next: R | null, request: R): void {
    if (next === null) {
      this.push(request);
      return;
    }
    this.#link(request, next);
    if (next === this.uncovered) this.uncovered = request;
    if (!next.covered) return;
    request.covered = true;
    this.coveredCount++;
    this.uncover();
  }

  #link(request: R, next: R | null): void {
    const ahead = next === null ? this.tail : next.ahead;
    request.behind = next;
    request.ahead = ahead;
    if (ahead === null) this.head = request;
    else ahead.behind = request;
    if (next === null) this.tail = request;
    else next.ahead = request;
    this.count++;
  }
}
