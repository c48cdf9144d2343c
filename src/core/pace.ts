/**
 * How fast dials over TLS may follow each other. Handshakes compete for the processor, with each other and with all
 * else: what begins faster than they can be made only makes all of them late. How many are under way says nothing, for on a
 * long way to the server there may be hundreds that wait for its answer; so it is the rate that is bounded.
 *
 * A few dials may begin at once, then one in each gap. The gap is what a handshake takes: while dials end later than the way
 * to the server accounts for, they end one such time after the other. A process that is too busy to look in time begins
 * fewer: what it missed is not made up for.
 *
 * Invariant: never more than `burstCount` dials begin at once, and in the long run one for each gap.
 */
import type { Msecs } from "./clock.ts";

const burstCount = 20;
/** To begin with, and the bounds of what is learned. Most handshakes take from a half to two ms. */
const firstGapMsecs: Msecs = 1.35;
const leastGapMsecs: Msecs = 0.25;
const mostGapMsecs: Msecs = 10;
/** A dial that takes so many times the best, and so many ms, has been held up by others. */
const heldUpFactor = 1.25;
const heldUpMsecs: Msecs = 2;
/** The gap is a mean of the last times between ends of such dials: each counts for so much. */
const gapWeight = 1 / 8;
/** What a dial that was not held up makes of the gap. */
const gapFall = 0.99;
/**
 * The best is forgotten slowly, for the way to the server may have become longer. In a burst all dials take long, a hundred one after
 * the other: that must not pass for the way.
 */
const bestRise = 1.002;
/** A process that did not look for longer had no reason to. */
const mostLateMsecs: Msecs = 100;
/** However short the way to the server is, so many dials may be under way. */
const leastDialing = 8;

/** The pace of the dials of one pool. */
export class Pace {
  #gapMsecs = firstGapMsecs;
  #bestDialMsecs: Msecs = Number.POSITIVE_INFINITY;
  #endedAt: Msecs = 0;
  /** Dials that may begin, as of `#lookedAt`. */
  #allowed = burstCount;
  #lookedAt: Msecs = Number.NEGATIVE_INFINITY;
  /** When it was to be looked again; `Infinity` when nobody asked for that. */
  #dueAt: Msecs = Number.POSITIVE_INFINITY;

  /** What one more dial takes of the processor. */
  get gapMsecs(): Msecs {
    return this.#gapMsecs;
  }

  /** A dial begins. */
  began(now: Msecs): void {
    this.#look(now);
    this.#allowed = Math.max(this.#allowed - 1, -burstCount);
    // To begin it takes time as well, which is none in which handshakes are made.
    this.#dueAt = Math.min(this.#dueAt, now + this.#gapMsecs);
  }

  /** A connection was open after so long. */
  ended(msecs: Msecs, now: Msecs): void {
    this.#bestDialMsecs = Math.min(msecs, this.#bestDialMsecs * bestRise);
    const isHeldUp = msecs > this.#bestDialMsecs * heldUpFactor + heldUpMsecs;
    const gap = isHeldUp
      ? this.#gapMsecs + (now - this.#endedAt - this.#gapMsecs) * gapWeight
      : this.#gapMsecs * gapFall;
    this.#gapMsecs = Math.min(Math.max(gap, leastGapMsecs), mostGapMsecs);
    this.#endedAt = now;
  }

  /** When to look again whether a dial may begin, while so many are under way; null: now. `Infinity`: when one of these has ended. */
  heldUntil(dialing: number, now: Msecs): Msecs | null {
    this.#look(now);
    // As many as can be made while the answer to one is on its way: further ones would stand in line here.
    const most = Math.max(this.#bestDialMsecs / this.#gapMsecs, leastDialing);
    if (dialing >= most) return Number.POSITIVE_INFINITY;
    if (this.#allowed >= 1) return null;
    return now + (1 - this.#allowed) * this.#gapMsecs;
  }

  /** It will be looked again at `at`, if not before. */
  willLook(at: Msecs): void {
    this.#dueAt = at;
  }

  #look(now: Msecs): void {
    const late = Math.min(Math.max(now - this.#dueAt - this.#gapMsecs, 0), mostLateMsecs);
    const passed = Math.max(now - this.#lookedAt - late, 0);
    this.#allowed = Math.min(this.#allowed + passed / this.#gapMsecs, burstCount);
    this.#lookedAt = now;
    if (now >= this.#dueAt) this.#dueAt = Number.POSITIVE_INFINITY;
  }
}
