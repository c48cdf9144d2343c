/**
 * The results of `keepline simulate` as text for a terminal. Simulates nothing.
 */
import type { Axis, Cell, SweepReport } from "../../simulate/index.ts";
import {
  count,
  indent,
  type Looks,
  msecs,
  percent,
  seconds,
  shades,
  table,
  widthOf,
  wrap,
} from "../text.ts";
import { figure, heatMetrics, type Metric, metrics, placeOf } from "./metrics.ts";
import type { Progress } from "./run.ts";
import { showValue } from "./values.ts";

/** Cells of the table, at most, before only the best are listed. */
const mostRows = 40;

/** The line of progress. */
export function renderProgress({ done, cells, requests }: Progress, tookMsecs: number): string {
  const rate = tookMsecs > 0 ? Math.round((requests / tookMsecs) * 1_000) : 0;
  const which = cells === 1 ? "simulating" : `simulating: ${done} of ${cells} cells`;
  return `   ${which}, ${count(requests)} requests, ${count(rate)} a second`;
}

/** The only cell of a simulation without a sweep. */
export function renderOne({ report }: Cell, tookMsecs: number, looks: Looks): string[] {
  const { sockets, queueWait, latency } = report;
  const rows: [string, string][] = [
    [
      "requests",
      `${count(report.requests)} in ${seconds(report.simulatedMsecs)} of simulated time`,
    ],
    ["failed", failedWords(report.failed, report.failedBy)],
    ["sockets opened", `${count(sockets.opened)}, ${figure(sockets.openedPerSecond)} a second`],
    ["reused", `${percent(report.reuseRatio)} of all requests had a used connection`],
    ["open", `${figure(sockets.meanOpen)} on average, ${count(sockets.mostOpen)} at most`],
    ["idle", `${figure(sockets.meanIdle)} on average, ${count(sockets.mostIdle)} at most`],
    ["met a closed one", `${count(report.metStale)}, of which ${count(report.failedStale)} failed`],
    ["waiting", `${count(report.mostPending)} at most`],
  ];
  const durations = [
    ["wait for a connection", queueWait],
    ["response", latency],
  ] as const;
  return [
    ...endWords(report.ended, looks),
    ...table(
      [
        { title: "", align: "left" },
        { title: "", align: "left" },
      ],
      rows,
      looks,
    ),
    "",
    ...table(
      ["ms", "mean", "p50", "p90", "p99", "p99.9", "max"].map((title, index) => ({
        title,
        align: index === 0 ? "left" : "right",
      })),
      durations.map(([name, each]) => [
        name,
        ...[each.meanMsecs, each.p50Msecs, each.p90Msecs, each.p99Msecs, each.p999Msecs].map(msecs),
        msecs(each.maxMsecs),
      ]),
      looks,
    ),
    ...(report.lanes.length > 1 ? ["", ...renderLanes(report.lanes, looks)] : []),
    "",
    looks.paint("dim", `simulated in ${seconds(tookMsecs)}, seed ${report.seed}`),
  ];
}

/** The heat maps of a sweep, its best cells, and its table. */
export function renderSweep(found: SweepReport, tookMsecs: number, looks: Looks): string[] {
  const { axes, cells } = found;
  const requests = cells.reduce((sum, each) => sum + each.report.requests, 0);
  const best = cells.filter((each) => each.isBest);
  const listed = cells.length <= mostRows ? cells : best;
  const cheapest = [...cells].sort((a, b) => a.cost.total - b.cost.total)[0];
  const overloaded = cells.filter((each) => each.report.ended === "overloaded").length;
  return [
    ...heatMetrics.flatMap((metric) => [...renderHeat(metric, axes, cells, looks), ""]),
    ...wrap(
      `* marks cells that no other beats in churn, footprint, p99 and failures${listed === cells ? "" : "; only these are listed"}.`,
      looks.width,
    ),
    "",
    ...renderTable(axes, listed, looks),
    "",
    ...(cheapest === undefined ? [] : [`cheapest: ${valuesOf(axes, cheapest)}`]),
    ...(overloaded === 0
      ? []
      : [looks.paint("yellow", `${overloaded} cells ended early: too many requests waited`)]),
    looks.paint(
      "dim",
      `${cells.length} cells, ${count(requests)} requests, simulated in ${seconds(tookMsecs)}`,
    ),
  ];
}

/** "maxSockets=5 keepAliveMsecs=1s" */
export function valuesOf(axes: readonly Axis[], cell: Cell): string {
  return axes.map(({ option }) => `${option}=${showValue(option, cell.values[option])}`).join(" ");
}

function renderHeat(
  metric: Metric,
  axes: readonly Axis[],
  cells: readonly Cell[],
  looks: Looks,
): string[] {
  const [down, across] = axes.length === 2 ? axes : [undefined, axes[0]];
  const columns = across?.values ?? [];
  const values = cells.map(metric.of);
  const shown = cells.map((cell, index) => {
    const value = values[index] ?? null;
    const shade = shades[Math.min(Math.floor(placeOf(value, values) * 4), 3)] ?? "";
    return `${shade}${shade} ${figure(value)}${cell.isBest ? "*" : " "}`;
  });
  const name = (axis: Axis | undefined, value: unknown): string =>
    axis === undefined ? "" : showValue(axis.option, value);
  const rows = (down?.values ?? [null]).map((value, row) => [
    name(down, value),
    ...shown.slice(row * columns.length, (row + 1) * columns.length),
  ]);
  const corner = down === undefined ? "" : `${down.option} \\ ${across?.option ?? ""}`;
  const head = `${metric.title}: ${metric.doc}`;
  const lines = table(
    [
      { title: corner, align: "left" },
      ...columns.map((value) => ({ title: `${name(across, value)} `, align: "right" as const })),
    ],
    rows,
    looks,
  );
  const by = down === undefined ? [looks.paint("dim", `by ${across?.option ?? ""}`)] : [];
  return [looks.paint("bold", head), ...indent([...by, ...lines], 2)];
}

function renderTable(axes: readonly Axis[], cells: readonly Cell[], looks: Looks): string[] {
  const heads = metrics.map(({ title, unit }) => (unit === "" ? title : `${title} ${unit}`));
  const columns = ["", ...axes.map((each) => each.option), ...heads];
  const rows = cells.map((cell) => [
    cell.isBest ? "*" : "",
    ...axes.map(({ option }) => showValue(option, cell.values[option])),
    ...metrics.map((metric) => figure(metric.of(cell))),
  ]);
  const fits = (cut: number): boolean =>
    table(
      columns.slice(0, columns.length - cut).map((title) => ({ title, align: "right" })),
      rows.map((row) => row.slice(0, row.length - cut)),
      looks,
    ).every((line) => widthOf(line) <= looks.width);
  // What does not fit is in the JSON and on the page.
  let cut = 0;
  while (cut < metrics.length - heatMetrics.length && !fits(cut)) cut++;
  return table(
    columns.slice(0, columns.length - cut).map((title) => ({ title, align: "right" })),
    rows.map((row) => row.slice(0, row.length - cut)),
    looks,
  );
}

function renderLanes(lanes: Cell["report"]["lanes"], looks: Looks): string[] {
  return table(
    ["lane", "requests", "failed", "wait p50", "wait p99", "response p99"].map((title, index) => ({
      title,
      align: index === 0 ? "left" : "right",
    })),
    lanes.map((each) => [
      `${each.service}/${each.lane}`,
      count(each.requests),
      count(each.failed),
      msecs(each.queueWait.p50Msecs),
      msecs(each.queueWait.p99Msecs),
      msecs(each.latency.p99Msecs),
    ]),
    looks,
  );
}

function failedWords(failed: number, by: Readonly<Record<string, number>>): string {
  if (failed === 0) return "none";
  const parts = Object.entries(by).map(([code, each]) => `${count(each)} ${code}`);
  return `${count(failed)}: ${parts.join(", ")}`;
}

function endWords(ended: Cell["report"]["ended"], looks: Looks): string[] {
  if (ended !== "overloaded") return [];
  const words =
    "It ended early, for too many requests waited: the load is more than the sockets can carry. Raise maxSockets, or bound the queue by maxPending or queueTimeoutMsecs.";
  return [...wrap(words, looks.width).map((line) => looks.paint("yellow", line)), ""];
}
