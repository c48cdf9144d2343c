/**
 * Moves `maxFreeSockets` and `keepAliveMsecs` of one service to where its connections cost least: what it would cost under
 * other values is seen in `ShadowIdle`, and weighed by `priceOf`.
 *
 * Slowly: a move is made when the same direction was worth it several times in a row, and goes one step of the grid, which is
 * half as much again. And only for a gain that chance does not explain: near the best value all costs are alike, and without
 * that it would go to and fro. What was seen fades by the decisions that were made since, so that a change of load is followed.
 * Invariant: both values are within their bounds, and no connection is kept for longer than its server allows.
 */
import type { Msecs } from "./clock.ts";
import { priceOf } from "./cost.ts";
import type { PoolOptions } from "./options.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { Pools } from "./pools.ts";
import type { Service } from "./service.ts";
import { ShadowCounts, type ShadowGrid, ShadowIdle } from "./shadow-idle.ts";
import { Deadline } from "./timers.ts";
import type { Bounds, TuningPolicy } from "./tuning-options.ts";

/** The options that are tuned. */
export type TunedOption = "maxFreeSockets" | "keepAliveMsecs";

/** What values lead to, in all pools of a service together. */
export interface TuningOutcome {
  /** Churn: connections opened per second. */
  readonly openedPerSecond: number;
  /** Footprint: idle connections on average. */
  readonly meanIdle: number;
  /** In dials a second: see `CostWeights`. */
  readonly costPerSecond: number;
}

/** A value that was moved, and why. */
export interface TuningChange {
  readonly service: string;
  readonly option: TunedOption;
  readonly from: number;
  readonly to: number;
  /** In words: what this is on the way to, and what that is worth. */
  readonly reason: string;
  /** What the values before led to, as it was counted lately. */
  readonly before: TuningOutcome;
  /** What those after would have led to. */
  readonly after: TuningOutcome;
}

/** From one value that is looked at to the next, unless that would be more than `mostSteps`. */
const stepFactor = 1.5;
const mostSteps = 12;
/** What was seen counts for so much after each decision: for the half after ten, which is five minutes at the usual interval. */
const keptShare = 14 / 15;
/**
 * How often in a row it must be worth it to go up, and to go down: what is kept in vain costs little, and what is given up in
 * vain is dialed again.
 */
const neededUp = 2;
const neededDown = 10;
/**
 * And when it is the one that a move came from: until the shares of the cost that were passed up come to this, which are
 * twenty times 8 %, or three times the half. Where bursts are as rare as what was seen is remembered, each of them seems to be
 * a change of load.
 */
const passedUpBack = 1.6;
/** The share of the cost that a move must save in the end, and how far from the least cost is near enough. */
const worthShare = 0.08;
const nearShare = 0.02;

/** One option: the values that are looked at, and where it is. */
class Axis {
  readonly values: readonly number[];
  index: number;
  /** Direction that was worth it, how often in a row, and what it would have saved of the cost each time, in sum. */
  #direction = 0;
  #times = 0;
  #passedUp = 0;
  /** Direction of the last move. */
  #moved = 0;

  constructor(bounds: Bounds, start: number, isWhole: boolean) {
    this.values = spread(bounds, start, isWhole);
    this.index = this.values.indexOf(start);
  }

  /**
   * A step to `target` is worth it: it saves `share` of the cost. Returns where to go: where it is, until that was so often
   * enough. `costAt`: what a value would cost, the other option being as it is; a step ends behind values that are all the same.
   */
  towards(target: number, share: number, costAt: (index: number) => number): number {
    const direction = Math.sign(target - this.index);
    const goesOn = direction === this.#direction;
    this.#times = goesOn ? this.#times + 1 : 1;
    this.#passedUp = goesOn ? this.#passedUp + share : share;
    this.#direction = direction;
    const isBack = this.#moved !== 0 && direction !== this.#moved;
    if (direction === 0 || this.#times < (direction > 0 ? neededUp : neededDown)) return this.index;
    if (isBack && this.#passedUp < passedUpBack) return this.index;
    let index = this.index + direction;
    while (index !== target && costAt(index) === costAt(this.index)) index += direction;
    return index;
  }

  moveTo(index: number): void {
    this.#moved = Math.sign(index - this.index);
    this.index = index;
  }
}

/** The tuning of one service. As a deadline it is the next decision. */
export class Tuner<R extends PendingRequest, T> extends Deadline {
  readonly policy: TuningPolicy;
  /** Moves since the service is tuned. */
  changeCount: number;
  maxFreeSockets: number;
  keepAliveMsecs: Msecs;
  readonly #world: Pools<R, T>;
  readonly #service: Service<R, T>;
  readonly #sizes: Axis;
  readonly #times: Axis;
  readonly #grid: ShadowGrid;
  readonly #counts: ShadowCounts;
  /** Requests that could not use what was idle: they dial under all values. */
  #otherDials = 0;
  /** The time that all counts are of; fades with them. */
  #countedMsecs: Msecs = 0;
  #countedAt: Msecs | null = null;

  /** Begins with `options`, as far as the bounds allow; what is frozen stays beyond them, too. */
  constructor(
    world: Pools<R, T>,
    service: Service<R, T>,
    policy: TuningPolicy,
    options: Pick<PoolOptions, TunedOption>,
    changeCount: number,
  ) {
    super();
    this.#world = world;
    this.#service = service;
    this.policy = policy;
    this.changeCount = changeCount;
    const { maxFreeSockets, keepAliveMsecs } = options;
    const isFrozen = policy.mode === "frozen";
    this.maxFreeSockets = isFrozen ? maxFreeSockets : within(policy.maxFreeSockets, maxFreeSockets);
    this.keepAliveMsecs = isFrozen ? keepAliveMsecs : within(policy.keepAliveMsecs, keepAliveMsecs);
    this.#sizes = new Axis(policy.maxFreeSockets, this.maxFreeSockets, true);
    this.#times = new Axis(policy.keepAliveMsecs, this.keepAliveMsecs, false);
    this.#grid = { sizes: this.#sizes.values, times: this.#times.values };
    this.#counts = new ShadowCounts(this.#grid);
  }

  /** How long a pool without connections must stay, for what it had to be missed. */
  get horizonMsecs(): Msecs {
    return this.policy.keepAliveMsecs[1];
  }

  /** True when it may go on where `policy` is wanted, and these values. */
  isFor(policy: TuningPolicy, maxFreeSockets: number, keepAliveMsecs: Msecs): boolean {
    const isThere =
      this.maxFreeSockets === maxFreeSockets && this.keepAliveMsecs === keepAliveMsecs;
    return isThere && isSame(this.policy, policy);
  }

  /** A connection of `pool` has become idle. */
  rested(pool: Pool<R, T>, now: Msecs): void {
    this.#shadowOf(pool, now).rested(now);
  }

  /** A request takes an idle connection of `pool`, or is dialed for. */
  wanted(pool: Pool<R, T>, now: Msecs): void {
    this.#shadowOf(pool, now).wanted(pool.options.scheduling === "lifo", now);
  }

  /** A request is dialed for though connections are idle, as it may use none of them. */
  wantedFresh(now: Msecs): void {
    this.#begin(now);
    this.#otherDials++;
  }

  /** An idle connection of `pool` has ended, and would have under other values; `isForOlder`: with those that were idle for longer. */
  ended(pool: Pool<R, T>, since: Msecs, isForOlder: boolean, now: Msecs): void {
    this.#shadowOf(pool, now).ended(since, isForOlder, now);
  }

  /** Time for a decision. Where nothing happens there is no further one: a client at rest is not woken. */
  override expire(now: Msecs): void {
    if (this.#world.isClosing) return;
    this.#countedMsecs += now - (this.#countedAt ?? now);
    this.#countedAt = null;
    const longest = this.#settle(now);
    if (longest !== null) this.#decide(longest, now);
    this.#counts.fade(keptShare);
    this.#otherDials *= keptShare;
    this.#countedMsecs *= keptShare;
  }

  #shadowOf(pool: Pool<R, T>, now: Msecs): ShadowIdle {
    this.#begin(now);
    if (pool.shadow?.grid === this.#grid) return pool.shadow;
    pool.shadow = new ShadowIdle(this.#grid, this.#counts);
    pool.shadow.limitMsecs = limitOf(pool);
    return pool.shadow;
  }

  #begin(now: Msecs): void {
    if (this.slot !== -1 || this.#world.isClosing) return;
    this.#countedAt = now;
    this.#world.timers.set(this, now + this.policy.intervalMsecs, now);
  }

  /** All that has ended is counted. Returns how long any of the servers keeps a connection; null when there is none. */
  #settle(now: Msecs): Msecs | null {
    let longest: Msecs | null = null;
    for (const pool of this.#world.all) {
      if (pool.shadow?.grid !== this.#grid) continue;
      pool.shadow.limitMsecs = limitOf(pool);
      pool.shadow.settle(now);
      longest = Math.max(longest ?? 0, pool.shadow.limitMsecs);
    }
    return longest;
  }

  #decide(longestMsecs: Msecs, now: Msecs): void {
    if (this.#countedMsecs === 0) return;
    const { values: sizes } = this.#sizes;
    const { values: times } = this.#times;
    const dial = this.#dialCost();
    const outcomes = this.#outcomes(dial);
    const at = this.#times.index + this.#sizes.index * times.length;
    const costAt = (size: number, time: number): number =>
      (outcomes[size * times.length + time] as TuningOutcome).costPerSecond;
    const present = outcomes[at] as TuningOutcome;
    const target = this.#target(outcomes, present);
    const best = outcomes[target.size * times.length + target.time] as TuningOutcome;
    // Of so many dials that differ, about the root is chance; below one nothing was seen.
    const differing = Math.abs(present.openedPerSecond - best.openedPerSecond);
    const chance = Math.sqrt(differing * this.#seconds + 1) * dial;
    const gain = present.costPerSecond - best.costPerSecond;
    const share = gain / present.costPerSecond;
    const isWorth = share > worthShare && gain * this.#seconds > chance;
    const here = { size: this.#sizes.index, time: this.#times.index };
    const goal = isWorth ? target : here;
    const size = this.#sizes.towards(goal.size, share, (index) => costAt(index, here.time));
    const time = this.#times.towards(goal.time, share, (index) => costAt(here.size, index));
    const after = outcomes[size * times.length + time] as TuningOutcome;
    const [, most] = this.policy.keepAliveMsecs;
    const keepAliveMsecs = Math.min(
      times[time] as Msecs,
      Math.max(Math.floor(longestMsecs), 1),
      most,
    );
    const words = { sizes: sizes[target.size], times: times[target.time] };
    const reason = `with maxFreeSockets ${words.sizes} and keepAliveMsecs ${words.times}, ${outcomeWords(best)}; now ${outcomeWords(present)}`;
    const move = (option: TunedOption, to: number): void => {
      const from = this[option];
      this[option] = to;
      this.changeCount++;
      const change = { service: this.#service.name, option, from, to, reason };
      this.#world.port.tuned({ ...change, before: present, after }, now);
    };
    const isSizeMoved = size !== this.#sizes.index;
    const isTimeMoved = time !== this.#times.index && keepAliveMsecs !== this.keepAliveMsecs;
    if (!isSizeMoved && !isTimeMoved) return;
    if (isSizeMoved) {
      this.#sizes.moveTo(size);
      move("maxFreeSockets", sizes[size] as number);
    }
    if (isTimeMoved) {
      this.#times.moveTo(time);
      move("keepAliveMsecs", keepAliveMsecs);
    }
    this.#service.tuned(now);
  }

  get #seconds(): number {
    return this.#countedMsecs / 1_000;
  }

  /** What a dial costs, with the request that waits for it. */
  #dialCost(): number {
    let count = 0;
    let sum = 0;
    for (const { service, tally } of this.#world.all) {
      if (service !== this.#service) continue;
      count += tally.dial.count;
      sum += tally.dial.sum;
    }
    const waitSeconds = count === 0 ? 0 : sum / count / 1_000;
    return this.#price(1, 0, waitSeconds);
  }

  #price(dials: number, idleSeconds: number, waitSeconds: number): number {
    const weights = { ...this.policy.weights, failure: 0 };
    return priceOf({ dials, idleSeconds, waitSeconds, failures: 0 }, weights).total;
  }

  #outcomes(dialCost: number): TuningOutcome[] {
    const counts = this.#counts;
    return Array.from(counts.misses, (missed, pair) => {
      const openedPerSecond = (missed + this.#otherDials) / this.#seconds;
      const meanIdle = counts.idleMsecsOf(pair) / this.#countedMsecs;
      const costPerSecond = openedPerSecond * dialCost + this.#price(0, meanIdle, 0);
      return { openedPerSecond, meanIdle, costPerSecond };
    });
  }

  /** The nearest pair that is as good as the best one. */
  #target(
    outcomes: readonly TuningOutcome[],
    present: TuningOutcome,
  ): { size: number; time: number } {
    const least = outcomes.reduce((min, each) => Math.min(min, each.costPerSecond), Infinity);
    const enough = least + (present.costPerSecond - least) * nearShare + least * nearShare;
    let found = { size: this.#sizes.index, time: this.#times.index };
    let fewest = Number.POSITIVE_INFINITY;
    const { length } = this.#times.values;
    for (const [pair, { costPerSecond }] of outcomes.entries()) {
      if (costPerSecond > enough) continue;
      const size = Math.floor(pair / length);
      const time = pair % length;
      const steps = Math.abs(size - this.#sizes.index) + Math.abs(time - this.#times.index);
      if (steps >= fewest) continue;
      fewest = steps;
      found = { size, time };
    }
    return found;
  }
}

/** How long a connection of `pool` can be used, whatever is configured. */
function limitOf<R extends PendingRequest, T>({ idle, options }: Pool<R, T>): Msecs {
  return Math.min(idle.serverWindowMsecs, options.maxSocketAgeMsecs);
}

function isSame(one: TuningPolicy, other: TuningPolicy): boolean {
  const flat = ({ mode, maxFreeSockets, keepAliveMsecs, intervalMsecs, weights }: TuningPolicy) => [
    mode,
    ...maxFreeSockets,
    ...keepAliveMsecs,
    intervalMsecs,
    weights.dial,
    weights.idleSecond,
    weights.waitSecond,
  ];
  const values = flat(other);
  return flat(one).every((each, index) => each === values[index]);
}

function within([least, most]: Bounds, value: number): number {
  return Math.min(Math.max(value, least), most);
}

/** Values between `bounds`, with both of them and `start`, each about as much greater than the one before. */
function spread([least, most]: Bounds, start: number, isWhole: boolean): number[] {
  const values = new Set([least, most, start]);
  const steps = stepsBetween(least, most);
  const factor = steps === 0 ? 1 : (most / least) ** (1 / steps);
  for (let value = least, step = 0; step < steps; step++, value *= factor) {
    values.add(isWhole ? Math.round(value) : Number(value.toPrecision(3)));
  }
  return [...values].filter((each) => each >= least && each <= most).sort((a, b) => a - b);
}

function stepsBetween(least: number, most: number): number {
  let steps = 0;
  for (let value = least; value < most && steps < mostSteps; value *= stepFactor) steps++;
  return steps;
}

function outcomeWords({ openedPerSecond, meanIdle }: TuningOutcome): string {
  return `${rounded(openedPerSecond)} dials a second and ${rounded(meanIdle)} idle sockets`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(2));
}
