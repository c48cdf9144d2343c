/**
 * `advise`: which limits suit a workload, what each change buys, and how sure that is. It simulates the workload under
 * many settings and takes the one that costs least of all that were tried.
 *
 * Invariant: what is recommended is on the Pareto front of everything that was tried, in churn, footprint, p99 and failures.
 */
import { type ClientOptions, clientRules } from "../../client/options.ts";
import type { Msecs } from "../../core/clock.ts";
import { InvalidOptionError } from "../../core/errors.ts";
import { show } from "../../core/rules.ts";
import { type Objective, paretoFront } from "../cost.ts";
import { randomStream } from "../random.ts";
import type { SimulationReport } from "../report.ts";
import { type RunOptions, type Simulation, simulate } from "../simulate.ts";
import { withValues } from "../sweep.ts";
import { keep } from "../traces/arrivals.ts";
import { traceStream } from "../traces/read.ts";
import { TraceReader } from "../traces/reader.ts";
import { withRecorded } from "../traces/recorded.ts";
import { TraceRequests } from "../traces/requests.ts";
import { listWorkloads, type Workload } from "../workload.ts";
import { type Confidence, confidenceOf } from "./confidence.ts";
import { adviseLanes, type LaneWeights } from "./lane-weights.ts";
import { raiserFor } from "./least.ts";
import {
  type AdviceWeights,
  costPerSecond,
  type Outcome,
  outcomeOf,
  usualAdviceWeights,
} from "./outcome.ts";
import { keyOf, options, type Point, rivalsOf, search } from "./search.ts";
import { changeWords, codeOf } from "./words.ts";

/** How advice is to be made. */
export interface AdviceOptions extends Pick<RunOptions, "signal"> {
  /** The service whose options are recommended. Default: those of the client, which are also those of a service `default` that was not given. */
  readonly service?: string | undefined;
  /** What is weighed against what. */
  readonly weights?: Partial<AdviceWeights> | undefined;
  /** Told after every simulation: how many there were. */
  readonly onProgress?: ((simulations: number) => void) | undefined;
}

/** What the workload is like, whatever the settings. */
export interface Evidence {
  readonly requests: number;
  /** From the first request to the last response. */
  readonly spanMsecs: Msecs;
  readonly requestsPerSecond: number;
  /** How long a request holds its connection, on average. */
  readonly meanHoldMsecs: Msecs;
  /** Little's law: requests a second times what each holds a connection, so many are in use on average. */
  readonly meanBusy: number;
  /** Sockets open at once when nothing limits them, all origins together. */
  readonly mostOpen: number;
  /** The server's idle window, as far as it was given; null when it is not known. */
  readonly serverWindowMsecs: Msecs | null;
  /** False when there were more requests than were looked at. */
  readonly isWhole: boolean;
}

/** One change, made after those before it. */
export interface Change {
  readonly option: string;
  readonly from: unknown;
  readonly to: unknown;
  readonly before: Outcome;
  readonly after: Outcome;
  /** "maxFreeSockets 2 → 12: churn 31/s → 0.4/s for 7 more idle sockets" */
  readonly words: string;
}

/** What another value of one option would do. */
export interface Sensitivity {
  readonly option: string;
  readonly value: number;
  readonly outcome: Outcome;
}

/** What to set, and why. Plain JSON. */
export interface Advice {
  readonly format: "keepline-advice";
  /** A change that breaks readers raises it. */
  readonly formatVersion: 1;
  readonly evidence: Evidence;
  readonly present: { readonly values: Point; readonly outcome: Outcome };
  readonly recommended: {
    readonly values: Point;
    readonly outcome: Outcome;
    /** Little's law again: requests a second that so many sockets of one origin can carry, kept busy without a pause; null when there is no limit. */
    readonly carriesPerSecond: number | null;
  };
  readonly lanes: readonly LaneWeights[];
  /** Empty when the present values are the best. */
  readonly changes: readonly Change[];
  /** Half and twice each recommended value, the others as recommended. */
  readonly sensitivity: readonly Sensitivity[];
  readonly confidence: Confidence;
  /** To paste into a program. */
  readonly code: string;
  /** All that were tried and that no other beats, by churn. */
  readonly front: readonly { readonly values: Point; readonly outcome: Outcome }[];
  /** Simulations that it took. */
  readonly simulations: number;
}

/** Requests that are looked at unless `mostRequests` says otherwise: every setting is tried on all of them. */
export const usualMost = 100_000;
const longestMsecs = 120_000;
/** A change that saves less of the cost is not worth a change. */
const worthShare = 0.01;

const objectives: readonly Objective<Outcome>[] = [
  (each) => each.openedPerSecond,
  (each) => each.meanIdle,
  (each) => each.p99Msecs,
  (each) => each.failedShare,
];

/** One setting that was tried. */
export interface Trial {
  readonly point: Point;
  readonly report: SimulationReport;
  readonly outcome: Outcome;
}

/**
 * Recommends `maxSockets`, `maxFreeSockets`, `keepAliveMsecs` and the weights of lanes for the workload of `simulation`, whose
 * `settings` are the present ones. Some 150 settings are simulated; a trace is read once, and what a recording says of its
 * surroundings and settings holds where `simulation` does not say it. Of more than 100,000 requests the first are taken, unless
 * `mostRequests` says otherwise.
 *
 * @throws as `simulate`, by rejection.
 */
export async function advise(
  simulation: Simulation,
  { service: named, weights, signal, onProgress }: AdviceOptions = {},
): Promise<Advice> {
  const first = await inMemory(simulation, simulation.mostRequests ?? usualMost);
  const isClients = named === "default" && first.settings?.services?.default === undefined;
  const service = isClients ? undefined : named;
  const prefix = service === undefined ? "" : `services.${service}.`;
  const weighed = { ...usualAdviceWeights, ...weights };
  const trials = new Map<string, Trial>();
  let simulations = 0;
  const run = async (
    values: Readonly<Record<string, unknown>>,
    more: Partial<Simulation> = {},
  ): Promise<SimulationReport> => {
    const settings = withValues(first.settings ?? {}, values);
    const report = await simulate(
      { mostRequests: usualMost, points: 2, ...first, settings, ...more },
      { signal },
    );
    simulations++;
    onProgress?.(simulations);
    return report;
  };
  const valuesOf = (point: Point): Record<string, unknown> =>
    Object.fromEntries(options.map((each) => [`${prefix}${each}`, point[each]]));
  const raise = raiserFor(first.settings ?? {}, service);
  const trial = async (asked: Point): Promise<Trial> => {
    const point = raise(asked);
    const known = trials.get(keyOf(point));
    if (known !== undefined) return known;
    const report = await run(valuesOf(point));
    const made = { point, report, outcome: outcomeOf(report) };
    trials.set(keyOf(point), made);
    return made;
  };

  const present = presentOf(first.settings ?? {}, service);
  const never = Number.POSITIVE_INFINITY;
  const open = await run(
    valuesOf({ maxSockets: never, maxFreeSockets: never, keepAliveMsecs: longestMsecs }),
  );
  if (open.requests === 0) {
    throw new InvalidOptionError(
      "workload",
      "RangeError",
      "advise(): the workload has no requests",
    );
  }
  const evidence = evidenceOf(open, first.servers);
  const { requestsPerSecond, meanBusy, serverWindowMsecs } = evidence;
  const mostOpen = Math.max(evidence.mostOpen, 1);
  const cost = (outcome: Outcome): number => costPerSecond(outcome, requestsPerSecond, weighed);
  const bounds = {
    mostOpen,
    meanBusy,
    longestMsecs: Math.min(longestMsecs, withinWindow(serverWindowMsecs)),
  };
  // Within a window that the server tells, the pool keeps by itself; of one that it does not tell nobody should have to learn.
  const isSilent = windowOf(first.servers)?.isSilent === true;
  const isTooLong = isSilent && present.keepAliveMsecs > bounds.longestMsecs;
  const found = await search(
    bounds,
    async (point) => cost((await trial(point)).outcome),
    isTooLong ? [] : [present],
  );
  const isBest = (each: Trial): boolean =>
    ![...trials.values()].some((other) => dominates(other.outcome, each.outcome));
  let best = await trial(found);
  // What is as good as it is stays.
  for (const option of options) {
    if (option === "keepAliveMsecs" && isTooLong) continue;
    const kept = await trial({ ...best.point, [option]: present[option] });
    if (cost(kept.outcome) <= cost(best.outcome) * (1 + worthShare) && isBest(kept)) best = kept;
  }
  // A limit that nothing came near costs nothing, and is there for the day on which something does.
  const roomy = Math.ceil(mostOpen * 1.25);
  if (best.point.maxSockets >= mostOpen && best.point.maxSockets > 2 * roomy) {
    const bounded = await trial({ ...best.point, maxSockets: roomy });
    if (cost(bounded.outcome) <= cost(best.outcome) && isBest(bounded)) best = bounded;
  }
  // What was left as it is, for the little that a change would save, may now be beaten by what nobody has tried yet.
  for (const rival of rivalsOf(best.point, bounds)) await trial(rival);
  if (!isBest(best)) {
    const better = [...trials.values()].filter((each) => dominates(each.outcome, best.outcome));
    better.sort((a, b) => cost(a.outcome) - cost(b.outcome));
    best = better[0] ?? best;
  }
  const { point } = best;

  const changes: Change[] = [];
  let stage = present;
  let before = (await trial(present)).outcome;
  for (const option of options) {
    if (point[option] === present[option]) continue;
    stage = { ...stage, [option]: point[option] };
    const after = (await trial(stage)).outcome;
    const change = {
      option: `${prefix}${option}`,
      from: present[option],
      to: point[option],
      before,
      after,
    };
    changes.push({ ...change, words: changeWords(change) });
    before = after;
  }
  const sensitivity: (Sensitivity & { readonly point: Point })[] = [];
  for (const option of options) {
    for (const factor of [0.5, 2]) {
      const value = Math.max(Math.round(point[option] * factor), 1);
      if (value === point[option] || value === never) continue;
      const other = { ...point, [option]: value };
      if (raise(other)[option] !== value) continue;
      sensitivity.push({ option, value, point: other, outcome: (await trial(other)).outcome });
    }
  }
  const lanes = await adviseLanes(first.settings ?? {}, service, best.report, (values) =>
    run({ ...valuesOf(point), ...values }),
  );
  const confidence = await confidenceOf({
    evidence,
    point,
    opened: best.report.sockets.opened,
    others: [present, ...sensitivity.map((each) => each.point)],
    costOf: async (each, half) => {
      const { requests, spanMsecs } = evidence;
      const most = Math.max(Math.floor(requests / 2), 1);
      const more = half === "first" ? { mostRequests: most } : { warmUpMsecs: spanMsecs / 2 };
      return cost(outcomeOf(await run(valuesOf(each), more)));
    },
  });
  const tried = [...trials.values()];
  const front = new Set(
    paretoFront(
      tried.map(({ outcome }) => outcome),
      objectives,
    ),
  );
  return {
    format: "keepline-advice",
    formatVersion: 1,
    evidence,
    present: { values: present, outcome: (await trial(present)).outcome },
    recommended: {
      values: point,
      outcome: best.outcome,
      carriesPerSecond:
        point.maxSockets === never || evidence.meanHoldMsecs === 0
          ? null
          : (point.maxSockets * 1_000) / evidence.meanHoldMsecs,
    },
    lanes,
    changes,
    sensitivity: sensitivity.map(({ point: _, ...each }) => each),
    confidence,
    code: codeOf(point, service, lanes, evidence),
    front: tried
      .filter(({ outcome }) => front.has(outcome))
      .sort((a, b) => a.outcome.openedPerSecond - b.outcome.openedPerSecond)
      .map(({ point: values, outcome }) => ({ values, outcome })),
    simulations,
  };
}

function dominates(one: Outcome, other: Outcome): boolean {
  return !one.isOverloaded && !paretoFront([one, other], objectives).includes(other);
}

function presentOf(settings: ClientOptions, service: string | undefined): Point {
  if (service !== undefined && !Object.hasOwn(settings.services ?? {}, service)) {
    const known = Object.keys(settings.services ?? {}).map((each) => show(each));
    const words = known.length === 0 ? "the settings have none" : `known are ${known.join(", ")}`;
    const message = `advise(): there is no service ${show(service)}; ${words}`;
    throw new InvalidOptionError("service", "RangeError", message);
  }
  const own: Partial<ClientOptions> =
    service === undefined ? {} : (settings.services?.[service] ?? {});
  const of = (option: keyof Point): number =>
    own[option] ?? settings[option] ?? (clientRules[option].default as number);
  return {
    maxSockets: of("maxSockets"),
    maxFreeSockets: of("maxFreeSockets"),
    keepAliveMsecs: of("keepAliveMsecs"),
  };
}

function evidenceOf(open: SimulationReport, servers: Simulation["servers"]): Evidence {
  const { requests, simulatedMsecs, latency, queueWait, sockets } = open;
  const perSecond = simulatedMsecs === 0 ? 0 : (requests * 1_000) / simulatedMsecs;
  const meanHoldMsecs = Math.max((latency.meanMsecs ?? 0) - (queueWait.meanMsecs ?? 0), 0);
  return {
    requests,
    spanMsecs: simulatedMsecs,
    requestsPerSecond: perSecond,
    meanHoldMsecs,
    meanBusy: (perSecond * meanHoldMsecs) / 1_000,
    mostOpen: sockets.mostOpen,
    serverWindowMsecs: windowOf(servers)?.msecs ?? null,
    isWhole: open.ended === "complete",
  };
}

interface IdleWindow {
  readonly msecs: Msecs;
  /** The server does not tell it. */
  readonly isSilent: boolean;
}

/** The shortest idle window of all servers, as far as they were given; null when none is known. */
function windowOf(servers: Simulation["servers"]): IdleWindow | null {
  if (servers === undefined) return null;
  const { origins = {}, ...own } = servers;
  const all = [own, ...Object.values(origins).map((each) => ({ ...own, ...each }))];
  const windows = all.flatMap(({ hintMsecs, idleTimeoutMsecs: idle }): IdleWindow[] => {
    if (typeof hintMsecs === "number") return [{ msecs: hintMsecs, isSilent: false }];
    const hasLimit = typeof idle === "number" && idle !== Number.POSITIVE_INFINITY;
    return hasLimit ? [{ msecs: idle, isSilent: true }] : [];
  });
  return windows.sort((a, b) => a.msecs - b.msecs)[0] ?? null;
}

/** `simulation` with its traces read, of each so much that a simulation sees whether there is more. */
async function inMemory(simulation: Simulation, most: number): Promise<Simulation> {
  const { workload, seed = 1 } = simulation;
  const read: Workload[] = [];
  let complete = simulation;
  for (const [index, each] of listWorkloads(workload, "advise()").entries()) {
    if (each.kind !== "trace" || each.source instanceof TraceRequests) {
      read.push(each);
      continue;
    }
    const path = Array.isArray(workload) ? `workload[${index}].` : "workload.";
    const random = randomStream(seed, traceStream + index);
    const reader = new TraceReader(each, random, path, "advise()");
    try {
      await reader.begin();
      read.push({ kind: "trace", source: await keep(reader, most + 1) });
      complete = withRecorded(complete, reader.head);
    } finally {
      await reader.close();
    }
  }
  return { ...complete, workload: read };
}

/** Short of the server's window by a second, or by a quarter where that is less. */
function withinWindow(windowMsecs: Msecs | null): Msecs {
  if (windowMsecs === null) return Number.POSITIVE_INFINITY;
  return Math.max(Math.floor(windowMsecs - Math.min(1_000, windowMsecs / 4)), 1);
}
