/**
 * What pools and lanes have counted, put together: made when somebody reads, so that a request counts once.
 */
import type { PendingRequest } from "../core/pending.ts";
import type { Pool } from "../core/pool.ts";
import type { Pools } from "../core/pools.ts";
import type { Service } from "../core/service.ts";
import { LaneTally, Tally } from "../core/tally.ts";

/** What one service has counted, over all its origins. */
export interface ServiceTally {
  /** Origins of it that have a pool. */
  readonly origins: number;
  readonly tally: Tally;
  /** All lanes together, with those that are gone. */
  readonly allLanes: LaneTally;
  /** By name, those that the service has. */
  readonly lanes: ReadonlyMap<string, LaneTally>;
}

/** What the lanes of `pool` have counted together. */
export function lanesTally<R extends PendingRequest, T>({ lanes, tally }: Pool<R, T>): LaneTally {
  const all: LaneTally[] = [...lanes.all];
  if (tally.formerLanes !== null) all.push(tally.formerLanes);
  return sumOf(all);
}

/** What lanes have counted together. Not to be added to: of one it is that one. */
export function sumOf(lanes: Iterable<LaneTally>): LaneTally {
  const all = [...lanes];
  if (all.length === 1) return all[0] as LaneTally;
  const sum = new LaneTally();
  for (const each of all) sum.add(each);
  return sum;
}

/** What `service` has counted, with what came of pools that are gone. */
export function serviceTally<R extends PendingRequest, T>(
  pools: Pools<R, T>,
  service: Service<R, T>,
): ServiceTally {
  const tally = new Tally();
  tally.add(service.past);
  const lanes = new Map<string, LaneTally>();
  for (const { name, past } of service.lanes.values()) {
    const sum = new LaneTally();
    sum.add(past);
    lanes.set(name, sum);
  }
  let origins = 0;
  for (const pool of pools.all) {
    if (pool.service !== service) continue;
    origins++;
    tally.add(pool.tally);
    for (const place of pool.lanes.all) lanes.get(place.lane.name)?.add(place);
  }
  const allLanes = new LaneTally();
  for (const each of lanes.values()) allLanes.add(each);
  if (tally.formerLanes !== null) allLanes.add(tally.formerLanes);
  return { origins, tally, allLanes, lanes };
}

/** Sockets that are open, by what they do. */
export interface OpenSockets {
  readonly idle: number;
  readonly busy: number;
  readonly dialing: number;
}

/** What one origin of a service has counted, or the origins together that have no pool any more. */
export interface OriginPart {
  /** `*` for those without a pool. */
  readonly origin: string;
  readonly sockets: OpenSockets;
  readonly tally: Tally;
  /** By name; `*` for those together that the service has no more. */
  readonly lanes: ReadonlyMap<string, LaneTally>;
}

/** What adds up to all that `service` has counted. Several pools of one origin, as agents have them, are told as one. */
export function originParts<R extends PendingRequest, T>(
  pools: Pools<R, T>,
  service: Service<R, T>,
): OriginPart[] {
  const past = [...service.lanes.values()].map(({ name, past }) => [name, past] as const);
  const gone = { idle: 0, busy: 0, dialing: 0 };
  const parts = new Map([["*", partOf("*", gone, service.past, new Map(past), null)]]);
  for (const { service: own, origin, budget, tally, lanes } of pools.all) {
    if (own !== service) continue;
    const { idleCount, busy, dialing } = budget;
    const sockets = { idle: idleCount, busy, dialing };
    const places = [...lanes.all].map((each) => [each.lane.name, each] as const);
    const before = parts.get(origin) ?? null;
    parts.set(origin, partOf(origin, sockets, tally, new Map(places), before));
  }
  return [...parts.values()];
}

/** A part, with what `before` has where there is one. */
function partOf(
  origin: string,
  sockets: OpenSockets,
  tally: Tally,
  lanes: Map<string, LaneTally>,
  before: OriginPart | null,
): OriginPart {
  if (tally.formerLanes !== null) lanes.set("*", tally.formerLanes);
  if (before === null) return { origin, sockets, tally, lanes };
  const both = new Tally();
  for (const each of [before.tally, tally]) both.add(each);
  const sums = new Map<string, LaneTally>();
  for (const [name, each] of [...before.lanes, ...lanes]) {
    const sum = sums.get(name) ?? new LaneTally();
    sum.add(each);
    sums.set(name, sum);
  }
  return {
    origin,
    sockets: {
      idle: before.sockets.idle + sockets.idle,
      busy: before.sockets.busy + sockets.busy,
      dialing: before.sockets.dialing + sockets.dialing,
    },
    tally: both,
    lanes: sums,
  };
}
