/**
 * What a load finds out, as plain data: what `--json` prints and what the text is made of.
 * A change that breaks readers of the JSON raises `loadFormatVersion`; new fields do not.
 */
import type { Msecs } from "../../core/clock.ts";
import type { LatencySummary } from "./latencies.ts";

/** The present version of the document. */
export const loadFormatVersion = 1;

/** The whole document. */
export interface LoadReport {
  readonly format: "keepline-load";
  readonly formatVersion: typeof loadFormatVersion;
  /** Versions of keepline and of Node.js. */
  readonly keepline: string;
  readonly node: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly plan: PlanReport;
  /** keepline's first, then those of `--compare`. Fewer when it was interrupted. */
  readonly runs: readonly RunReport[];
}

/** What was asked for. Null stands for no limit, and for what does not apply. */
export interface PlanReport {
  readonly urls: number;
  readonly firstUrl: string;
  readonly method: string;
  readonly concurrency: number | null;
  readonly ratePerSecond: number | null;
  readonly requests: number | null;
  readonly durationMsecs: Msecs | null;
  readonly bodyBytes: number;
  /** Options of the client that were given. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** The load through one client. */
export interface RunReport {
  readonly client: string;
  readonly version: string;
  readonly endedBy: EndedBy;
  readonly tookMsecs: Msecs;
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  /** Under way when it was interrupted. */
  readonly unfinished: number;
  readonly statusCodes: Readonly<Record<string, number>>;
  /** By code, with one message of each. */
  readonly errors: Readonly<Record<string, { readonly count: number; readonly example: string }>>;
  readonly latency: LatencyReport;
  readonly throughput: {
    /** Answers by the time of the whole run. */
    readonly perSecond: number;
    readonly bodyBytes: number;
    readonly bodyBytesPerSecond: number;
  };
  readonly sockets: SocketsReport;
  readonly saved: SavedReport;
  readonly timeline: TimelineReport;
  /** CPU time of this process in the run, by answers; null without answers. */
  readonly cpuMsecsPerAnswer: Msecs | null;
}

/** What ended a run. */
export type EndedBy = "requests" | "duration" | "interrupted";

/** Latencies of answered requests, to the end of the body. */
export interface LatencyReport {
  /**
   * `intended`: from the moment at which the request was to be sent, so that a server that is late cannot hide it.
   * `sent`: from the call, since answers set the pace.
   */
  readonly from: "intended" | "sent";
  readonly measured: LatencySummary;
  /**
   * With what would have been asked meanwhile, had each sender gone on at its usual pace: one request every
   * `expectedIntervalMsecs`, the median of what was measured. Null with `intended`, which needs no correction.
   */
  readonly corrected: (LatencySummary & { readonly expectedIntervalMsecs: Msecs }) | null;
  /** How late this program sent; part of the latency. Null with `sent`. */
  readonly lateness: LatencySummary | null;
  /** For pictures: what was measured, and what was corrected, by percentile. */
  readonly curves: LatencyCurves;
  /** Of the latency: waiting for a socket, dial not included. Null where a client does not tell. */
  readonly queued: LatencySummary | null;
}

/**
 * Latencies by percentile: the one at `i` is not exceeded by a share of `1 - 10 ** (-i / 10)` of the requests, so that those at 10, 20
 * and 30 are p90, p99 and p99.9. They end before the greatest, which the summary has.
 */
export interface LatencyCurves {
  readonly measuredMsecs: readonly Msecs[];
  /** Null with `intended`. */
  readonly correctedMsecs: readonly Msecs[] | null;
}

/** What became of connections. */
export interface SocketsReport {
  readonly opened: number;
  /** Answers on a connection that had brought one before, by all answers; null without answers. */
  readonly reuseRatio: number | null;
  /** Churn: connections opened per second. */
  readonly openedPerSecond: number;
  /** The most that there were at once, with those that were being opened. */
  readonly mostOpen: number;
  /** DNS, TCP and TLS together, of all connections that brought an answer. */
  readonly dial: LatencySummary;
  /** Closed connections by reason; null where a client does not tell. */
  readonly closed: Readonly<Record<string, number>> | null;
  /** Requests that were sent again; null where a client does not tell. */
  readonly resent: number | null;
}

/** What keep-alive saved: `handshakesAvoided` × the median dial. */
export interface SavedReport {
  /** Answers, less connections opened. */
  readonly handshakesAvoided: number;
  /** Waiting, summed over all requests. */
  readonly savedMsecs: Msecs;
}

/** The run over time, in at most 120 equal slots. */
export interface TimelineReport {
  readonly slotMsecs: Msecs;
  /** From the start of the run on. */
  readonly slots: readonly TimelineSlot[];
}

/** What ended in one slot. Latencies as in `LatencyReport.measured`; null where nothing was answered. Sockets are counted 20 times a second. */
export interface TimelineSlot {
  readonly answered: number;
  readonly failed: number;
  readonly p50Msecs: Msecs | null;
  readonly p99Msecs: Msecs | null;
  readonly maxMsecs: Msecs | null;
  /** Sockets that were opened. */
  readonly opened: number;
  /** The most sockets that there were when they were counted, with those that were being opened; null when they were not. */
  readonly sockets: number | null;
}
