/**
 * A service: a named policy over one or more origins, with the budget of all their sockets and its lanes.
 * Invariant: a budget's `reserved` and `committed` are those of the lanes under it.
 */
import { Budget } from "./budget.ts";
import type { Msecs } from "./clock.ts";
import { Lane } from "./lane.ts";
import type { ServicePolicy } from "./lane-options.ts";
import { LaneLine } from "./line.ts";
import type { PoolOptions } from "./options.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import type { Pools } from "./pools.ts";
import { Tally } from "./tally.ts";
import { type TunedOption, Tuner } from "./tuner.ts";
import { tuningOf } from "./tuning-options.ts";

/** One service of a client. */
export class Service<R extends PendingRequest, T> {
  readonly name: string;
  policy: ServicePolicy;
  readonly budget: Budget<R, T>;
  readonly lanes = new Map<string, Lane<R, T>>();
  /** Pending requests of all its lanes and origins. */
  pending = 0;
  mostPending = 0;
  /** What pools of it counted that are gone. */
  readonly past = new Tally();
  /** Limits and habits of the pools of its origins: those of the policy, with the values that are tuned. */
  options: PoolOptions;
  /** Where the tuned values are; null while tuning is off. */
  tuning: Tuner<R, T> | null = null;
  /** As `tuning`, while values may move: it is told of idle connections. */
  tuner: Tuner<R, T> | null = null;
  readonly #world: Pools<R, T>;

  constructor(policy: ServicePolicy, world: Pools<R, T>) {
    this.#world = world;
    this.name = policy.name;
    this.policy = policy;
    this.options = policy.options;
    const limitName = `maxTotalSockets of service ${policy.name}`;
    this.budget = new Budget(limitName, policy.maxTotalSockets, world.budget);
    this.budget.line = new LaneLine(this.lanes);
    this.configure(policy);
  }

  /** Sockets that its lanes reserve at every limit. */
  get reservedSockets(): number {
    let sum = 0;
    for (const { options } of this.lanes.values()) sum += options.reservedSockets;
    return sum;
  }

  /** True when sockets are reserved here or above, so that the end of a claim may be what others wait for. */
  get isReservedFrom(): boolean {
    return this.budget.reserved > 0 || (this.budget.parent?.reserved ?? 0) > 0;
  }

  /** `pool` is gone. URLs may be remembered with it for a while, so that it keeps nothing large. */
  absorb({ tally, lanes }: Pool<R, T>): void {
    this.past.add(tally);
    tally.clearDurations();
    tally.formerLanes = null;
    for (const place of lanes.all) {
      place.lane.past.add(place);
      place.clearDurations();
    }
  }

  /** Takes new limits. Returns true when lanes came, went or have another order: then its pools must begin them anew. */
  configure(policy: ServicePolicy): boolean {
    this.#tune(policy);
    this.policy = policy;
    this.#combine();
    this.budget.limit = policy.maxTotalSockets;
    let hasChanged = false;
    for (const name of this.lanes.keys()) {
      if (policy.lanes.has(name)) continue;
      this.past.forget((this.lanes.get(name) as Lane<R, T>).past);
      this.lanes.delete(name);
      hasChanged = true;
    }
    for (const [name, options] of policy.lanes) {
      const known = this.lanes.get(name);
      // Who waits, waits in the order of then.
      if (known?.options.overload !== options.overload) hasChanged = true;
      if (known !== undefined) known.options = options;
      else this.lanes.set(name, new Lane(this, name, options));
    }
    return hasChanged;
  }

  /** Tuning has moved: its pools keep to the values of now. */
  tuned(now: Msecs): void {
    const { keepAliveMsecs } = this.options;
    this.#combine();
    for (const pool of this.#world.all) {
      if (pool.service !== this) continue;
      pool.idle.trim(now);
      if (keepAliveMsecs !== this.options.keepAliveMsecs) pool.idle.reconsider(now);
    }
  }

  /** Nothing is tuned any more: the client is closed, or has it no more. */
  end(): void {
    if (this.tuning !== null) this.#world.timers.clear(this.tuning);
  }

  /** Goes on from the values that are in use, unless the program has given others than before. */
  #tune(policy: ServicePolicy): void {
    const wanted = tuningOf(policy.options);
    const { tuning } = this;
    const start = (option: TunedOption): number => {
      const given = policy.options[option];
      return tuning === null || given !== this.policy.options[option] ? given : tuning[option];
    };
    const maxFreeSockets = start("maxFreeSockets");
    const keepAliveMsecs = start("keepAliveMsecs");
    if (wanted !== null && tuning?.isFor(wanted, maxFreeSockets, keepAliveMsecs)) return;
    this.end();
    if (wanted === null) this.tuning = null;
    else {
      const values = { maxFreeSockets, keepAliveMsecs };
      this.tuning = new Tuner(this.#world, this, wanted, values, tuning?.changeCount ?? 0);
    }
    this.tuner = wanted?.mode === "auto" ? this.tuning : null;
  }

  #combine(): void {
    const { tuning } = this;
    const { options } = this.policy;
    if (tuning === null) this.options = options;
    else {
      const { maxFreeSockets, keepAliveMsecs } = tuning;
      this.options = { ...options, maxFreeSockets, keepAliveMsecs };
    }
  }
}
