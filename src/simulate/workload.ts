/**
 * What a user says of the requests of a simulation: drawn streams, closed loops, and recorded traces. Checked against
 * one table of all fields, of which each kind of workload has some.
 */
import type { Msecs } from "../core/clock.ts";
import { InvalidOptionError } from "../core/errors.ts";
import {
  duration,
  type Fault,
  nearest,
  ofType,
  type Rule,
  resolveOptions,
  show,
  wholeNumber,
} from "../core/rules.ts";
import { type Distribution, distribution, isShare } from "./distribution.ts";
import { originOf } from "./environment.ts";
import type { TraceFormat, TraceOptions, TraceSource } from "./traces/format.ts";

/** What all drawn requests have. */
export interface StreamOptions {
  /** Where they go; of several, each as likely as the other. Default `http://origin.test`. */
  readonly origin?: string | readonly string[] | undefined;
  /** Their lane. Default: what the service's `laneFor` says, else `default`. */
  readonly lane?: string | undefined;
  /** The share of them that may be sent twice, from 0 to 1. Default 1. */
  readonly replayableShare?: number | undefined;
  /** How long the server takes for them. Default: what `servers` says. */
  readonly serviceMsecs?: Distribution | undefined;
  /** They begin so long after the simulation. Default 0. */
  readonly startsAfterMsecs?: Msecs | undefined;
  /** They end so long after they began. `Infinity`, the default, needs `requests`. */
  readonly durationMsecs?: Msecs | undefined;
  /** So many, at most. `Infinity`, the default, needs `durationMsecs`. */
  readonly requests?: number | undefined;
}

/** Requests that know nothing of each other, with a steady rate. */
export interface PoissonWorkload extends StreamOptions {
  readonly kind: "poisson";
  readonly ratePerSecond: number;
}

/** Nothing, and then many at once. */
export interface BurstWorkload extends StreamOptions {
  readonly kind: "bursts";
  /** Requests of a burst. */
  readonly size: number;
  /** From the beginning of one burst to that of the next. */
  readonly everyMsecs: Distribution;
  /** A burst takes so long. Default 0. */
  readonly spreadMsecs?: Msecs | undefined;
}

/** As Poisson arrivals, with a rate that goes up and down. */
export interface DiurnalWorkload extends StreamOptions {
  readonly kind: "diurnal";
  /** The mean. */
  readonly ratePerSecond: number;
  /** From 0 to 1: how far the rate goes up and down, as a share of the mean. Default 0.8. */
  readonly swing?: number | undefined;
  /** From one bottom to the next, of which the first is the beginning. Default a day. */
  readonly periodMsecs?: Msecs | undefined;
}

/** Clients that each ask, wait for the response, think, and ask again. */
export interface LoopWorkload extends StreamOptions {
  readonly kind: "loop";
  readonly clients: number;
  /** From a response to the next request of the same client. Default 0. */
  readonly thinkMsecs?: Distribution | undefined;
}

/** Requests that were recorded. */
export interface TraceWorkload extends TraceOptions {
  readonly kind: "trace";
  /** The bytes or text of the trace, in pieces of any size, or its records. */
  readonly source: TraceSource;
  /** What it is. Default `"auto"`: what its beginning says. */
  readonly format?: TraceFormat | "auto" | undefined;
}

/** Requests of one kind. */
export type Workload =
  | PoissonWorkload
  | BurstWorkload
  | DiurnalWorkload
  | LoopWorkload
  | TraceWorkload;

/** A drawn workload, complete. */
export interface ResolvedStream {
  readonly kind: "poisson" | "bursts" | "diurnal" | "loop";
  readonly origins: readonly string[];
  readonly lane: string | null;
  readonly replayableShare: number;
  readonly serviceMsecs: Distribution | null;
  readonly startsAfterMsecs: Msecs;
  readonly durationMsecs: Msecs;
  readonly requests: number;
  readonly ratePerSecond: number;
  readonly size: number;
  readonly everyMsecs: Distribution;
  readonly spreadMsecs: Msecs;
  readonly swing: number;
  readonly periodMsecs: Msecs;
  readonly clients: number;
  readonly thinkMsecs: Distribution;
}

const daily = 86_400_000;
const required = "required";

function positive(value: unknown): Fault | null {
  if (typeof value === "number" && value > 0 && value <= 1e9) return null;
  const nature = typeof value === "number" ? "RangeError" : "TypeError";
  return { nature, allowed: "a number above 0" };
}

function share(value: unknown): Fault | null {
  if (isShare(value)) return null;
  const nature = typeof value === "number" ? "RangeError" : "TypeError";
  return { nature, allowed: "a number from 0 to 1" };
}

const row = (value: unknown, check: Rule<unknown>["check"], doc: string): Rule<unknown> => ({
  default: value,
  check,
  unit: null,
  doc,
});

const common = {
  // Checked and completed on its own.
  origin: row(undefined, () => null, "where they go"),
  lane: row(null, ofType("string", "the name of a lane"), "their lane"),
  replayableShare: row(1, share, "share of them that may be sent twice"),
  serviceMsecs: row(null, distribution(), "how long the server takes for them"),
  startsAfterMsecs: row(0, duration("from 0"), "they begin so long after the simulation"),
  durationMsecs: row(Number.POSITIVE_INFINITY, duration("above 0"), "they end so long after that"),
  requests: row(Number.POSITIVE_INFINITY, wholeNumber(1, "or Infinity"), "so many, at most"),
};

const rate = row(required, positive, "requests per second, on average");

/** What each kind has beside what all have. */
const own = {
  poisson: { ratePerSecond: rate },
  bursts: {
    size: row(required, wholeNumber(1, 1_000_000), "requests of a burst"),
    everyMsecs: row(required, distribution(), "from one burst to the next"),
    spreadMsecs: row(0, duration("from 0"), "a burst takes so long"),
  },
  diurnal: {
    ratePerSecond: rate,
    swing: row(0.8, share, "how far the rate goes up and down, as a share of the mean"),
    periodMsecs: row(daily, duration("above 0"), "from one bottom to the next"),
  },
  loop: {
    clients: row(required, wholeNumber(1, 1_000_000), "clients that ask at a time"),
    thinkMsecs: row(0, distribution(), "from a response to the next request"),
  },
} as const;

const kinds = [...Object.keys(own), "trace"];

/**
 * Checks a drawn workload, and completes it.
 *
 * @throws InvalidOptionError
 */
export function resolveStream(
  given: Exclude<Workload, TraceWorkload>,
  path: string,
  where: string,
): ResolvedStream {
  const { kind, origin, ...rest } = given;
  const rules = { ...common, ...own[kind] };
  const resolved = resolveOptions<Record<string, unknown>>(rules, rest, where, `${path}.`);
  for (const [name, value] of Object.entries(resolved)) {
    if (value === required)
      throw invalid(`${path}.${name}`, `${path}.${name} must be given`, where);
  }
  const { requests, durationMsecs } = resolved;
  if (requests === Number.POSITIVE_INFINITY && durationMsecs === Number.POSITIVE_INFINITY) {
    const words = `${path}.requests or ${path}.durationMsecs must be given, else it would never end`;
    throw invalid(`${path}.requests`, words, where);
  }
  const listed: readonly unknown[] = Array.isArray(origin)
    ? origin
    : [origin ?? "http://origin.test"];
  if (listed.length === 0) {
    throw invalid(`${path}.origin`, `${path}.origin must be one origin or more`, where);
  }
  const origins = listed.map((each) => originOf(each, `${path}.origin`, where));
  return { ...resolved, kind, origins } as unknown as ResolvedStream;
}

/**
 * Checks that `given` is one workload or several.
 *
 * @throws InvalidOptionError
 */
export function listWorkloads(given: unknown, where: string): readonly Workload[] {
  const listed: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (listed.length === 0) throw invalid("workload", "workload must be one or more", where);
  for (const [index, each] of listed.entries()) {
    const path = Array.isArray(given) ? `workload[${index}]` : "workload";
    if (typeof each !== "object" || each === null) {
      throw invalid(path, `${path} must be an object with a kind, not ${show(each)}`, where);
    }
    const { kind } = each as { kind?: unknown };
    if (typeof kind === "string" && kinds.includes(kind)) continue;
    const near = typeof kind === "string" ? nearest(kinds, kind) : null;
    const hint = near === null ? "" : `; did you mean ${show(near)}?`;
    const known = kinds.map((name) => show(name)).join(", ");
    const words = `${path}.kind must be one of ${known}, not ${show(kind)}${hint}`;
    throw invalid(`${path}.kind`, words, where);
  }
  return listed as readonly Workload[];
}

function invalid(option: string, words: string, where: string): InvalidOptionError {
  return new InvalidOptionError(option, "TypeError", `${where}: ${words}`);
}
