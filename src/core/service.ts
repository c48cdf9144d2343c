/**
 * A service: a named policy over one or more origins, with the budget of all their sockets and its lanes.
 * Invariant: a budget's `reserved` and `committed` are those of the lanes under it.
 */
import { Budget } from "./budget.ts";
import { Lane } from "./lane.ts";
import type { ServicePolicy } from "./lane-options.ts";
import { LaneLine } from "./line.ts";
import type { PoolOptions } from "./options.ts";
import type { PendingRequest } from "./pending.ts";
import type { Pool } from "./pool.ts";
import { Tally } from "./tally.ts";

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

  constructor(policy: ServicePolicy, client: Budget<R, T>) {
    this.name = policy.name;
    this.policy = policy;
    const limitName = `maxTotalSockets of service ${policy.name}`;
    this.budget = new Budget(limitName, policy.maxTotalSockets, client);
    this.budget.line = new LaneLine(this.lanes);
    this.configure(policy);
  }

  /** Limits and habits of the pools of its origins. */
  get options(): PoolOptions {
    return this.policy.options;
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
    tally.release();
    for (const place of lanes.all) {
      place.lane.past.add(place.tally);
      place.tally.release();
    }
  }

  /** Takes new limits. Returns true when lanes came, went or have another order: then its pools must begin them anew. */
  configure(policy: ServicePolicy): boolean {
    this.policy = policy;
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
}
