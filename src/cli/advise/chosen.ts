/**
 * The requests that advice is for: of a trace those of one service, where it says which is which.
 */
import { usualMost } from "../../simulate/advise/advise.ts";
import { readTrace, type Simulation, type TraceWorkload } from "../../simulate/index.ts";
import { withRecorded } from "../../simulate/traces/recorded.ts";
import { Failure } from "../errors.ts";
import { count } from "../text.ts";

/** What is to be simulated. */
export interface Chosen {
  readonly simulation: Simulation;
  /** Undefined: the client's own options are recommended. */
  readonly service: string | undefined;
  /** What the user should know of it. */
  readonly notes: readonly string[];
}

/**
 * Reads the trace of `simulation`, or `traffic` in its place, and chooses the requests of `service`, or of the one that has most.
 *
 * Rejects with a Failure when there are none of that service, and as `readTrace`.
 */
export async function chosenOf(
  simulation: Simulation,
  traffic: readonly Uint8Array[] | null,
  service: string | undefined,
): Promise<Chosen> {
  const trace = traffic === null ? traceOf(simulation) : ({ kind: "trace", source: "" } as const);
  if (trace === null) return { simulation, service, notes: [] };
  const { kind, source, ...options } = trace;
  const { seed, mostRequests = usualMost } = simulation;
  const all = mostRequests + 1;
  const from = traffic === null ? source : streamOf(traffic);
  const read = await readTrace(from, { ...options, seed, mostRequests: all });
  const { services } = read.requests;
  const [busiest = ["default", 0] as const] = [...services].sort(([, a], [, b]) => b - a);
  const isTold = services.size > 1 || busiest[0] !== "default";
  const notes: string[] = [];
  const name = isTold ? (service ?? busiest[0]) : service;
  if (services.size > 1 && service === undefined) {
    notes.push(
      `for service ${busiest[0]}, which had ${count(busiest[1])} of ${count(read.requests.count)} requests; --service-name chooses another one`,
    );
  }
  if (isTold && service !== undefined && !services.has(service)) {
    const known = [...services]
      .map(([each, requests]) => `${each} (${count(requests)})`)
      .join(", ");
    throw new Failure(`no request was of service ${service}; there are those of ${known}`);
  }
  if (read.leftOut > 0) {
    notes.push(`${count(read.leftOut)} requests are missing in the trace: they came too fast`);
  }
  const requests = isTold ? read.requests.ofService(name ?? "default") : read.requests;
  const workload = { kind, source: requests } as const;
  const complete = withRecorded({ ...simulation, workload }, read.simulation);
  return { simulation: complete, service: name, notes };
}

/** Null when requests come from elsewhere, or also from elsewhere. */
function traceOf({ workload }: Simulation): TraceWorkload | null {
  const [only, ...others] = [workload].flat();
  return only?.kind === "trace" && others.length === 0 ? only : null;
}

async function* streamOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
