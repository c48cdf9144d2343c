/**
 * What is told of a run in one figure each, in which words and units. The terminal and the page take it from here, so that they agree.
 */
import { bytes, count, msecs, percent, span } from "../numbers.ts";
import type { LatencySummary } from "./latencies.ts";
import type { LatencyReport, RunReport } from "./report.ts";

/** One thing that is shown of a run. */
export interface Figure {
  readonly key: string;
  readonly title: string;
  /** Empty where the text has it, or where there is none. */
  readonly unit: string;
  readonly of: (run: RunReport) => string;
}

/** What is shown of every distribution of latencies. */
export const shares = [
  ["mean", "mean"],
  ["p50", "p50"],
  ["p75", "p75"],
  ["p90", "p90"],
  ["p95", "p95"],
  ["p99", "p99"],
  ["p999", "p99.9"],
  ["max", "max"],
] as const;

/** The latencies that a run is judged by: corrected where that is needed. */
export function judged({ latency }: RunReport): LatencySummary {
  return latency.corrected ?? latency.measured;
}

/** All of them, in the order in which they are compared. */
export const figures: readonly Figure[] = [
  { key: "version", title: "version", unit: "", of: (run) => run.version },
  { key: "answered", title: "answered", unit: "", of: (run) => count(run.answered) },
  { key: "failed", title: "failed", unit: "", of: (run) => count(run.failed) },
  {
    key: "rate",
    title: "answers a second",
    unit: "",
    of: ({ throughput }) => count(Math.round(throughput.perSecond)),
  },
  {
    key: "bytes",
    title: "bodies a second",
    unit: "",
    of: ({ throughput }) => bytes(throughput.bodyBytesPerSecond),
  },
  ...shares.map(([key, title]) => ({
    key,
    title,
    unit: "ms",
    of: (run: RunReport) => msecs(judged(run)[`${key}Msecs`]),
  })),
  { key: "opened", title: "sockets opened", unit: "", of: ({ sockets }) => count(sockets.opened) },
  {
    key: "churn",
    title: "opened a second",
    unit: "",
    of: ({ sockets }) => sockets.openedPerSecond.toFixed(1),
  },
  { key: "open", title: "open at most", unit: "", of: ({ sockets }) => count(sockets.mostOpen) },
  { key: "reuse", title: "reuse", unit: "", of: ({ sockets }) => percent(sockets.reuseRatio) },
  {
    key: "dial",
    title: "dial, p50",
    unit: "ms",
    of: ({ sockets }) => msecs(sockets.dial.p50Msecs),
  },
  {
    key: "saved",
    title: "keep-alive saved",
    unit: "",
    of: ({ saved }) => span(saved.savedMsecs),
  },
  {
    key: "cpu",
    title: "CPU an answer",
    unit: "ms",
    of: (run) => msecs(run.cpuMsecsPerAnswer),
  },
];

/** The distributions of a run, with what they are. */
export function latencyRows(latency: LatencyReport): [label: string, summary: LatencySummary][] {
  const { measured, corrected, queued, lateness } = latency;
  return [
    [corrected === null ? "from intended send" : "measured", measured],
    ...(corrected === null ? [] : [["corrected", corrected] as [string, LatencySummary]]),
    ...(queued === null ? [] : [["of it queued", queued] as [string, LatencySummary]]),
    ...(lateness === null ? [] : [["of it sent late", lateness] as [string, LatencySummary]]),
  ];
}

/** What the latencies are. */
export function latencyNote({ corrected }: LatencyReport): string {
  if (corrected === null) {
    return "From the instant at which each request was to be sent to the end of its response: a server that is late cannot hide behind requests that were not sent.";
  }
  return (
    "Measured: from the call to the end of the response. Corrected: with the requests that a sender would have made " +
    `meanwhile, one every ${span(corrected.expectedIntervalMsecs)} (the median), had it not waited for a late answer.`
  );
}
