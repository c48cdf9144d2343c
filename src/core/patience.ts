/**
 * Whether a request that waits is worth one more dial, or better waits for a connection that is about to be free.
 * Over TLS a burst would otherwise open a socket for each request: their handshakes delay each other and all else in the
 * process, and most of them are ready when nobody needs them any more. Over plain TCP a dial costs next to nothing, and is
 * made at once.
 *
 * Of what is known, means of the last ones: a dial takes D, a request holds its connection for S. While a dial is made,
 * the c connections in use serve c·D/S requests, and a dial under way, which is half made on average, about half as many
 * as one of these. So with n requests waiting without a dial and d dials under way one more dial is worth it when
 *
 *     n + 2·√n > (c + d)·D/S
 *
 * where the root allows for chance: of few requests it takes more to be certain than of many.
 * A connection counts in c only while its request is no older than S: who holds one for longer, as a stream does, will not
 * let it go soon. While D or S are unknown, or c is 0, every request gets its dial.
 *
 * The formula looks at one moment, and may be wrong. So a request whose pool has let no connection go in the time in
 * which it should have, S/c, gets its dial. And where requests keep coming each might wait a little for ever, though some
 * more connections would end it: when nothing was idle for twice the time in which the queue should have been served,
 * n·S/c, and for a dial at least, as many dials are made as requests waited all the while.
 *
 * Whatever is worth it, no more dials are under way than a cap, since handshakes compete for the processor: one that took
 * much longer than the best of late lowers the cap by one, ten others raise it by one.
 *
 * Invariant: a request that is held back is looked at again within S/c, or when a dial under way ends.
 */
import type { Msecs } from "./clock.ts";

/** What stands in a pool when one more dial is considered. */
export interface PoolLoad {
  /** Requests that wait, those that dials are for included. */
  readonly pending: number;
  readonly dialing: number;
  /** How long a request holds its connection, a mean of the last ones in ms; 0 while it is not known. */
  readonly serviceMsecs: Msecs;
  /** Requests that were served, since the pool was made. */
  readonly served: number;
  /** Connections in use. */
  readonly busy: number;
  /** Of these, connections that have been held for no longer than so many ms. */
  busyFor(msecs: Msecs): number;
}

/** A queue that was left to the connections that there are. */
interface Standing {
  /** When it should be over for certain. */
  readonly until: Msecs;
  /** The fewest that waited for a dial since. */
  least: number;
  /** `served` when a connection was last let go, as far as was looked; and until when another one should be. */
  served: number;
  nextUntil: Msecs;
}

const firstCap = 40;
const leastCap = 8;
/** A dial that takes so many times the best has been held up by others. */
const heldUpFactor = 1.25;
/** What a dial that was not held up adds to the cap. */
const capRise = 0.1;
/** The best is forgotten slowly, for the way to the server may have become longer. */
const bestRise = 1.02;
/** A mean of the last ones: each counts for so much. */
const dialWeight = 1 / 4;
/** How much more than n must be likely to be served, in standard deviations of a count that is expected to be n. */
const doubts = 2;
/** Timers are no finer. */
const leastLookMsecs: Msecs = 1;

/** What one pool knows of its dials, and of a queue that it has left to itself. */
export class Patience {
  #dialMsecs: Msecs | null = null;
  #bestDialMsecs: Msecs = Number.POSITIVE_INFINITY;
  #mostDialing = firstCap;
  #standing: Standing | null = null;
  /** Dials that a queue which did not pass may have. */
  #granted = 0;

  /** A connection was open after so long. */
  dialed(msecs: Msecs): void {
    const mean = this.#dialMsecs;
    this.#dialMsecs = mean === null ? msecs : mean + (msecs - mean) * dialWeight;
    this.#bestDialMsecs = Math.min(msecs, this.#bestDialMsecs * bestRise);
    const isHeldUp = msecs > this.#bestDialMsecs * heldUpFactor;
    this.#mostDialing = isHeldUp
      ? Math.max(this.#mostDialing - 1, leastCap)
      : this.#mostDialing + capRise;
  }

  /** Connections are idle: there are enough. */
  relieved(): void {
    this.#standing = null;
    this.#granted = 0;
  }

  /** When to look again whether one more dial is worth it; null when it is now. `Infinity`: when one of those under way has ended. */
  heldUntil(load: PoolLoad, now: Msecs): Msecs | null {
    if (load.dialing >= this.#mostDialing) return Number.POSITIVE_INFINITY;
    const dial = this.#dialMsecs;
    const service = load.serviceMsecs;
    if (dial === null || service === 0 || load.busy === 0) return null;
    const waiting = load.pending - load.dialing;
    const needed = (waiting + doubts * Math.sqrt(waiting)) * service;
    // The most that there can be, first: to look at each connection takes longer.
    if (needed > (load.busy + load.dialing) * dial) return null;
    const busy = load.busyFor(service);
    if (busy === 0 || needed > (busy + load.dialing) * dial) return null;
    if (this.#granted > 0) {
      this.#granted--;
      return null;
    }
    const lookMsecs = Math.max(service / busy, leastLookMsecs);
    const standing = this.#standing;
    if (standing === null) {
      const until = now + Math.max((2 * waiting * service) / busy, dial);
      const nextUntil = now + lookMsecs;
      this.#standing = { until, least: waiting, served: load.served, nextUntil };
      return nextUntil;
    }
    standing.least = Math.min(standing.least, waiting);
    if (now >= standing.until) {
      this.#standing = null;
      this.#granted = standing.least - 1;
      return null;
    }
    const isServing = load.served > standing.served;
    const isLate = !isServing && now >= standing.nextUntil;
    if (isServing || isLate) {
      standing.served = load.served;
      standing.nextUntil = now + lookMsecs;
    }
    return isLate ? null : standing.nextUntil;
  }
}
