/**
 * `keepline simulate`: what may be asked of it, and where its results go.
 */
import { existsSync, writeFileSync } from "node:fs";
import type { Axis, StreamOptions, Workload } from "../../simulate/index.ts";
import { type Command, type Context, optionsCommand } from "../command.ts";
import { Failure, UsageError } from "../errors.ts";
import { flag, many, type Option, type Values, wholeNumber } from "../options.ts";
import { htmlOf, infinite } from "./html.ts";
import type { Plan, TraceFile } from "./plan.ts";
import { renderOne, renderProgress, renderSweep } from "./render.ts";
import { runPlan } from "./run.ts";
import { svgOf } from "./svg.ts";
import { axisOf, durationOption, parseAssignment, parseDuration, parseSetting } from "./values.ts";

const fileOption = (doc: string, allowed: string): Option<string> => ({
  value: "FILE",
  doc,
  allowed,
  parse: (text) => (text !== "" && existsSync(text) ? text : null),
});

const outputOption = (doc: string): Option<string> => ({
  value: "FILE",
  doc,
  allowed: "the name of a file to write",
  parse: (text) => (text === "" || text.startsWith("--") ? null : text),
});

const words = <W extends string>(doc: string, ...known: readonly W[]): Option<W> => ({
  value: "WORD",
  doc,
  allowed: `one of ${known.join(", ")}`,
  parse: (text) => known.find((each) => each === text) ?? null,
});

const assignment = (doc: string, allowed: string): Option<readonly [string, string]> => ({
  value: "OPTION=VALUE",
  doc,
  allowed,
  parse: parseAssignment,
});

/** Its options; those of requests, network and servers are also other commands'. */
export const options = {
  trace: {
    ...fileOption(
      "recorded requests: JSON Lines, HAR, access log; - stdin",
      "the name of a file that there is, or -",
    ),
    parse: (text) => (text === "-" || existsSync(text) ? text : null),
  } satisfies Option<string>,
  format: words("what the trace is (auto)", "auto", "keepline", "har", "clf", "json-log"),
  "skip-bad-lines": flag("leave out lines of a trace that cannot be read"),
  rate: {
    value: "N",
    doc: "or made-up requests: so many a second",
    allowed: "a number above 0, up to 1000000",
    parse: (text) => {
      const number = /^\d{1,7}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
      return number > 0 && number <= 1_000_000 ? number : null;
    },
  } satisfies Option<number>,
  pattern: words(
    "they come as poisson, bursts or diurnal (poisson)",
    "poisson",
    "bursts",
    "diurnal",
  ),
  for: durationOption("for so long (10m)"),
  origin: {
    value: "URL",
    doc: "where requests go (http://origin.test)",
    allowed: "an origin such as https://api.example.com",
    parse: (text) =>
      /^https?:\/\/[^/\s@?#]+\/?$/i.test(text) && URL.canParse(text) ? new URL(text).origin : null,
  } satisfies Option<string>,
  service: durationOption("what the server takes for a request, on average (10ms)"),
  "round-trip": durationOption("to the server and back (1ms)"),
  "server-idle": durationOption("the server closes connections idle for so long (never)"),
  "server-hint": flag("and says so, by Keep-Alive: timeout=…"),
  scenario: fileOption(
    "what to simulate, as JSON or JavaScript: see the docs",
    "the name of a file that there is",
  ),
  settings: fileOption(
    "options of the client, from a JSON or JavaScript file",
    "the name of a file that there is",
  ),
  set: many(assignment("one setting of the client", "OPTION=VALUE, as in maxSockets=20")),
  sweep: many({
    ...assignment("try several values; with two of these, all pairs", "OPTION=VALUE,VALUE,…"),
    value: "OPTION=VALUES",
  }),
  requests: wholeNumber(1, 999_999_999, "end after so many requests"),
  seed: wholeNumber(0, 999_999_999, "of all that is random (1)"),
  jobs: wholeNumber(1, 256, "threads of a sweep (as many as processors)"),
  json: flag("print one JSON document and nothing else"),
  html: outputOption("write a report with pictures, as one HTML file"),
  svg: outputOption("write the heat maps of a sweep as SVG"),
};

type Given = Values<typeof options>;

const mostCells = 400;

/** The command. */
export const simulation: Command = optionsCommand({
  name: "simulate",
  summary: "try settings on recorded or made-up requests",
  usage: "(--trace FILE | --rate N | --scenario FILE) [OPTIONS]",
  options,
  examples: [
    [
      "keepline simulate --rate 50 --sweep maxSockets=5,10,20",
      "churn, idle sockets and response times by one setting, or two",
    ],
    [
      "keepline simulate --trace access.log --set maxSockets=20",
      "one setting, on what was recorded",
    ],
    [
      "keepline simulate --scenario calls.js --sweep maxSockets=5,9 --html o.html",
      "with a report to look at in a browser",
    ],
    ["keepline simulate --scenario calls.json --json > found.json", "for programs"],
  ],
  notes: [
    "The client's decisions are those of the library; its network and its servers are as they are described. Durations are " +
      "written as 500ms, 5s, 2m, 1h; a number without a unit is milliseconds.",
    "--json prints a document of format keepline-simulation, or keepline-sweep with one in each of its cells, and " +
      "formatVersion 1; a change that breaks readers raises the version. Times are in milliseconds, in fields that end in Msecs.",
  ],
  run,
});

async function run(given: Given, { terminal, signal }: Context): Promise<void> {
  const plan = planOf(given);
  const startedAt = performance.now();
  const took = (): number => performance.now() - startedAt;
  const found = await runPlan(plan, {
    signal,
    jobs: given.jobs ?? null,
    progress: (progress) => terminal.progress(renderProgress(progress, took())),
  });
  terminal.clearProgress();
  const [only] = found.cells;
  if (given.html !== undefined) write(given.html, htmlOf(found, commandLine()));
  if (given.svg !== undefined) write(given.svg, svgOf(found));
  if (plan.axes.length > 0 || only === undefined) {
    if (given.json === true) terminal.printRaw(`${JSON.stringify(found, infinite, 2)}\n`);
    else terminal.print(renderSweep(found, took(), terminal));
  } else if (given.json === true) {
    terminal.printRaw(`${JSON.stringify(only.report, infinite, 2)}\n`);
  } else terminal.print(renderOne(only, took(), terminal));
  if (given.html !== undefined) terminal.note(`keepline simulate: wrote ${given.html}`);
  if (given.svg !== undefined) terminal.note(`keepline simulate: wrote ${given.svg}`);
}

/**
 * What was asked for.
 *
 * @param hasRequests There are requests beside those that options are for.
 * @throws UsageError
 */
export function planOf(given: Partial<Given>, hasRequests = false): Plan {
  const { trace, rate, scenario, settings } = given;
  if (!hasRequests && trace === undefined && rate === undefined && scenario === undefined) {
    throw new UsageError("there are no requests: give --trace FILE, --rate N or --scenario FILE");
  }
  if (trace !== undefined && rate !== undefined) {
    throw new UsageError("--trace and --rate are both where requests come from: give one of them");
  }
  requireTogether(given);
  const axes = (given.sweep ?? []).map((each) => axisOf(each));
  checkAxes(axes, given);
  const set: Record<string, unknown> = {};
  for (const [option, text] of given.set ?? []) {
    set[option] = parseSetting(option, text, `--set ${option}`);
  }
  const { service } = given;
  const idle = given["server-idle"];
  return {
    scenarioFile: scenario ?? null,
    settingsFile: settings ?? null,
    trace: trace === undefined ? null : traceOf(trace, given),
    workload: rate === undefined ? null : workloadOf(rate, given),
    network: given["round-trip"] === undefined ? {} : { roundTripMsecs: given["round-trip"] },
    servers: {
      ...(service === undefined
        ? {}
        : { serviceMsecs: { kind: "exponential", meanMsecs: service } as const }),
      ...(idle === undefined ? {} : { idleTimeoutMsecs: idle }),
      ...(idle === undefined || given["server-hint"] === undefined ? {} : { hintMsecs: idle }),
    },
    set,
    axes,
    seed: given.seed ?? null,
    mostRequests: given.requests ?? null,
  };
}

function traceOf(trace: string, given: Partial<Given>): TraceFile {
  return {
    file: trace === "-" ? null : trace,
    format: given.format ?? "auto",
    ...(given.origin === undefined ? {} : { origin: given.origin }),
    ...(given["skip-bad-lines"] === undefined ? {} : { badLines: "skip" }),
  };
}

function workloadOf(ratePerSecond: number, given: Partial<Given>): Workload {
  const durationMsecs = given.for ?? (parseDuration("10m") as number);
  const common: StreamOptions = { durationMsecs, origin: given.origin };
  switch (given.pattern ?? "poisson") {
    case "poisson":
      return { kind: "poisson", ratePerSecond, ...common };
    case "diurnal":
      return { kind: "diurnal", ratePerSecond, periodMsecs: durationMsecs, ...common };
    case "bursts":
      return {
        kind: "bursts",
        size: Math.max(Math.round(ratePerSecond), 1),
        everyMsecs: 1_000,
        spreadMsecs: 50,
        ...common,
      };
  }
}

/** @throws UsageError when an option was given that means nothing without another one. */
function requireTogether(given: Partial<Given>): void {
  const needs = [
    ["format", "trace"],
    ["skip-bad-lines", "trace"],
    ["pattern", "rate"],
    ["for", "rate"],
    ["server-hint", "server-idle"],
  ] as const;
  for (const [name, other] of needs) {
    if (given[name] !== undefined && given[other] === undefined) {
      throw new UsageError(`--${name} means nothing without --${other}`);
    }
  }
}

function checkAxes(axes: readonly Axis[], given: Partial<Given>): void {
  if (axes.length > 2) throw new UsageError(`--sweep may be given twice, not ${axes.length} times`);
  const [one, other] = axes;
  if (one !== undefined && one.option === other?.option) {
    throw new UsageError(`--sweep ${one.option} is given twice: put all values in one`);
  }
  const cells = axes.reduce((product, each) => product * each.values.length, 1);
  if (cells > mostCells) {
    throw new UsageError(`a sweep has ${mostCells} cells at most, and this one ${cells}`);
  }
  if (axes.length > 0 && given.trace === "-") {
    throw new UsageError("--sweep reads the trace for every cell: give a file, not -");
  }
  if (axes.length === 0 && given.svg !== undefined) {
    throw new UsageError("--svg is a picture of a sweep, but there is no --sweep");
  }
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new Failure(`cannot write: ${(error as Error).message}`);
  }
}

/** As it would be typed again. */
function commandLine(): string {
  const args = process.argv
    .slice(2)
    .map((each) => (/^[\w./:=,@%+-]+$/.test(each) ? each : `'${each.replaceAll("'", "'\\''")}'`));
  return `keepline ${args.join(" ")}`;
}
