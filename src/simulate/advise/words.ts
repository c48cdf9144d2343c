/**
 * Advice in words, and as code to paste. Decides nothing.
 */
import { defaultName } from "../../core/lane-options.ts";
import type { LaneWeights } from "./lane-weights.ts";
import type { Outcome } from "./outcome.ts";
import { options, type Point } from "./search.ts";

/** What is less of the present figure does not change it. */
const seenShare = 0.03;

/** What a change buys, and for what: one sentence without its stop. */
export function changeWords(change: {
  readonly option: string;
  readonly from: unknown;
  readonly to: unknown;
  readonly before: Outcome;
  readonly after: Outcome;
}): string {
  const { before, after } = change;
  const gains: string[] = [];
  const prices: string[] = [];
  const add = (from: number | null, to: number | null, least: number, words: string): void => {
    const difference = (to ?? 0) - (from ?? 0);
    if (Math.abs(difference) <= Math.max(seenShare * (from ?? 0), least)) return;
    (difference < 0 ? gains : prices).push(words);
  };
  const { openedPerSecond: churn, p99Msecs: p99, meanIdle: idle } = before;
  add(
    churn,
    after.openedPerSecond,
    0.001,
    `churn ${figure(churn)}/s → ${figure(after.openedPerSecond)}/s`,
  );
  add(p99, after.p99Msecs, 1, `p99 ${figure(p99)} ms → ${figure(after.p99Msecs)} ms`);
  const failed = (each: Outcome): string => `${figure(100 * each.failedShare)} %`;
  add(
    before.failedShare,
    after.failedShare,
    0.0001,
    `failures ${failed(before)} → ${failed(after)}`,
  );
  const more = after.meanIdle - idle;
  const many = figure(Math.abs(more));
  const sockets = `${many} ${more > 0 ? "more" : "fewer"} idle ${many === "1" ? "socket" : "sockets"}`;
  add(idle, after.meanIdle, 0.05, sockets);
  const head = `${change.option} ${valueWords(change.option, change.from)} → ${valueWords(change.option, change.to)}`;
  if (gains.length === 0 && prices.length === 0) {
    return `${head}: changes nothing here, and bounds what a surge may take`;
  }
  if (gains.length === 0) return `${head}: ${prices.join(", ")}`;
  return `${head}: ${gains.join(", ")}${prices.length === 0 ? "" : ` for ${prices.join(", ")}`}`;
}

/** A program's own lines. */
export function codeOf(
  point: Point,
  service: string | undefined,
  lanes: readonly LaneWeights[],
  evidence: {
    readonly meanBusy: number;
    readonly mostOpen: number;
    readonly serverWindowMsecs: number | null;
  },
): string {
  const { meanBusy, mostOpen, serverWindowMsecs } = evidence;
  const notes: Readonly<Record<keyof Point, string>> = {
    maxSockets: ` // in use: ${figure(meanBusy)} on average, ${mostOpen} at most when nothing limits them`,
    maxFreeSockets: "",
    keepAliveMsecs:
      serverWindowMsecs === null
        ? ""
        : ` // the server keeps them for ${number(serverWindowMsecs)}`,
  };
  const own = options.map((each) => `${each}: ${number(point[each])},${notes[each]}`);
  const weights = lanes.map((each) => `${key(each.lane)}: { weight: ${each.to} },`);
  const laneLines = weights.length === 0 ? [] : ["lanes: {", ...weights.map(indented), "},"];
  const named = (name: string, lines: readonly string[]): string[] => [
    "services: {",
    ...[`${key(name)}: {`, ...lines.map(indented), "},"].map(indented),
    "},",
  ];
  const lines =
    service === undefined
      ? [...own, ...(laneLines.length === 0 ? [] : named(defaultName, laneLines))]
      : named(service, [...own, ...laneLines]);
  return ["const client = new Client({", ...lines.map(indented), "});"].join("\n");
}

/** A value as it is written in a sentence. */
export function valueWords(option: string, value: unknown): string {
  if (!option.endsWith("Msecs") || typeof value !== "number") return String(value);
  if (value === Number.POSITIVE_INFINITY) return "never";
  return value < 1_000 ? `${value} ms` : `${Number((value / 1_000).toPrecision(3))} s`;
}

/** Three digits, or two where they say enough; "–" for null. */
export function figure(value: number | null): string {
  if (value === null) return "–";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(size >= 10 ? 3 : 2)));
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "Infinity";
  return String(value).replace(/\B(?=(\d{3})+$)/g, "_");
}

const indented = (line: string): string => `  ${line}`;
const key = (name: string): string => (/^[a-z_$][\w$]*$/i.test(name) ? name : JSON.stringify(name));
