/**
 * `keepline/simulate`: what settings of a client would do, in a virtual world.
 */

export {
  type Advice,
  type AdviceOptions,
  advise,
  type Change,
  type Evidence,
  type Sensitivity,
} from "./advise/advise.ts";
export type { Confidence } from "./advise/confidence.ts";
export type { LaneWeights } from "./advise/lane-weights.ts";
export type { AdviceWeights, Outcome } from "./advise/outcome.ts";
export type { Point } from "./advise/search.ts";
export {
  type Cost,
  type Costed,
  type CostWeights,
  costOf,
  type Objective,
  paretoFront,
  rank,
  usualObjectives,
  usualWeights,
} from "./cost.ts";
export type { Distribution } from "./distribution.ts";
export type {
  GivenNetwork,
  GivenServers,
  NetworkOptions,
  ServerOptions,
} from "./environment.ts";
export type { Durations } from "./histogram.ts";
export type { RequestCounts, SimulationReport, SocketCounts } from "./report.ts";
export type { TimeSeries } from "./series.ts";
export { type RunOptions, type Simulation, simulate } from "./simulate.ts";
export {
  type Axis,
  type Cell,
  combinations,
  type SweepReport,
  sweep,
  sweepReport,
  withValues,
} from "./sweep.ts";
export { TraceError } from "./traces/error.ts";
export type {
  RecordingEnd,
  TraceFormat,
  TraceHead,
  TraceOptions,
  TraceRecord,
  TraceSource,
} from "./traces/format.ts";
export { type ReadTrace, type ReadTraceOptions, readTrace } from "./traces/read.ts";
export type { TraceRequests } from "./traces/requests.ts";
export type {
  BurstWorkload,
  DiurnalWorkload,
  LoopWorkload,
  PoissonWorkload,
  StreamOptions,
  TraceWorkload,
  Workload,
} from "./workload.ts";
