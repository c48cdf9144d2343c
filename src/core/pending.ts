/**
 * Requests that wait for a connection, first come first served, in an intrusive list: joining, leaving
 * from anywhere and looking at the head are O(1).
 * Invariant: the first `dialing` requests are covered, each by one dial under way; `uncovered` is the
 * first that is not, the one for which a further dial would be made.
 */
import type { Msecs } from "./clock.ts";
import type { Pool } from "./pool.ts";
import { Deadline } from "./timers.ts";

/**
 * Where a request stands for the core. It moves forward only, and what it reached it keeps:
 * `new` → `pending` → `granted` or `settled`.
 */
export type RequestPhase = "new" | "pending" | "granted" | "settled";

/** A request as the core sees it. Surfaces extend it with what they need to send it. */
export abstract class PendingRequest extends Deadline {
  phase: RequestPhase = "new";
  /** Order of arrival over all pools of a client. */
  sequence = 0;
  /** When it began to wait. */
  enqueuedAt: Msecs = 0;
  /** The pool that it waits in; set while `phase` is `pending`. */
  // biome-ignore lint/suspicious/noExplicitAny: a request does not know what transports its pool has
  pool: Pool<any, any> | null = null;
  covered = false;
  ahead: PendingRequest | null = null;
  behind: PendingRequest | null = null;

  /** Its own `queueTimeoutMsecs`; null takes the pool's. */
  abstract readonly queueTimeoutMsecs: Msecs | null;
  /** What of it errors should name beside the origin. */
  abstract readonly lane: string;

  /** The queue timeout has come. While a request is granted, surfaces use the same deadline for their own. */
  override expire(now: Msecs): void {
    if (this.phase === "pending") this.pool?.queueTimedOut(this, now);
    else this.expireGranted(now);
  }

  /** A deadline that the surface set after the grant has come. */
  abstract expireGranted(now: Msecs): void;
}

/** The queue of one lane. */
export class PendingQueue<R extends PendingRequest> {
  count = 0;
  head: R | null = null;
  /** The longest-waiting request that no dial under way is for. */
  uncovered: R | null = null;
  #tail: R | null = null;
  #dialing = 0;
  #coveredCount = 0;

  /** Puts `request` last. */
  push(request: R): void {
    request.ahead = this.#tail;
    if (this.#tail === null) this.head = request;
    else this.#tail.behind = request;
    this.#tail = request;
    this.count++;
    if (this.#coveredCount < this.#dialing) this.#cover(request);
    else this.uncovered ??= request;
  }

  /** Takes `request` out, wherever it stands. It must be in this queue. */
  remove(request: R): void {
    if (request.covered) {
      request.covered = false;
      this.#coveredCount--;
      // Its dial serves the next one in line.
      if (this.uncovered !== null) this.#coverNext(this.uncovered);
    } else if (request === this.uncovered) {
      this.uncovered = request.behind as R | null;
    }
    if (request.ahead === null) this.head = request.behind as R | null;
    else request.ahead.behind = request.behind;
    if (request.behind === null) this.#tail = request.ahead as R | null;
    else request.behind.ahead = request.ahead;
    request.ahead = request.behind = null;
    this.count--;
  }

  /** Says how many dials are under way. */
  setDialing(dialing: number): void {
    this.#dialing = dialing;
    while (this.#coveredCount < dialing && this.uncovered !== null) this.#coverNext(this.uncovered);
    while (this.#coveredCount > dialing) {
      const last = (this.uncovered === null ? this.#tail : this.uncovered.ahead) as R;
      last.covered = false;
      this.#coveredCount--;
      this.uncovered = last;
    }
  }

  #cover(request: R): void {
    request.covered = true;
    this.#coveredCount++;
  }

  #coverNext(request: R): void {
    this.uncovered = request.behind as R | null;
    this.#cover(request);
  }
}
