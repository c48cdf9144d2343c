/**
 * The options that steer the core, in one table: what they mean, what is allowed, what they are by default.
 */
import type { Msecs } from "./clock.ts";
import { duration, invalidOption, ofType, oneOf, type Rules, wholeNumber } from "./rules.ts";
import { checkTuning, type Tuning, tuningFault } from "./tuning-options.ts";

/** Limits and habits of each pool. They apply per origin. */
export interface PoolOptions {
  /** Keep connections for reuse; `false` sends `Connection: close` and opens one per request. */
  readonly keepAlive: boolean;
  /** Close a connection that was idle for longer, in ms. 0 keeps none, `Infinity` closes none for being idle. A shorter limit of the server wins. */
  readonly keepAliveMsecs: Msecs;
  /** Open sockets per origin, those being dialed included; further requests wait. At least 1; `Infinity` means no limit. */
  readonly maxSockets: number;
  /** Idle sockets kept per origin; beyond it the one that has been idle longest is closed. 0 keeps none. */
  readonly maxFreeSockets: number;
  /** Which idle connection is used: the one idle for the shortest (`lifo`) or longest (`fifo`) time. */
  readonly scheduling: "lifo" | "fifo";
  /**
   * Over TLS: whether a request that waits has a dial of its own only where that would be ready sooner than a connection in use
   * becomes free, and no faster than handshakes can be made (`patient`), or at once (`eager`). Over plain TCP all dials are eager.
   */
  readonly dialing: "patient" | "eager";
  /** Idle sockets held ready per origin that was used once; one that ends, also by `keepAliveMsecs`, is replaced. */
  readonly minFreeSockets: number;
  /** A connection that is older is closed when it is free, in ms; each one up to 10 % earlier. */
  readonly maxSocketAgeMsecs: Msecs;
  /** A connection that has carried so many requests is closed. A smaller `Keep-Alive: max=N` wins. */
  readonly maxRequestsPerSocket: number;
  /** Requests per origin that may wait without a dial of their own; beyond it `QueueFullError`. 0 lets none wait. */
  readonly maxPending: number;
  /** Longest wait for a connection in ms, then `QueueTimeoutError`. Waiting for a dial counts. */
  readonly queueTimeoutMsecs: Msecs;
  /** DNS, TCP and TLS together, in ms, then `ConnectTimeoutError`. */
  readonly connectTimeoutMsecs: Msecs;
  /** A lane whose longest wait is this long, in ms, or that refuses requests, is reported as saturated. `Infinity` reports none. */
  readonly saturationMsecs: Msecs;
  /**
   * Whether `maxFreeSockets` and `keepAliveMsecs` move to where connections cost least: not (`off`), slowly and within bounds
   * (`auto`), or not any more (`frozen`). An object sets the bounds: see `TuningOptions`.
   */
  readonly tuning: Tuning;
}

/** `PoolOptions` and what bounds all pools together. */
export interface CoreOptions extends PoolOptions {
  /** Open sockets of the whole client. To make room, the longest-idle socket of another origin is closed. */
  readonly maxTotalSockets: number;
  /** Pools kept; beyond it the one unused for longest goes, unless requests are under way in it. */
  readonly maxOrigins: number;
}

/** The table. */
export const coreRules = {
  keepAlive: {
    default: true,
    check: ofType("boolean", "true or false"),
    unit: null,
    doc: "keep connections for reuse; `false` sends `Connection: close`",
  },
  keepAliveMsecs: {
    default: 5_000,
    check: duration("from 0"),
    unit: "ms",
    doc: "close a connection that was idle for longer; a shorter limit of the server wins",
  },
  maxSockets: {
    default: 256,
    check: wholeNumber(1, "or Infinity"),
    unit: "sockets",
    doc: "open sockets per origin; further requests wait",
  },
  maxFreeSockets: {
    default: 256,
    check: wholeNumber(0, "or Infinity"),
    unit: "sockets",
    doc: "idle sockets kept per origin; beyond it the longest idle is closed",
  },
  maxTotalSockets: {
    default: Number.POSITIVE_INFINITY,
    check: wholeNumber(1, "or Infinity"),
    unit: "sockets",
    doc: "open sockets of the whole client; the longest-idle socket of another origin makes room",
  },
  maxOrigins: {
    default: Number.POSITIVE_INFINITY,
    check: wholeNumber(1, "or Infinity"),
    unit: "origins",
    doc: "pools kept; the one unused for longest makes room",
  },
  scheduling: {
    default: "lifo",
    check: oneOf("lifo", "fifo"),
    unit: null,
    doc: 'which idle connection is used: `"lifo"` lets extras expire, `"fifo"` spreads load',
  },
  dialing: {
    default: "patient",
    check: oneOf("patient", "eager"),
    unit: null,
    doc: 'over TLS: `"patient"` dials where that is sooner than a free connection, `"eager"` for every request that waits',
  },
  minFreeSockets: {
    default: 0,
    check: wholeNumber(0, "finite"),
    unit: "sockets",
    doc: "idle sockets held ready ahead of demand, per origin that was used once",
  },
  maxSocketAgeMsecs: {
    default: Number.POSITIVE_INFINITY,
    check: duration("above 0"),
    unit: "ms",
    doc: "close older connections when they are free; each up to 10 % earlier",
  },
  maxRequestsPerSocket: {
    default: Number.POSITIVE_INFINITY,
    check: wholeNumber(1, "or Infinity"),
    unit: "requests",
    doc: "close a connection after so many; a smaller `Keep-Alive: max=N` wins",
  },
  maxPending: {
    default: Number.POSITIVE_INFINITY,
    check: wholeNumber(0, "or Infinity"),
    unit: "requests",
    doc: "requests per origin that may wait without a dial of their own; beyond it `QueueFullError` at once",
  },
  queueTimeoutMsecs: {
    default: Number.POSITIVE_INFINITY,
    check: duration("above 0"),
    unit: "ms",
    doc: "longest wait for a connection, then `QueueTimeoutError`",
  },
  connectTimeoutMsecs: {
    default: 10_000,
    check: duration("above 0"),
    unit: "ms",
    doc: "DNS, TCP and TLS together, then `ConnectTimeoutError`",
  },
  saturationMsecs: {
    default: 1_000,
    check: duration("above 0"),
    unit: "ms",
    doc: "report a lane as saturated in which requests wait for so long, or are refused",
  },
  tuning: {
    default: "off",
    check: tuningFault,
    unit: null,
    doc: 'whether `maxFreeSockets` and `keepAliveMsecs` move by themselves: `"off"`, `"auto"`, `"frozen"`, or an object with bounds',
  },
} as const satisfies Rules<CoreOptions>;

/**
 * Checks what no single row of the table can.
 *
 * @throws InvalidOptionError when more sockets would be held ready than may be kept, or `tuning` has what is not allowed.
 */
export function checkTogether(options: CoreOptions, where: string): void {
  checkTuning(options, where);
  const most = Math.min(options.maxFreeSockets, options.maxSockets, options.maxTotalSockets);
  if (options.minFreeSockets <= most) return;
  const allowed = `at most ${most}, the least of maxFreeSockets, maxSockets and maxTotalSockets`;
  const fault = { nature: "RangeError", allowed } as const;
  throw invalidOption("minFreeSockets", options.minFreeSockets, fault, where);
}
