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
 *     n + 2·√n > (c + d)·(D + 8·d·h)/S
 *
 * where the root allows for chance: of few requests it takes more to be certain than of many. h is what a handshake takes of the
 * processor (`pace.ts`): one more dial makes all under way later, and the responses, too, whose requests then hold their connections
 * for longer. The factor is that with which the simulation's bursts were over soonest.
 * A connection counts in c only while its request is no older than S: who holds one for longer, as a stream does, will not
 * let it go soon. While D or S are unknown, or c is 0, every request gets its dial.
 *
 * The formula looks at one moment, and may be wrong. So a request whose pool has let no connection go in the time in
 * which it should have, S/c, gets its dial. And where requests keep coming each might wait a little for ever, though some
 * more connections would end it: when nothing was idle for twice the time in which the queue should have been served,
 * n·S/c, and for a dial at least, as many dials are made as requests waited all the while.
 *
 * Whatever is worth it, dials do not begin faster than their handshakes can be made (`pace.ts`). And whatever is not, a few
 * dials once in a while cost nobody anything: they are made, so that a pool grows with what it is asked for.
 *
 * Invariant: a request that is held back is looked at again within S/c, when the pace allows a dial, or when one under way ends.
 */
import type { Msecs } from "./clock.ts";
import { Pace } from "./pace.ts";

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

/** A mean of the last ones: each counts for so much. */
const dialWeight = 1 / 4;
/** How much more than n must be likely to be served, in standard deviations of a count that is expected to be n. */
const doubts = 2;
/** What all others lose by one more dial, in handshakes for each dial under way. */
const crowding = 8;
/** Dials that may be made whether they are worth it or not, and how many handshakes each of them is apart from the next. */
const spareCount = 32;
const spareGaps = 5;
/** Timers are no finer. */
const leastLookMsecs: Msecs = 1;

/** What one pool knows of its dials, and of a queue that it has left to itself. */
export class Patience {
  readonly #pace = new Pace();
  #dialMsecs: Msecs | null = null;
  /** When all dials of late would have begun, had they been `spareGaps` apart. */
  #crowdedUntil: Msecs = Number.NEGATIVE_INFINITY;
  #standing: Standing | null = null;
  /** Dials that a queue which did not pass may have. */
  #granted = 0;

  /** A dial begins. */
  began(now: Msecs): void {
    this.#pace.began(now);
    const apart = spareGaps * this.#pace.gapMsecs;
    const until = Math.max(this.#crowdedUntil, now) + apart;
    this.#crowdedUntil = Math.min(until, now + 2 * spareCount * apart);
  }

  /** A connection was open after so long. */
  dialed(msecs: Msecs, now: Msecs): void {
    const mean = this.#dialMsecs;
    this.#dialMsecs = mean === null ? msecs : mean + (msecs - mean) * dialWeight;
    this.#pace.ended(msecs, now);
  }

  /** Connections are idle: there are enough. */
  relieved(): void {
    this.#standing = null;
    this.#granted = 0;
  }

  /** When to look again whether one more dial is worth it; null when it is now. `Infinity`: when one of those under way has ended. */
  heldUntil(load: PoolLoad, now: Msecs): Msecs | null {
    const until = this.#pace.heldUntil(load.dialing, now) ?? this.#worthAt(load, now);
    if (until === null) return null;
    const at = Math.max(until, now + leastLookMsecs);
    this.#pace.willLook(at);
    return at;
  }

  #worthAt(load: PoolLoad, now: Msecs): Msecs | null {
    const gap = this.#pace.gapMsecs;
    if (now >= this.#crowdedUntil - spareCount * spareGaps * gap) return null;
    const dial = this.#dialMsecs;
    const service = load.serviceMsecs;
    if (dial === null || service === 0 || load.busy === 0) return null;
    const waiting = load.pending - load.dialing;
    const needed = (waiting + doubts * Math.sqrt(waiting)) * service;
    const price = dial + crowding * load.dialing * gap;
    // The most that there can be, first: to look at each connection takes longer.
    if (needed > (load.busy + load.dialing) * price) return null;
    const busy = load.busyFor(service);
    if (busy === 0 || needed > (busy + load.dialing) * price) return null;
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
