/**
 * What a simulation's outcome costs, in one number; and which outcomes of several are not beaten in every respect by
 * another one. Connections opened, connections held and time waited are against each other: what is best depends on
 * what each of them costs.
 */
import type { SimulationReport } from "./report.ts";

/** What things cost, in dials: a dial costs 1. */
export interface CostWeights {
  /** A socket that is opened. Default 1. */
  readonly dial: number;
  /** A socket that is idle for a second. Default 0.01: to hold a socket for 100 s costs as much as to open one. */
  readonly idleSecond: number;
  /** A request that waits for a connection for a second, its dial included. Default 10: 100 ms cost as much as a dial. */
  readonly waitSecond: number;
  /** A request that fails. Default 100. */
  readonly failure: number;
}

/** What a thousand requests cost, in dials: in all, and of what. */
export interface Cost {
  readonly total: number;
  readonly dials: number;
  readonly idle: number;
  readonly waits: number;
  readonly failures: number;
}

/** The usual weights. */
export const usualWeights: CostWeights = {
  dial: 1,
  idleSecond: 0.01,
  waitSecond: 10,
  failure: 100,
};

/** What of a report its cost is made of. */
export type Costed = Pick<SimulationReport, "requests" | "failed"> & {
  readonly sockets: Pick<SimulationReport["sockets"], "opened" | "idleSocketSeconds">;
  readonly queueWait: Pick<SimulationReport["queueWait"], "count" | "meanMsecs">;
};

/** What a thousand requests of `report` cost; all 0 when there were none. */
export function costOf(report: Costed, weights: Partial<CostWeights> = {}): Cost {
  const { dial, idleSecond, waitSecond, failure } = { ...usualWeights, ...weights };
  const { requests, failed, sockets, queueWait } = report;
  const per = requests === 0 ? 0 : 1_000 / requests;
  const waitSeconds = ((queueWait.meanMsecs ?? 0) * queueWait.count) / 1_000;
  const dials = sockets.opened * dial * per;
  const idle = sockets.idleSocketSeconds * idleSecond * per;
  const waits = waitSeconds * waitSecond * per;
  const failures = failed * failure * per;
  return { total: dials + idle + waits + failures, dials, idle, waits, failures };
}

/** Something of which less is better; an outcome that has none counts as endless. */
export type Objective<T> = (outcome: T) => number | null;

/** Churn, footprint and the slowest hundredth: what settings of keep-alive trade for each other. */
export const usualObjectives: readonly Objective<SimulationReport>[] = [
  ({ sockets }) => sockets.openedPerSecond,
  ({ sockets }) => sockets.meanIdle,
  ({ latency }) => latency.p99Msecs,
  ({ requests, failed }) => (requests === 0 ? 0 : failed / requests),
];

/** The outcomes that no other one beats: better in one respect, and no worse in any. In their order. */
export function paretoFront<T>(outcomes: readonly T[], objectives: readonly Objective<T>[]): T[] {
  const scored = outcomes.map((outcome) => ({
    outcome,
    scores: objectives.map((each) => each(outcome) ?? Number.POSITIVE_INFINITY),
  }));
  return scored
    .filter(({ scores }) => !scored.some((other) => beats(other.scores, scores)))
    .map(({ outcome }) => outcome);
}

/** The outcomes by what they cost, the cheapest first. */
export function rank<T extends Costed>(
  outcomes: readonly T[],
  weights: Partial<CostWeights> = {},
): { readonly outcome: T; readonly cost: Cost }[] {
  return outcomes
    .map((outcome) => ({ outcome, cost: costOf(outcome, weights) }))
    .sort((a, b) => a.cost.total - b.cost.total);
}

function beats(one: readonly number[], other: readonly number[]): boolean {
  const isNoWorse = one.every((score, index) => score <= (other[index] as number));
  return isNoWorse && one.some((score, index) => score < (other[index] as number));
}
