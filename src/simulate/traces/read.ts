/**
 * `readTrace`: the requests of a trace in memory, for many simulations of them.
 */
import { type Rules, resolveOptions, wholeNumber } from "../../core/rules.ts";
import { randomStream } from "../random.ts";
import type { Simulation } from "../simulate.ts";
import { keep } from "./arrivals.ts";
import type { RecordingEnd, TraceFormat, TraceOptions, TraceSource } from "./format.ts";
import { TraceReader } from "./reader.ts";
import { withRecorded } from "./recorded.ts";
import type { TraceRequests } from "./requests.ts";

/** How a trace is read. */
export interface ReadTraceOptions extends TraceOptions {
  /** What it is. Default `"auto"`: what its beginning says. */
  readonly format?: TraceFormat | "auto" | undefined;
  /** Its first so many requests. Default `Infinity`: all. */
  readonly mostRequests?: number | undefined;
  /** Of the instants of logs with whole seconds, spread over their second: the `seed` of the simulations. Default 1. */
  readonly seed?: number | undefined;
}

/** What was read. */
export interface ReadTrace {
  /** The requests, and what a recording says of what was around them: for `simulate` and `advise`, as it is or with other fields beside. */
  readonly simulation: Simulation;
  /** The requests: `count`, `spanMsecs`, how many by service in `services`, and those of one by `ofService`. */
  readonly requests: TraceRequests;
  /** Why a recording ended; null for other traces, and for a recording whose end is missing. */
  readonly ended: RecordingEnd | null;
  /** Requests that a recording could not hold, when who took it was too slow. */
  readonly leftOut: number;
}

const ownRules = {
  mostRequests: {
    default: Number.POSITIVE_INFINITY,
    check: wholeNumber(1, "or Infinity"),
    unit: "requests",
    doc: "the first so many",
  },
  seed: { default: 1, check: wholeNumber(0, 0xffff_ffff), unit: null, doc: "of all draws" },
} as const satisfies Rules<{ readonly mostRequests: number; readonly seed: number }>;

/**
 * Reads a trace once, in some twenty bytes a request. Of what it is read from the end is not awaited when `mostRequests` are there.
 *
 * @throws InvalidOptionError, TraceError, by rejection.
 */
export async function readTrace(
  source: TraceSource,
  { mostRequests, seed, ...options }: ReadTraceOptions = {},
): Promise<ReadTrace> {
  const where = "readTrace()";
  const own = resolveOptions<{ mostRequests: number; seed: number }>(
    ownRules,
    { mostRequests, seed },
    where,
  );
  const random = randomStream(own.seed, traceStream);
  const reader = new TraceReader({ kind: "trace", source, ...options }, random, "", where);
  try {
    await reader.begin();
    const requests = await keep(reader, own.mostRequests);
    const { head } = reader;
    const workload = { kind: "trace", source: requests } as const;
    return {
      simulation: withRecorded({ workload }, head),
      requests,
      ended: head?.ended ?? null,
      leftOut: head?.leftOut ?? 0,
    };
  } finally {
    await reader.close();
  }
}

/** The purpose of the random numbers of the first workload of a simulation; those of others follow. */
export const traceStream = 16;
