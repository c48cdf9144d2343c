/**
 * What the pictures of a sweep show of each cell, in which words and figures. The terminal, the SVG and the page take
 * it from here, so that they agree.
 */
import type { Cell } from "../../simulate/index.ts";

/** One thing that is shown of a cell. Less is better of all of them. */
export interface Metric {
  readonly key: string;
  readonly title: string;
  /** What it is, in a sentence. */
  readonly doc: string;
  readonly unit: string;
  /** Null where there is none. */
  readonly of: (cell: Cell) => number | null;
}

/** Those that have a heat map, and then those that only the table has. */
export const heatMetrics: readonly Metric[] = [
  {
    key: "churn",
    title: "Churn",
    doc: "sockets opened per second",
    unit: "/s",
    of: ({ report }) => report.sockets.openedPerSecond,
  },
  {
    key: "footprint",
    title: "Footprint",
    doc: "idle sockets on average",
    unit: "",
    of: ({ report }) => report.sockets.meanIdle,
  },
  {
    key: "p99",
    title: "p99",
    doc: "99 of 100 responses come within, in ms",
    unit: "ms",
    of: ({ report }) => report.latency.p99Msecs,
  },
];

/** All columns of the table. */
export const metrics: readonly Metric[] = [
  ...heatMetrics,
  {
    key: "p50",
    title: "p50",
    doc: "half of the responses come within, in ms",
    unit: "ms",
    of: ({ report }) => report.latency.p50Msecs,
  },
  {
    key: "wait",
    title: "Wait p99",
    doc: "99 of 100 requests have a connection within, in ms",
    unit: "ms",
    of: ({ report }) => report.queueWait.p99Msecs,
  },
  {
    key: "reuse",
    title: "New",
    doc: "requests on a new connection, in percent",
    unit: "%",
    of: ({ report: { reuseRatio } }) => (reuseRatio === null ? null : 100 * (1 - reuseRatio)),
  },
  {
    key: "open",
    title: "Open",
    doc: "open sockets at most",
    unit: "",
    of: ({ report }) => report.sockets.mostOpen,
  },
  {
    key: "failed",
    title: "Failed",
    doc: "requests that failed",
    unit: "",
    of: ({ report }) => report.failed,
  },
  {
    key: "cost",
    title: "Cost",
    doc: "of a thousand requests, in dials",
    unit: "",
    of: ({ cost }) => cost.total,
  },
];

/** A figure with three significant digits or so; "–" for null. */
export function figure(value: number | null): string {
  if (value === null) return "–";
  const size = Math.abs(value);
  if (size >= 999.5) return Math.round(value).toLocaleString("en-US");
  if (size >= 99.95 || Number.isInteger(value)) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return value.toFixed(size < 0.0095 ? 4 : 2);
}

/** Where `value` stands between the least and the most of `values`, from 0 to 1; by proportion where they differ much. */
export function placeOf(value: number | null, values: readonly (number | null)[]): number {
  const known = values.filter((each) => each !== null) as number[];
  const least = Math.min(...known);
  const most = Math.max(...known);
  if (value === null || !(most > least)) return 0;
  if (least > 0 && most / least > 20) return Math.log(value / least) / Math.log(most / least);
  return (value - least) / (most - least);
}

/** From a pale green to a pale red, through yellow: dark letters can be read on all of them. */
export function colourOf(place: number): string {
  const stops = [
    [186, 228, 188],
    [255, 237, 160],
    [252, 167, 136],
  ] as const;
  const at = Math.min(Math.max(place, 0), 1) * 2;
  const from = stops[Math.min(Math.floor(at), 1)] as readonly number[];
  const to = stops[Math.min(Math.floor(at), 1) + 1] as readonly number[];
  const part = at - Math.min(Math.floor(at), 1);
  const mixed = from.map((each, index) => Math.round(each + ((to[index] ?? 0) - each) * part));
  return `rgb(${mixed.join(",")})`;
}
