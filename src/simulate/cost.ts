/**
 * What a simulation's outcome costs, in one number; and which outcomes of several are not beaten in every respect by
 * another one.
 */
import { type Cost, type CostWeights, priceOf, usualWeights } from "../core/cost.ts";
import type { SimulationReport } from "./report.ts";

export { type Cost, type CostWeights, usualWeights } from "../core/cost.ts";

/** What of a report its cost is made of. */
export type Costed = Pick<SimulationReport, "requests" | "failed"> & {
  readonly sockets: Pick<SimulationReport["sockets"], "opened" | "idleSocketSeconds">;
  readonly queueWait: Pick<SimulationReport["queueWait"], "count" | "meanMsecs">;
};

/** What a thousand requests of `report` cost; all 0 when there were none. */
export function costOf(report: Costed, weights: Partial<CostWeights> = {}): Cost {
  const { requests, failed, sockets, queueWait } = report;
  const per = requests === 0 ? 0 : 1_000 / requests;
  const spending = {
    dials: sockets.opened * per,
    idleSeconds: sockets.idleSocketSeconds * per,
    waitSeconds: ((queueWait.meanMsecs ?? 0) * queueWait.count * per) / 1_000,
    failures: failed * per,
  };
  return priceOf(spending, { ...usualWeights, ...weights });
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
