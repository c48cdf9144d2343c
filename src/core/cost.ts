/**
 * What connections cost, in one number: to open them, to hold them, and to wait for them are against each other, and what is
 * best depends on what each of them costs. The one place for this arithmetic: tuning, sweeps and advice all weigh with it.
 */

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

/** The usual weights. */
export const usualWeights: CostWeights = {
  dial: 1,
  idleSecond: 0.01,
  waitSecond: 10,
  failure: 100,
};

/** What is paid for: in all, in a second, or for a thousand requests. */
export interface Spending {
  readonly dials: number;
  readonly idleSeconds: number;
  readonly waitSeconds: number;
  readonly failures: number;
}

/** A price in dials: in all, and of what. */
export interface Cost {
  readonly total: number;
  readonly dials: number;
  readonly idle: number;
  readonly waits: number;
  readonly failures: number;
}

/** The price of `spending`. */
export function priceOf(spending: Spending, weights: CostWeights): Cost {
  const dials = spending.dials * weights.dial;
  const idle = spending.idleSeconds * weights.idleSecond;
  const waits = spending.waitSeconds * weights.waitSecond;
  const failures = spending.failures * weights.failure;
  return { total: dials + idle + waits + failures, dials, idle, waits, failures };
}
