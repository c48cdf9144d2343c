/**
 * Advice as text for a terminal. Decides nothing.
 */
import type { Advice, Outcome } from "../../simulate/index.ts";
import { figure } from "../simulate/metrics.ts";
import { showValue } from "../simulate/values.ts";
import { count, indent, type Looks, percent, span, table, wrap } from "../text.ts";

/** The line of progress. */
export function renderProgress(simulations: number): string {
  return `   simulating: ${count(simulations)} settings`;
}

/** The line of progress while traffic is taken. */
export function renderTraffic(msecs: number, forMsecs: number, requests: number): string {
  const left = Math.min(Math.round(msecs / 1_000), Math.round(forMsecs / 1_000));
  return `   taking traffic: ${left} s of ${span(forMsecs)}, ${count(requests)} requests`;
}

/** All of it. */
export function renderAdvice(advice: Advice, looks: Looks): string[] {
  const { evidence, changes, lanes, confidence, recommended, simulations } = advice;
  const { requestsPerSecond, meanHoldMsecs, meanBusy, mostOpen, spanMsecs } = evidence;
  const words = (text: string): string[] => wrap(text, looks.width);
  const heading = (text: string): string => looks.paint("bold", text);
  const carries =
    recommended.carriesPerSecond === null
      ? ""
      : ` ${count(recommended.values.maxSockets)} to one origin carry ${figure(recommended.carriesPerSecond)} such requests a second and no more.`;
  return [
    ...words(
      `${count(evidence.requests)} requests in ${span(spanMsecs)}: ${figure(requestsPerSecond)} a second, each of which holds its connection for ${span(meanHoldMsecs)}. ` +
        `By Little's law ${figure(meanBusy)} sockets are in use on average; without limits ${count(mostOpen)} were open at most.${carries}`,
    ),
    "",
    heading("Change"),
    ...(changes.length === 0 && lanes.length === 0
      ? words("  nothing: the present settings are among the best that were tried.")
      : indent(
          [
            ...changes.flatMap(({ words: line }) => wrap(line, looks.width - 2)),
            ...lanes.map(
              ({ lane, from, to, p99Msecs }) =>
                `weight of lane ${lane} ${from} → ${to}: p99 ${figure(p99Msecs.before)} ms → ${figure(p99Msecs.after)} ms`,
            ),
          ],
          2,
        )),
    "",
    ...renderOutcomes(advice, looks),
    "",
    heading(`How sure: ${confidence.level}`),
    ...indent(
      [
        ...confidence.reasons.flatMap((each) => wrap(each, looks.width - 2)),
        ...wrap(halfWords(confidence.excess), looks.width - 2),
      ],
      2,
    ),
    "",
    ...advice.code.split("\n"),
    "",
    looks.paint(
      "dim",
      `${count(simulations)} simulations; none of the settings tried beats this one`,
    ),
  ];
}

function halfWords({ first, second }: Advice["confidence"]["excess"]): string {
  if (Math.max(first, second) < 0.005) {
    return "on each half of the requests it is the best of what stands beside it here";
  }
  return `on the first half of the requests it costs ${percent(first)} more than the best of what stands here, on the second half ${percent(second)}`;
}

function renderOutcomes({ present, recommended, sensitivity }: Advice, looks: Looks): string[] {
  const row = (
    name: string,
    { openedPerSecond, meanIdle, waitP99Msecs, p99Msecs, failedShare }: Outcome,
  ) => [
    name,
    figure(openedPerSecond),
    figure(meanIdle),
    figure(waitP99Msecs),
    figure(p99Msecs),
    percent(failedShare),
  ];
  return table(
    ["", "churn /s", "idle", "wait p99 ms", "p99 ms", "failed"].map((title, index) => ({
      title,
      align: index === 0 ? "left" : "right",
    })),
    [
      row("now", present.outcome),
      row("recommended", recommended.outcome),
      ...sensitivity.map(({ option, value, outcome }) =>
        row(`  with ${option}=${showValue(option, value)}`, outcome),
      ),
    ],
    looks,
  );
}
