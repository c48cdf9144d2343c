/**
 * What a simulation found, as plain JSON: in all, by lane and by origin, and over time.
 * Invariant: the same simulation makes the same text.
 */
import type { Msecs } from "../core/clock.ts";
import { type Durations, FineHistogram } from "./histogram.ts";
import type { TimedChange } from "./meter.ts";
import type { LaneTally, OriginModel } from "./model.ts";
import type { TimeSeries } from "./series.ts";
import { beginAt, type VirtualWorld } from "./world.ts";

/** What became of some requests. */
export interface RequestCounts {
  /** Requests that were made. */
  readonly requests: number;
  /** Requests whose response came. */
  readonly succeeded: number;
  /** Requests that got an error. */
  readonly failed: number;
  /** Of these: by the code of the error. */
  readonly failedBy: Readonly<Record<string, number>>;
  /** Of these: sent on a connection that the server had closed for being idle, and not sent again. */
  readonly failedStale: number;
  /** Times that a request was sent on a connection which the server had closed. */
  readonly metStale: number;
  /** Times that a request was sent again. */
  readonly resent: number;
  /** Requests on a connection that had carried one before, of all that had one; null when none had. */
  readonly reuseRatio: number | null;
  /** From the request to a connection, of all requests that had one. */
  readonly queueWait: Durations;
  /** From the request to the end of its response. */
  readonly latency: Durations;
}

/** What became of some sockets. */
export interface SocketCounts {
  readonly opened: number;
  readonly dialsFailed: number;
  /** Churn: connections opened per second. */
  readonly openedPerSecond: number;
  /** Why connections were closed. */
  readonly closedFor: Readonly<Record<string, number>>;
  /** Footprint: idle time of all sockets together, in seconds. */
  readonly idleSocketSeconds: number;
  /** Footprint: sockets that were idle, on average. */
  readonly meanIdle: number;
  /** Sockets that were open or being dialed, on average. */
  readonly meanOpen: number;
}

/** What a simulation found. Times are in ms, in fields that end in `Msecs`. */
export interface SimulationReport extends RequestCounts {
  readonly format: "keepline-simulation";
  /** A change that breaks readers raises it. */
  readonly formatVersion: 1;
  readonly seed: number;
  /** `complete`: every request was settled. `overloaded`: so many waited that it was given up. `limited`: it reached `mostRequests`. */
  readonly ended: "complete" | "overloaded" | "limited";
  /** What is counted took so long, in simulated ms. */
  readonly simulatedMsecs: Msecs;
  readonly sockets: SocketCounts & {
    /** The most at once. */
    readonly mostOpen: number;
    readonly mostIdle: number;
  };
  /** Requests that waited for a connection: the most at once. */
  readonly mostPending: number;
  readonly lanes: readonly (RequestCounts & { readonly service: string; readonly lane: string })[];
  readonly origins: readonly (RequestCounts & {
    readonly origin: string;
    readonly sockets: SocketCounts;
  })[];
  readonly series: TimeSeries;
  /** What `tuning: "auto"` has moved, warm-up included: the first 1,000 moves. Absent where no service is tuned. */
  readonly tuned?: readonly TimedChange[];
  /** Lines of traces that could not be read, and were skipped. */
  readonly skippedLines: number;
}

/** What `world` has counted. */
export function reportOf(
  world: VirtualWorld,
  ended: SimulationReport["ended"],
  skippedLines: number,
): SimulationReport {
  const { seed, countFrom } = world.settings;
  const simulatedMsecs = Math.max(world.now - Math.max(countFrom, beginAt), 0);
  const models = [...world.models.values()];
  const tallies = models.flatMap((each) => [...each.lanes.values()]);
  const isTuned = [...world.pools.services].some((each) => each.tuner !== null);
  const byLane = new Map<string, LaneTally[]>();
  for (const tally of tallies) {
    const key = `${tally.service}\0${tally.lane}`;
    byLane.set(key, [...(byLane.get(key) ?? []), tally]);
  }
  return {
    format: "keepline-simulation",
    formatVersion: 1,
    seed,
    ended,
    simulatedMsecs,
    ...countsOf(tallies),
    sockets: {
      ...socketsOf(models, simulatedMsecs),
      mostOpen: world.meter.mostOpen,
      mostIdle: world.meter.mostIdle,
    },
    mostPending: world.meter.mostPending,
    lanes: [...byLane.values()].map((each) => {
      const { service, lane } = each[0] as LaneTally;
      return { service, lane, ...countsOf(each) };
    }),
    origins: models.map((each) => ({
      origin: each.origin,
      ...countsOf([...each.lanes.values()]),
      sockets: socketsOf([each], simulatedMsecs),
    })),
    series: world.meter.series.summary,
    ...(isTuned ? { tuned: world.meter.changes } : {}),
    skippedLines,
  };
}

function countsOf(tallies: readonly LaneTally[]): RequestCounts {
  const sum = (count: (tally: LaneTally) => number): number =>
    tallies.reduce((total, each) => total + count(each), 0);
  const merged = (of: (tally: LaneTally) => FineHistogram): Durations => {
    const [first, ...others] = tallies;
    if (first !== undefined && others.length === 0) return of(first).summary;
    const all = new FineHistogram();
    for (const each of tallies) all.add(of(each));
    return all.summary;
  };
  const granted = sum((each) => each.granted);
  const failedBy = summed(tallies.map((each) => each.failed));
  return {
    requests: sum((each) => each.requests),
    succeeded: sum((each) => each.succeeded),
    failed: Object.values(failedBy).reduce((total, each) => total + each, 0),
    failedBy,
    failedStale: sum((each) => each.failedStale),
    metStale: sum((each) => each.metStale),
    resent: sum((each) => each.resent),
    reuseRatio: granted === 0 ? null : sum((each) => each.reused) / granted,
    queueWait: merged((each) => each.waits),
    latency: merged((each) => each.latencies),
  };
}

function socketsOf(models: readonly OriginModel[], simulatedMsecs: Msecs): SocketCounts {
  const sum = (count: (model: OriginModel) => number): number =>
    models.reduce((total, each) => total + count(each), 0);
  const opened = sum((each) => each.opened);
  const idleMsecs = sum((each) => each.idleMsecs);
  const per = (value: number): number => (simulatedMsecs === 0 ? 0 : value / simulatedMsecs);
  return {
    opened,
    dialsFailed: sum((each) => each.dialsFailed),
    openedPerSecond: per(opened * 1_000),
    closedFor: summed(models.map((each) => each.closed)),
    idleSocketSeconds: idleMsecs / 1_000,
    meanIdle: per(idleMsecs),
    meanOpen: per(sum((each) => each.openMsecs)),
  };
}

/** By name, in the order of names. */
function summed(counts: readonly ReadonlyMap<string, number>[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const each of counts) {
    for (const [name, count] of each) sums.set(name, (sums.get(name) ?? 0) + count);
  }
  const names = [...sums.keys()].sort();
  return Object.fromEntries(names.map((name) => [name, sums.get(name) as number]));
}
