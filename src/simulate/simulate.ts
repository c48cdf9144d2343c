/**
 * `simulate`: checks what was given, builds the virtual world of it, lets it run, and tells what was found. In turns, so
 * that a process goes on with what else it does.
 */
import { type ClientOptions, resolveClientOptions } from "../client/options.ts";
import {
  chooseLane,
  findLane,
  type ResolvedService,
  resolveServices,
} from "../client/service-options.ts";
import type { Msecs, Random } from "../core/clock.ts";
import { duration, type Rules, resolveOptions, wholeNumber } from "../core/rules.ts";
import { type Arrivals, MergedArrivals } from "./arrivals.ts";
import { samplerOf } from "./distribution.ts";
import { Environment, type GivenNetwork, type GivenServers } from "./environment.ts";
import { burstInstants, diurnalInstants, Generated, poissonInstants } from "./generators.ts";
import { type Kind, LaneTally, OriginModel } from "./model.ts";
import { randomStream } from "./random.ts";
import { reportOf, type SimulationReport } from "./report.ts";
import { type KindFinder, type OpenTrace, openTrace } from "./traces/arrivals.ts";
import { traceStream } from "./traces/read.ts";
import { withRecorded } from "./traces/recorded.ts";
import { listWorkloads, type ResolvedStream, resolveStream, type Workload } from "./workload.ts";
import { beginAt, VirtualWorld } from "./world.ts";

/** What is simulated. */
export interface Simulation {
  /** The requests: one stream, or several at once. */
  readonly workload: Workload | readonly Workload[];
  /** The way to the servers. */
  readonly network?: GivenNetwork | undefined;
  /** What the servers do. */
  readonly servers?: GivenServers | undefined;
  /** The options of the client, as `new Client()` takes them. */
  readonly settings?: ClientOptions | undefined;
  /** The same seed makes the same report. Default 1. */
  readonly seed?: number | undefined;
  /** So much of the beginning is not counted, in ms. Default 0. */
  readonly warmUpMsecs?: Msecs | undefined;
  /** It ends when so many requests were made. Default `Infinity`. */
  readonly mostRequests?: number | undefined;
  /** It ends when so many requests wait: they could never be served. Default 250,000. */
  readonly mostPending?: number | undefined;
  /** Steps of the time series: so many to twice as many. Default 120. */
  readonly points?: number | undefined;
}

/** What can be said of the run itself. */
export interface RunOptions {
  /** Ends it: `simulate` rejects with the reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told about ten times a second: requests that were made, and simulated ms. */
  readonly onProgress?: ((requests: number, simulatedMsecs: Msecs) => void) | undefined;
}

type OwnOptions = Required<
  Pick<Simulation, "seed" | "warmUpMsecs" | "mostRequests" | "mostPending" | "points">
>;
type Own = { readonly [K in keyof OwnOptions]: NonNullable<OwnOptions[K]> };

const ownRules = {
  seed: { default: 1, check: wholeNumber(0, 0xffff_ffff), unit: null, doc: "of all draws" },
  warmUpMsecs: { default: 0, check: duration("from 0"), unit: "ms", doc: "not counted" },
  mostRequests: {
    default: Number.POSITIVE_INFINITY,
    check: wholeNumber(1, "or Infinity"),
    unit: "requests",
    doc: "it ends when so many were made",
  },
  mostPending: {
    default: 250_000,
    check: wholeNumber(1, 10_000_000),
    unit: "requests",
    doc: "it ends when so many wait",
  },
  points: {
    default: 120,
    check: wholeNumber(2, 10_000),
    unit: null,
    doc: "steps of the time series, at least",
  },
} as const satisfies Rules<Own>;

/** Origins that are told apart, at most. */
const mostOrigins = 10_000;
const where = "simulate()";
const stepsOfTurn = 20_000;
const turnMsecs = 40;

/**
 * Lets a client with `settings` meet a workload in a virtual world, and tells what became of it. The client's decisions
 * are those of the running library; its network and its servers are as they are described. Nothing is sent.
 *
 * @throws InvalidOptionError by rejection, also for `settings` that `new Client()` would refuse; TraceError for a trace
 * that cannot be read; the reason of `signal` when that is aborted.
 */
export async function simulate(
  simulation: Simulation,
  { signal, onProgress }: RunOptions = {},
): Promise<SimulationReport> {
  const { workload, network, servers, settings, ...rest } = simulation;
  const own = resolveOptions<Own>(ownRules, rest, where);
  const sources: Source[] = [];
  try {
    for (const [index, each] of listWorkloads(workload, where).entries()) {
      const path = Array.isArray(workload) ? `workload[${index}]` : "workload";
      const random = randomStream(own.seed, traceStream + index);
      const trace = each.kind === "trace" ? await openTrace(each, random, `${path}.`, where) : null;
      sources.push({ workload: each, path, random, trace });
    }
    const complete = sources.reduce(
      (known, { trace }) => withRecorded(known, trace?.head ?? null),
      simulation,
    );
    const run = new Run(complete, own, sources);
    return run.report(await runToEnd(run, signal, onProgress));
  } finally {
    for (const { trace } of sources) await trace?.close();
  }
}

/** What else there is to do is done; in a browser, too, which has no `setImmediate`. */
function turn(): Promise<void> {
  const later = globalThis.setImmediate ?? setTimeout;
  return new Promise((resolve) => later(resolve));
}

/** One workload of a simulation. */
interface Source {
  readonly workload: Workload;
  /** For messages. */
  readonly path: string;
  readonly random: Random;
  /** Null for what is no trace. */
  readonly trace: OpenTrace | null;
}

async function runToEnd(
  { world, own }: Run,
  signal: RunOptions["signal"],
  onProgress: RunOptions["onProgress"],
): Promise<SimulationReport["ended"]> {
  let toldAt = performance.now();
  for (;;) {
    if (world.feed.filling !== null) await world.feed.filling;
    signal?.throwIfAborted();
    const pause = world.run(Math.max(Math.min(stepsOfTurn, own.mostRequests - world.made), 1));
    if (pause === "over") return "complete";
    if (pause === "overloaded") return "overloaded";
    if (world.made >= own.mostRequests) return "limited";
    const at = performance.now();
    if (at - toldAt < turnMsecs) continue;
    toldAt = at;
    onProgress?.(world.made, world.now - beginAt);
    await turn();
  }
}

/** One simulation. */
class Run implements KindFinder {
  readonly own: Own;
  readonly world: VirtualWorld;
  readonly #services: ReadonlyMap<string, ResolvedService>;
  readonly #environment: Environment;
  readonly #kinds = new Map<string, Kind>();
  readonly #skippedLines: () => number;

  /** @throws InvalidOptionError */
  constructor({ network, servers, settings }: Simulation, own: Own, sources: readonly Source[]) {
    this.own = own;
    this.#skippedLines = () =>
      sources.reduce((sum, { trace }) => sum + (trace?.skippedLines ?? 0), 0);
    const options = resolveClientOptions(settings, `${where} settings`);
    this.#services = resolveServices(options.services, options, `${where} settings`);
    this.#environment = new Environment(network, servers, where);
    const { seed, warmUpMsecs, points, mostPending } = this.own;
    const countFrom = beginAt + warmUpMsecs;
    const services = [...this.#services.values()];
    this.world = new VirtualWorld({ options, services, seed, countFrom, points, mostPending });
    const arrivals = sources.flatMap((each) => this.#begin(each) ?? []);
    const [only] = arrivals;
    if (only !== undefined) {
      this.world.feed.from(arrivals.length === 1 ? only : new MergedArrivals(arrivals));
    }
  }

  report(ended: SimulationReport["ended"]): SimulationReport {
    this.world.finish();
    return reportOf(this.world, ended, this.#skippedLines());
  }

  /**
   * Requests to `origin` in `lane`; null: in the lane that its service chooses.
   *
   * @throws InvalidOptionError when there is no such lane; InvalidRequestError when two services have the origin.
   */
  kindOf(origin: string, lane: string | null, method = "GET", path = "/"): Kind {
    const known = lane === null ? undefined : this.#kinds.get(`${origin} ${lane}`);
    if (known !== undefined) return known;
    const { name } = this.world.pools.serviceOf(origin);
    const service = this.#services.get(name) as ResolvedService;
    if (lane === null) {
      const { laneFor } = service;
      const request = { method, origin, path, headers: undefined };
      const chosen = laneFor === null ? "default" : chooseLane(service, laneFor, request);
      return this.kindOf(origin, chosen);
    }
    const limits = findLane(service, lane, where);
    const model = this.#modelOf(origin);
    const tally = new LaneTally(name, lane);
    model.lanes.set(lane, tally);
    const { resend, headersTimeoutMsecs } = service.options;
    const { requestTimeoutMsecs } = limits;
    const kind = {
      model,
      lane,
      tally,
      limits: { resend, headersTimeoutMsecs, requestTimeoutMsecs },
    };
    this.#kinds.set(`${origin} ${lane}`, kind);
    return kind;
  }

  get hasLaneChoice(): boolean {
    return [...this.#services.values()].some((each) => each.laneFor !== null);
  }

  #modelOf(origin: string): OriginModel {
    const known = this.world.models.get(origin);
    if (known !== undefined) return known;
    if (this.world.models.size === mostOrigins) {
      throw new RangeError(`${where}: there are more than ${mostOrigins} origins`);
    }
    const model = new OriginModel(origin, this.#environment.of(origin));
    this.world.add(model);
    return model;
  }

  #begin({ workload, path, random, trace }: Source): Arrivals | null {
    if (trace !== null) return trace.arrivals(this, beginAt);
    if (workload.kind === "trace") return null;
    const stream = resolveStream(workload, path, where);
    const kinds = stream.origins.map((origin) => this.kindOf(origin, stream.lane));
    const service =
      stream.serviceMsecs === null
        ? null
        : samplerOf(stream.serviceMsecs, `${path}.serviceMsecs`, where);
    const startAt = beginAt + stream.startsAfterMsecs;
    const endAt = startAt + stream.durationMsecs;
    const { requests, replayableShare } = stream;
    const common = { kinds, service, replayableShare, random, endAt };
    if (stream.kind !== "loop") {
      return new Generated({ ...common, startAt, requests }, instantsOf(stream, startAt, path));
    }
    const think = samplerOf(stream.thinkMsecs, `${path}.thinkMsecs`, where);
    this.world.start({ ...common, think, left: requests }, stream.clients, startAt);
    return null;
  }
}

function instantsOf(stream: ResolvedStream, startAt: Msecs, path: string) {
  const perMsec = stream.ratePerSecond / 1_000;
  switch (stream.kind) {
    case "bursts": {
      const every = samplerOf(stream.everyMsecs, `${path}.everyMsecs`, "simulate()");
      return burstInstants(startAt, stream.size, stream.spreadMsecs, every);
    }
    case "diurnal":
      return diurnalInstants(startAt, perMsec, stream.swing, stream.periodMsecs);
    default:
      return poissonInstants(startAt, perMsec);
  }
}
