/**
 * `keepline demo`: what may be asked of it, and where its results go.
 */
import { serveDashboard } from "../../dashboard/index.ts";
import { type Command, type Context, optionsCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { flag, type Values, wholeNumber } from "../options.ts";
import { allowedUrl, parseUrl, tlsOf, tlsOptions } from "../target-options.ts";
import { toJson } from "../text.ts";
import type { Setting, Target } from "./load.ts";
import type { Plan } from "./many-requests.ts";
import {
  intent,
  renderBursts,
  renderEnd,
  renderLive,
  renderManyRequests,
  renderProgress,
  renderQueue,
  renderStart,
  renderTwoRequests,
} from "./render.ts";
import { type Listener, runForeignDemo, runLive, runOwnDemo } from "./run.ts";

const options = {
  url: {
    value: "URL",
    doc: "measure this http or https server instead of the demo's own",
    allowed: allowedUrl,
    parse: parseUrl,
  },
  requests: wholeNumber(1, 10_000, "requests of each run, 1 to 10000 (2000, with --url 200)"),
  concurrency: wholeNumber(1, 256, "requests under way at a time, 1 to 256 (20)"),
  ...tlsOptions,
  watch: flag("go on with traffic to look at on the dashboard, until Ctrl-C"),
  json: flag("print one JSON document and nothing else"),
};

type Given = Values<typeof options>;

/** The command. */
export const demo: Command = optionsCommand({
  name: "demo",
  summary: "measure on this machine what keep-alive connections do",
  usage: "[--url URL] [--requests N] [--concurrency N] [--watch] [--json]",
  options,
  examples: [
    ["keepline demo", "four experiments against servers of its own, in about ten seconds"],
    ["keepline demo --url https://api.example.com/health", "the first two against that server"],
    [
      "keepline demo --url https://10.0.0.7:8443/ --ca ca.pem --requests 1000",
      "a server with its own certificate authority",
    ],
    ["keepline demo --watch", "and then traffic, with a dashboard to look at"],
    ["keepline demo --json > demo.json", "for programs"],
  ],
  notes: [
    "While it runs, a dashboard shows its connections at the address that it prints. Who looks at it takes " +
      "CPU time from what is measured.",
    "In a checkout, npm start is keepline demo: npm start -- --url URL, and for JSON " +
      "npm start --silent -- --json.",
    "With --url it sends 2 + 2 × N GET requests, no more than the concurrency at a time, and stops " +
      "early when most of the first 20 fail: no response within 10 s, a status of 429, or from 500 on.",
    "The JSON document has format keepline-demo and formatVersion 1; a change that breaks readers " +
      "raises the version. Its parts are twoRequests, manyRequests, queue and bursts (the last two " +
      "null with --url); times are in milliseconds, in fields that end in Msecs.",
  ],
  run,
});

async function run(given: Given, { terminal, signal }: Context): Promise<void> {
  const { url } = given;
  if (url?.protocol !== "https:") requireHttps(given);
  requireOwnServers(given);
  const isJson = given.json === true;
  const plan = planOf(given);
  const dashboard = isJson ? null : await serveDashboard({});
  const setting: Setting = {
    signal,
    progress: (label, share) => terminal.progress(renderProgress(label, share)),
    watch: (client) => dashboard?.add("", client) ?? (() => {}),
  };
  const listener: Listener = isJson
    ? { twoRequests() {}, manyRequests() {}, queue() {}, bursts() {} }
    : {
        twoRequests: (results) => terminal.print(renderTwoRequests(results, terminal)),
        manyRequests: (result) => terminal.print(renderManyRequests(result, terminal)),
        queue: (result) => terminal.print(renderQueue(result, terminal)),
        bursts: (result) => terminal.print(renderBursts(result, terminal)),
      };

  try {
    if (dashboard !== null) {
      terminal.print(renderStart(url?.href ?? null, plan, dashboard.url, terminal));
      // Where stdout is for programs, a person may still want to know what is sent to a server.
    } else if (url !== undefined) terminal.note(`keepline demo: ${intent(url.href, plan)}`);
    const report =
      url === undefined
        ? await runOwnDemo(plan, setting, listener)
        : await runForeignDemo(targetOf(url, given), plan, setting, listener);
    if (isJson) terminal.printRaw(toJson(report));
    else terminal.print(renderEnd(report, self(), terminal));
    if (dashboard === null || given.watch === undefined) return;
    terminal.print(renderLive(dashboard.url, terminal));
    await runLive(setting);
  } finally {
    await dashboard?.close();
  }
}

/** @throws UsageError when --watch is given where there would be nothing to watch. */
function requireOwnServers({ watch, url, json }: Given): void {
  if (watch === undefined) return;
  if (url !== undefined) {
    throw new UsageError("--watch sends to servers of the demo's own, and --url names another one");
  }
  if (json !== undefined) throw new UsageError("--watch is for people, and --json for programs");
}

/** From a checkout `npm start` runs this command, and no other way may be installed. */
function self(): string {
  return process.env.npm_lifecycle_event === "start" ? "npm start --" : "keepline demo";
}

/** @throws UsageError when options were given that mean nothing without an https URL. */
function requireHttps(given: Given): void {
  for (const name of ["ca", "insecure"] as const) {
    if (given[name] === undefined) continue;
    const instead = given.url === undefined ? "there is no --url" : `--url is ${given.url.href}`;
    throw new UsageError(`--${name} is for https servers, but ${instead}`);
  }
}

function planOf({
  url,
  requests = url === undefined ? 2_000 : 200,
  concurrency = 20,
}: Given): Plan {
  return { requests, concurrency: Math.min(concurrency, requests) };
}

function targetOf(url: URL, given: Given): Target {
  const protocol = url.protocol === "https:" ? "https" : "http";
  return { protocol, url: url.href, connect: { tls: tlsOf(given) }, server: "foreign" };
}
