/**
 * What the idle connections of one pool would be under other limits: for every pair of a size and a time that is looked at,
 * which requests would have found one, and for how long they would have been idle.
 *
 * Under each pair the idle connections are the latest of one and the same sequence: what is retired for being too many, for
 * being idle for too long, or taken in the order `fifo` is always the oldest; and what is taken in the order `lifo` is the
 * latest of all sequences at once. So each pair needs one number, where its connections begin, and the instants at which
 * connections became idle are kept once. Connections that the pool has retired live on here, which shows what larger limits
 * would have kept: as many as the greatest size, and for as long as the longest time.
 * Invariant: what a pair has, any pair with a greater size and a longer time has, too.
 */
import type { Msecs } from "./clock.ts";

/** The pairs that are looked at, every size with every time; both in ascending order. */
export interface ShadowGrid {
  readonly sizes: readonly number[];
  readonly times: readonly Msecs[];
}

/** What was seen of the pairs, in all pools of a service: size by size, and within a size time by time. */
export class ShadowCounts {
  /** Requests that would have found no idle connection. */
  readonly misses: Float64Array;
  /** How long connections would have been idle, together: of those that are idle no more, and were not so under all pairs alike. */
  readonly idleMsecs: Float64Array;
  /** As `idleMsecs`, of those that were idle under all pairs for the same time. */
  idleMsecsOfAll: Msecs = 0;

  constructor({ sizes, times }: ShadowGrid) {
    this.misses = new Float64Array(sizes.length * times.length);
    this.idleMsecs = new Float64Array(sizes.length * times.length);
  }

  /** How long connections would have been idle under one pair. */
  idleMsecsOf(pair: number): Msecs {
    return this.idleMsecsOfAll + (this.idleMsecs[pair] as number);
  }

  /** What was seen counts for `share` of it from now on. */
  fade(share: number): void {
    this.idleMsecsOfAll *= share;
    for (let pair = 0; pair < this.misses.length; pair++) {
      this.misses[pair] = (this.misses[pair] as number) * share;
      this.idleMsecs[pair] = (this.idleMsecs[pair] as number) * share;
    }
  }
}

const firstCapacity = 16;

/** The idle connections of one pool, under all pairs. */
export class ShadowIdle {
  readonly grid: ShadowGrid;
  /** No connection can be used after so long: the server's own limit, or the connection's greatest age. */
  limitMsecs: Msecs = Number.POSITIVE_INFINITY;
  readonly #counts: ShadowCounts;
  /** When connections became idle: a ring, of a power of two. */
  #since = new Float64Array(firstCapacity);
  /** Behind the latest one. These grow without end, and are masked for the ring. */
  #end = 0;
  /** Where each pair begins. The first one is the narrowest, the last one the widest. */
  readonly #begins: Float64Array;
  /** No pair has a connection whose time is over before. */
  #dueAt: Msecs = Number.POSITIVE_INFINITY;

  constructor(grid: ShadowGrid, counts: ShadowCounts) {
    this.grid = grid;
    this.#counts = counts;
    this.#begins = new Float64Array(counts.misses.length);
  }

  /** Connections that the widest pair has. */
  get count(): number {
    return this.#end - this.#first;
  }

  /** A connection has become idle. */
  rested(now: Msecs): void {
    if (this.count === this.#since.length) this.#widen();
    this.#since[this.#end & (this.#since.length - 1)] = now;
    this.#end++;
    const { sizes, times } = this.grid;
    const begins = this.#begins;
    this.#dueAt = Math.min(this.#dueAt, now + Math.min(times[0] as Msecs, this.limitMsecs));
    for (let row = 0; row < sizes.length; row++) {
      const most = this.#end - (sizes[row] as number);
      // From the longest time down: where that has not too many, no shorter one has.
      for (let column = times.length - 1; column >= 0; column--) {
        const pair = row * times.length + column;
        if ((begins[pair] as number) >= most) break;
        this.#leaves(pair, times[column] as Msecs, now);
      }
    }
  }

  /** A request needs a connection: of those that are idle the latest (`lifo`) or the oldest. */
  wanted(isLifo: boolean, now: Msecs): void {
    if (now >= this.#dueAt) this.settle(now);
    const { misses, idleMsecs } = this.#counts;
    const begins = this.#begins;
    const end = this.#end;
    // Nearly always: of all pairs the narrowest has one. To go through them all with each request took two to three times as long.
    if (isLifo && (begins[0] as number) < end) {
      this.#end--;
      this.#counts.idleMsecsOfAll += now - this.#at(this.#end);
      return;
    }
    const latest = now - this.#at(end - 1);
    for (let pair = 0; pair < begins.length; pair++) {
      const begin = begins[pair] as number;
      if (begin === end) misses[pair] = (misses[pair] as number) + 1;
      else if (isLifo) idleMsecs[pair] = (idleMsecs[pair] as number) + latest;
      else {
        idleMsecs[pair] = (idleMsecs[pair] as number) + now - this.#at(begin);
        begins[pair] = begin + 1;
      }
    }
    if (!isLifo || this.#first === end) return;
    this.#end--;
    for (let pair = 0; pair < begins.length; pair++) {
      if ((begins[pair] as number) > this.#end) begins[pair] = this.#end;
    }
  }

  /**
   * The connection that is idle since `since` has ended, and would have under other limits. `isForOlder`: the server has closed it, or
   * others took its place. Then those that were idle for longer have ended, too: the pool may have retired them before, and cannot see it.
   */
  ended(since: Msecs, isForOlder: boolean, now: Msecs): void {
    let index = this.#end - 1;
    while (index >= this.#first && this.#at(index) !== since) index--;
    const first = this.#first;
    if (index < first) return;
    const { times } = this.grid;
    for (let pair = 0; pair < this.#begins.length; pair++) {
      const time = times[pair % times.length] as Msecs;
      const begin = this.#begins[pair] as number;
      if (begin > index) continue;
      if (isForOlder) while ((this.#begins[pair] as number) <= index) this.#leaves(pair, time, now);
      else {
        this.#counts.idleMsecs[pair] =
          (this.#counts.idleMsecs[pair] as number) + Math.min(now - since, time, this.limitMsecs);
        this.#begins[pair] = begin + 1;
      }
    }
    if (isForOlder) return;
    // Those that were idle before it move up to its place.
    const mask = this.#since.length - 1;
    for (let each = index; each > first; each--) this.#since[each & mask] = this.#at(each - 1);
  }

  /** Connections whose time is over are counted. */
  settle(now: Msecs): void {
    const { times } = this.grid;
    const begins = this.#begins;
    this.#dueAt = Number.POSITIVE_INFINITY;
    for (let pair = 0; pair < begins.length; pair++) {
      const time = times[pair % times.length] as Msecs;
      const until = Math.min(time, this.limitMsecs);
      let begin = begins[pair] as number;
      while (begin < this.#end && now - this.#at(begin) >= until) {
        this.#leaves(pair, time, now);
        begin = begins[pair] as number;
      }
      if (begin < this.#end) this.#dueAt = Math.min(this.#dueAt, this.#at(begin) + until);
    }
  }

  get #first(): number {
    return this.#begins[this.#begins.length - 1] as number;
  }

  #at(index: number): Msecs {
    return this.#since[index & (this.#since.length - 1)] as Msecs;
  }

  /** The oldest of a pair is retired, now or when its time was over. */
  #leaves(pair: number, time: Msecs, now: Msecs): void {
    const begin = this.#begins[pair] as number;
    const { idleMsecs } = this.#counts;
    const idle = Math.min(now - this.#at(begin), time, this.limitMsecs);
    idleMsecs[pair] = (idleMsecs[pair] as number) + idle;
    this.#begins[pair] = begin + 1;
  }

  #widen(): void {
    const wider = new Float64Array(2 * this.#since.length);
    for (let index = this.#first; index < this.#end; index++) {
      wider[index & (wider.length - 1)] = this.#at(index);
    }
    this.#since = wider;
  }
}
