/**
 * What a setting leads to, in the few figures that advice is about, and one number to compare two of them by.
 *
 * Invariant: the number rises with churn, footprint, the slowest hundredth and failures, and depends on nothing else. So the
 * setting with the least of it is on the Pareto front of all that were tried: what beats it would have less.
 */
import type { Msecs } from "../../core/clock.ts";
import { priceOf, usualWeights } from "../../core/cost.ts";
import type { SimulationReport } from "../report.ts";

/** What a setting leads to. */
export interface Outcome {
  /** Churn: connections opened per second. */
  readonly openedPerSecond: number;
  /** Footprint: idle sockets on average. */
  readonly meanIdle: number;
  /** 99 of 100 responses come within; null when none came. */
  readonly p99Msecs: Msecs | null;
  /** 99 of 100 requests have a connection within. */
  readonly waitP99Msecs: Msecs | null;
  /** Of all requests, the share that fails. */
  readonly failedShare: number;
  readonly reuseRatio: number | null;
  readonly mostOpen: number;
  /** True when it was given up, for too many requests waited. */
  readonly isOverloaded: boolean;
}

/** What advice weighs against each other, in dials: see `costOf`, of which these are the like for a whole workload. */
export interface AdviceWeights {
  /** A socket that is opened. Default 1. */
  readonly dial: number;
  /** A socket that is idle for a second. Default 0.01. */
  readonly idleSecond: number;
  /** A second in which one request of a hundred is slow, for each of a hundred requests. Default 500: 2 ms on the p99 cost a dial for every hundred requests. */
  readonly slowSecond: number;
  /** A request that fails. Default 100. */
  readonly failure: number;
}

/** The usual weights. */
export const usualAdviceWeights: AdviceWeights = {
  dial: usualWeights.dial,
  idleSecond: usualWeights.idleSecond,
  slowSecond: 500,
  failure: usualWeights.failure,
};

/** The figures of `report`. */
export function outcomeOf(report: SimulationReport): Outcome {
  const { sockets, latency, queueWait, requests, failed } = report;
  return {
    openedPerSecond: sockets.openedPerSecond,
    meanIdle: sockets.meanIdle,
    p99Msecs: latency.p99Msecs,
    waitP99Msecs: queueWait.p99Msecs,
    failedShare: requests === 0 ? 0 : failed / requests,
    reuseRatio: report.reuseRatio,
    mostOpen: sockets.mostOpen,
    isOverloaded: report.ended === "overloaded",
  };
}

/** What `outcome` costs in dials a second, at so many requests a second. Less is better; `Infinity` when it is overloaded. */
export function costPerSecond(
  outcome: Outcome,
  requestsPerSecond: number,
  weights: AdviceWeights,
): number {
  const { openedPerSecond, meanIdle, p99Msecs, failedShare, isOverloaded } = outcome;
  if (isOverloaded) return Number.POSITIVE_INFINITY;
  const spending = {
    dials: openedPerSecond,
    idleSeconds: meanIdle,
    waitSeconds: ((p99Msecs ?? 0) / 1_000) * (requestsPerSecond / 100),
    failures: failedShare * requestsPerSecond,
  };
  return priceOf(spending, { ...weights, waitSecond: weights.slowSecond }).total;
}
