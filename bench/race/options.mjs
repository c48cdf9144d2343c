// The options of the race, read with what the command line of keepline reads its own with.

import { UsageError } from "../../dist/cli/errors.js";
import { flag, parseOptions, wholeNumber } from "../../dist/cli/options.js";

/** The clients, in the order in which they take their turns. */
export const clients = [
  "keepline",
  "http-agent",
  "agentkeepalive",
  "undici",
  "undici-retry",
  "fetch",
];

const table = {
  workers: wholeNumber(1, 500, "workers that send at the same time (40)"),
  requests: wholeNumber(1, 10_000, "requests of each worker, per client and method (25)"),
  "idle-timeout": wholeNumber(
    20,
    60_000,
    "ms after which the server closes an idle connection (300; with --hint 1000)",
  ),
  delay: wholeNumber(0, 1_000, "ms that bytes, FIN and RST are under way, one way (15)"),
  ages: {
    value: "FROM-TO",
    doc: "ms from a response to the next request (idle timeout less 4 delays, to plus 1: 240-315)",
    allowed: "two whole numbers such as 240-315, the smaller one first",
    parse: (text) => {
      const [, from, to] = /^(\d{1,6})-(\d{1,6})$/.exec(text) ?? [];
      return from !== undefined && Number(from) <= Number(to) ? [Number(from), Number(to)] : null;
    },
  },
  seed: wholeNumber(0, 999_999_999, "the waits are random by this (1)"),
  only: {
    value: "CLIENTS",
    doc: `some of ${clients.join(",")}`,
    allowed: `some of ${clients.join(",")}, with commas between them`,
    parse: (text) => {
      const chosen = text.split(",");
      return chosen.every((each) => clients.includes(each)) ? [...new Set(chosen)] : null;
    },
  },
  hint: flag("the server says Keep-Alive: timeout=N"),
  reset: flag("at the idle limit the server sends RST in place of FIN"),
  tls: flag("https"),
  "pool-per-worker": flag(
    "a client of its own for each worker, so that ages are exact; not for fetch",
  ),
  json: flag("results as JSON"),
  markdown: flag("the table as it stands in docs/reliability.md"),
  help: flag("show this"),
};

const examples = [
  ["npm run race", "all clients, in less than two minutes"],
  ["npm run race -- --only keepline,undici --reset", "two of them, against a server that resets"],
  ["npm run race -- --hint", "a server that says its limit"],
  ["npm run race -- --pool-per-worker", "each worker reuses its own connection only"],
  ["npm run race -- --delay 50 --idle-timeout 2000", "farther away, a longer limit"],
  ["npm run race -- --markdown", "what docs/reliability.md shows"],
];

/** The settings that `args` ask for; null when they ask for help. Throws UsageError. */
export function readOptions(args) {
  const values = parseOptions(table, args);
  if (values.help) return null;
  const given = (name) => values[name] !== undefined;
  const hint = given("hint");
  const idleMsecs = values["idle-timeout"] ?? (hint ? 1_000 : 300);
  const delayMsecs = values.delay ?? 15;
  if (hint && idleMsecs % 1_000 !== 0) {
    throw new UsageError(
      `--hint speaks in whole seconds, so --idle-timeout cannot be ${idleMsecs}`,
    );
  }
  if (given("json") && given("markdown")) {
    throw new UsageError("--json and --markdown exclude each other");
  }
  const poolPerWorker = given("pool-per-worker");
  if (poolPerWorker && values.only?.includes("fetch")) {
    throw new UsageError(
      "--pool-per-worker cannot be had with fetch, whose pool is one per process",
    );
  }
  return {
    workers: values.workers ?? 40,
    requests: values.requests ?? 25,
    idleMsecs,
    delayMsecs,
    // Requests written later than idle timeout less a round trip lose the race, up to when the FIN arrives.
    ages: values.ages ?? [Math.max(0, idleMsecs - 4 * delayMsecs), idleMsecs + delayMsecs],
    seed: values.seed ?? 1,
    chosen: values.only ?? clients.filter((each) => !(poolPerWorker && each === "fetch")),
    hint,
    reset: given("reset"),
    isTls: given("tls"),
    poolPerWorker,
    format: given("json") ? "json" : given("markdown") ? "markdown" : "text",
    command: ["npm run race", ...shownArgs(args)].join(" "),
  };
}

/** The arguments that the results depend on, as they are typed. */
function shownArgs(args) {
  const shown = args.filter((arg) => arg !== "--json" && arg !== "--markdown");
  return shown.length === 0 ? [] : ["--", ...shown];
}

export function help() {
  const rows = Object.entries(table).map(([name, { value, doc }]) => [
    value === null ? `--${name}` : `--${name} ${value}`,
    doc,
  ]);
  const columns = (pairs) => {
    const width = Math.max(...pairs.map(([left]) => left.length));
    return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  };
  return [
    "npm run race: what becomes of requests that are written while the server closes the idle connection",
    "",
    "Options",
    ...columns(rows),
    "",
    "Examples",
    ...columns(examples),
  ].join("\n");
}
