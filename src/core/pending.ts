/**
 * Requests that wait for a connection, first come first served, in an intrusive list: joining at the end,
 * leaving from anywhere and looking at the head are O(1).
 * Invariant: the first `dialing` requests are covered, each by one dial under way; `uncovered` is the
 * first that is not, the one for which a further dial would be made.
 */
import type { Msecs } from "./clock.ts";
import type { Pool } from "./pool.ts";
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
  /** The pool that it waits in; set while `phase` is `pending`. */
  // biome-ignore lint/suspicious/noExplicitAny: a request does not know what transports its pool has
  pool: Pool<any, any> | null = null;
  covered = false;
  /** Set from the first failure of a connection under it on. */
  resending: Resending | null = null;
  ahead: PendingRequest | null = null;
  behind: PendingRequest | null = null;

  /** Its own `queueTimeoutMsecs`; null takes the pool's. */
  abstract readonly queueTimeoutMsecs: Msecs | null;
  /** What of it errors should name beside the origin. */
  abstract readonly lane: string;
  /** True when it does no harm if the server gets it twice. Others keep well away from connections that may be dead. */
  abstract readonly isReplayable: boolean;

  /** The queue timeout has come. While a request is granted, surfaces use the same deadline for their own. */
  override expire(now: Msecs): void {
    if (this.phase === "pending") this.pool?.queueTimedOut(this, now);
    else this.expireGranted(now);
  }

  /** A deadline that the surface set after the grant has come. */
  abstract expireGranted(now: Msecs): void;
  /** Its connection failed, and it will be sent again on another one: it holds nothing of the first any more. */
  abstract interrupted(): void;
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

  /** Puts `request` where it would be had it waited all the time: before those that came after it. */
  insert(request: R): void {
    let next = this.head;
    while (next !== null && next.sequence < request.sequence) next = next.behind as R | null;
    if (next === null) {
      this.push(request);
      return;
    }
    request.behind = next;
    request.ahead = next.ahead;
    if (next.ahead === null) this.head = request;
    else next.ahead.behind = request;
    next.ahead = request;
    this.count++;
    if (next === this.uncovered) this.uncovered = request;
    if (!next.covered) return;
    // It takes its place among those that a dial is for; the last of them must wait for another one.
    this.#cover(request);
    this.setDialing(this.#dialing);
  }

  /** The longest-waiting request that an open connection can serve: `isFresh` when it has carried none yet. */
  firstFor(isFresh: boolean): R | null {
    let first = this.head;
    if (isFresh) return first;
    // What is sent again after its last try on an idle connection waits for a fresh one.
    while (first !== null && first.resending !== null) first = first.behind as R | null;
    return first;
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
