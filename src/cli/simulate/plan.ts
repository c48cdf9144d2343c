/**
 * What `keepline simulate` was asked for, in a form that can be handed to another thread, and the simulation of it.
 */
import { createReadStream } from "node:fs";
import path from "node:path";
import type { ClientOptions } from "../../client/options.ts";
import { readConfig } from "../../register/settings.ts";
import {
  type Axis,
  type Simulation,
  type TraceFormat,
  type TraceWorkload,
  type Workload,
  withValues,
} from "../../simulate/index.ts";

/** A trace in a file. */
export interface TraceFile extends Omit<TraceWorkload, "kind" | "source"> {
  /** Null: standard input. */
  readonly file: string | null;
  readonly format: TraceFormat | "auto";
}

/** Everything that was asked for. */
export interface Plan {
  /** A file with a `Simulation`; null when none was given. What is below wins over it. */
  readonly scenarioFile: string | null;
  /** A file with options of a client. */
  readonly settingsFile: string | null;
  readonly trace: TraceFile | null;
  readonly workload: Workload | null;
  /** Parts of the network and of the servers. */
  readonly network: NonNullable<Simulation["network"]>;
  readonly servers: NonNullable<Simulation["servers"]>;
  /** Settings by their places. */
  readonly set: Readonly<Record<string, unknown>>;
  readonly axes: readonly Axis[];
  readonly seed: number | null;
  readonly mostRequests: number | null;
}

/**
 * The simulation of one cell of `plan`. Files are read anew: what comes from a file may hold functions, which no other
 * thread can be handed.
 *
 * @throws InvalidOptionError when a file cannot be read.
 */
export function simulationOf(plan: Plan, values: Readonly<Record<string, unknown>>): Simulation {
  const scenario = fileOf(plan.scenarioFile, "--scenario") as Partial<Simulation>;
  const { workload, network, servers, settings, ...rest } = scenario;
  const given = plan.settingsFile === null ? settings : fileOf(plan.settingsFile, "--settings");
  return {
    ...rest,
    workload: traceOf(plan.trace) ?? plan.workload ?? (workload as Workload),
    network: { ...network, ...plan.network },
    servers: { ...servers, ...plan.servers },
    settings: withValues((given ?? {}) as ClientOptions, { ...plan.set, ...values }),
    ...(plan.seed === null ? {} : { seed: plan.seed }),
    ...(plan.mostRequests === null ? {} : { mostRequests: plan.mostRequests }),
  };
}

function traceOf(trace: TraceFile | null): TraceWorkload | null {
  if (trace === null) return null;
  const { file, ...options } = trace;
  // Larger pieces than usual: each costs a turn.
  const source = file === null ? process.stdin : createReadStream(file, { highWaterMark: 1 << 18 });
  return { kind: "trace", ...options, source };
}

function fileOf(file: string | null, option: string): object {
  return file === null ? {} : readConfig(path.resolve(file), option, "keepline simulate");
}
