/**
 * A load and what came of it as text for a terminal. Measures nothing.
 */
import { version } from "../../version.ts";
import {
  bytes,
  type Column,
  count,
  indent,
  type Looks,
  msecs,
  percent,
  seconds,
  span,
  table,
  wrap,
} from "../text.ts";
import { figures, latencyNote, latencyRows, shares } from "./figures.ts";
import type { LoadPlan } from "./plan.ts";
import type { LatencyReport, LoadReport, RunReport } from "./report.ts";
import type { RunProgress } from "./run.ts";

const margin = 2;

/** What is about to be sent, in one line. */
export function intentOf(plan: LoadPlan): string {
  const what = plan.urls.length === 1 ? plan.urls[0] : `${count(plan.urls.length)} URLs in turn`;
  const { pace, requests, durationMsecs } = plan;
  const bounds = [
    ...(Number.isFinite(requests) ? [`${count(requests)} requests`] : []),
    ...(Number.isFinite(durationMsecs) ? [span(durationMsecs)] : []),
  ];
  const rate =
    pace.kind === "closed"
      ? `${count(pace.concurrency)} at a time`
      : `${count(pace.perSecond)} a second, whether answered or not`;
  return `${plan.method} ${what}: ${bounds.join(" or ")}, ${rate}`;
}

/** Before the first result. */
export function renderStart(plan: LoadPlan, clients: readonly string[], looks: Looks): string[] {
  const others =
    clients.length > 1 ? `, through each of ${clients.join(", ")}, one after the other` : "";
  return [
    looks.paint("bold", `keepline ${version} load`),
    ...wrap(`${intentOf(plan)}${others}`, looks.width),
  ];
}

/** The line of progress. */
export function renderProgress(client: string, state: RunProgress, plan: LoadPlan): string {
  const { answered, failed, underWay, tookMsecs } = state;
  const of = Number.isFinite(plan.requests) ? ` of ${count(plan.requests)}` : "";
  const time = Number.isFinite(plan.durationMsecs) ? ` of ${span(plan.durationMsecs)}` : "";
  const bad = failed === 0 ? "" : `, ${count(failed)} failed`;
  const rate = count(Math.round((answered / Math.max(tookMsecs, 1)) * 1_000));
  return `  ${client}: ${count(answered)}${of} answered${bad}, ${count(underWay)} under way, ${rate} a second, ${seconds(tookMsecs)}${time}`;
}

/** Everything about one run. */
export function renderRun(run: RunReport, looks: Looks): string[] {
  const { throughput, sockets, saved } = run;
  const rows: [label: string, text: string][] = [
    ["requests", requestsText(run)],
    ...Object.entries(run.errors).map(([code, { count: number, example }]): [string, string] => [
      "error",
      `${count(number)} × ${code}: ${example}`,
    ]),
    [
      "throughput",
      `${count(Math.round(throughput.perSecond))} answers and ${bytes(throughput.bodyBytesPerSecond)} a second, in ${seconds(run.tookMsecs)}`,
    ],
    [
      "sockets",
      `${count(sockets.opened)} opened (${sockets.openedPerSecond.toFixed(1)} a second), ` +
        `${percent(sockets.reuseRatio)} of answers on a used one` +
        `, ${count(sockets.mostOpen)} open at most`,
    ],
    ...(Object.keys(sockets.closed ?? {}).length === 0
      ? []
      : [["closed", tallyText(sockets.closed ?? {})] as [string, string]]),
    ...((sockets.resent ?? 0) > 0
      ? [
          ["resent", `${count(sockets.resent ?? 0)}, since their connection failed`] as [
            string,
            string,
          ],
        ]
      : []),
    [
      "keep-alive saved",
      saved.handshakesAvoided === 0
        ? "nothing"
        : `${count(saved.handshakesAvoided)} handshakes × ${span(sockets.dial.p50Msecs ?? 0)} (p50 of the dials) = ${span(saved.savedMsecs)} of waiting`,
    ],
  ];
  return [
    "",
    looks.paint(
      "bold",
      `${run.client} ${run.version}${run.endedBy === "interrupted" ? ", interrupted" : ""}`,
    ),
    "",
    ...rows.flatMap(([label, text]) => labelled(label, text, looks)),
    "",
    ...indent(latencyTable(run.latency, looks), margin),
    "",
    ...indent(wrap(latencyNote(run.latency), looks.width - margin), margin),
  ];
}

/** All runs side by side; nothing where there is one. */
export function renderComparison({ runs }: LoadReport, looks: Looks): string[] {
  if (runs.length < 2) return [];
  const columns: Column[] = [
    { title: "", align: "left" },
    ...runs.map(({ client }) => ({ title: client, align: "right" }) as const),
  ];
  const rows = figures.map(({ title, unit, of }) => [`${title} ${unit}`.trim(), ...runs.map(of)]);
  const corrected = runs[0]?.latency.corrected === null ? "" : ", corrected";
  return [
    "",
    looks.paint("bold", `Side by side (latencies${corrected})`),
    "",
    ...indent(table(columns, rows, looks), margin),
    "",
    ...indent(
      wrap(
        "One after the other, each with cold code at first: short runs say little of CPU time.",
        looks.width - margin,
      ),
      margin,
    ),
  ];
}

function labelled(label: string, text: string, looks: Looks): string[] {
  const width = 18;
  const [first = "", ...rest] = wrap(text, Math.max(30, looks.width - margin - width));
  return indent([looks.paint("dim", label.padEnd(width)) + first, ...indent(rest, width)], margin);
}

function requestsText({ sent, answered, failed, unfinished, statusCodes }: RunReport): string {
  const codes = Object.entries(statusCodes).map(([code, number]) => `${count(number)} × ${code}`);
  const answers = `${count(answered)} answered${codes.length === 0 ? "" : ` (${codes.join(", ")})`}`;
  return [
    `${count(sent)} sent`,
    answers,
    `${count(failed)} failed`,
    ...(unfinished === 0 ? [] : [`${count(unfinished)} under way at the end`]),
  ].join(", ");
}

function tallyText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([reason, number]) => `${count(number)} × ${reason}`)
    .join(", ");
}

function latencyTable(latency: LatencyReport, looks: Looks): string[] {
  const columns: Column[] = [
    { title: "latency, ms", align: "left" },
    ...shares.map(([, title]) => ({ title, align: "right" }) as const),
  ];
  const rows = latencyRows(latency).map(([label, summary]) => [
    label,
    ...shares.map(([key]) => msecs(summary[`${key}Msecs`])),
  ]);
  return table(columns, rows, looks);
}
