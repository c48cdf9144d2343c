/**
 * `keepline load URL`: what may be asked of it, and where its results go.
 */
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { checkMethod } from "../../http1/request-head.ts";
import { version } from "../../version.ts";
import { type Command, type Context, operandCommand } from "../command.ts";
import { Failure, Finding, Interrupted, UsageError } from "../errors.ts";
import { type Arguments, duration, flag, type Option, wholeNumber } from "../options.ts";
import { headerOption, tlsOf, tlsOptions } from "../target-options.ts";
import { count, toJson } from "../text.ts";
import { keeplineClient } from "./client.ts";
import { clientFlags, givenClientOptions } from "./client-options.ts";
import { htmlOf } from "./html.ts";
import { findPeer, type MakeClient, type PeerName, peerNames } from "./peers.ts";
import type { LoadPlan } from "./plan.ts";
import { Recording } from "./recording.ts";
import { intentOf, renderComparison, renderProgress, renderRun, renderStart } from "./render.ts";
import { type LoadReport, loadFormatVersion, type PlanReport, type RunReport } from "./report.ts";
import { runLoad } from "./run.ts";
import { readUrls } from "./urls.ts";

const usualRequests = 200;
const usualConcurrency = 10;

const methodOption: Option<string> = {
  value: "METHOD",
  doc: "method of the requests (GET, with a body POST)",
  allowed: "a method name, such as GET or POST",
  parse: (text) => {
    try {
      return checkMethod(text.toUpperCase());
    } catch {
      return null;
    }
  },
};

const bodyFileOption: Option<Uint8Array> = {
  value: "FILE",
  doc: "send what is in this file with every request",
  allowed: "a file that can be read",
  parse: (text) => {
    try {
      return readFileSync(text);
    } catch {
      return null;
    }
  },
};

const compareOption: Option<readonly PeerName[]> = {
  value: "CLIENTS",
  doc: "the same load through other clients too: undici, node",
  allowed: `names of clients with commas between them, of ${peerNames.join(", ")}`,
  parse: (text) => {
    const names = [...new Set(text.split(",").map((name) => name.trim()))];
    const known = names.filter((name): name is PeerName => peerNames.includes(name as PeerName));
    return known.length === names.length ? known : null;
  },
};

const fileOption = (doc: string): Option<string> => ({
  value: "FILE",
  doc,
  allowed: "a file in a folder that can be written to",
  parse: (text) => {
    try {
      accessSync(path.dirname(path.resolve(text)), constants.W_OK);
      return text === "" ? null : text;
    } catch {
      return null;
    }
  },
});

const own = {
  requests: {
    ...wholeNumber(1, 100_000_000, `requests in all (${usualRequests}, none with --duration)`),
    short: "n",
  },
  concurrency: {
    ...wholeNumber(1, 10_000, `requests at a time (${usualConcurrency})`),
    short: "c",
  },
  rate: wholeNumber(1, 100_000, "requests a second, whether answered or not; without -c"),
  duration: duration("10ms", "24h", "send for so long"),
  method: methodOption,
  header: headerOption,
  body: anyText("TEXT", "send this with every request"),
  "body-file": bodyFileOption,
  timeout: duration("1ms", "1h", "a request that takes longer has failed (30s)"),
  compare: compareOption,
  html: fileOption("write a report with charts, as one HTML file"),
  har: fileOption("write what keepline sent to a HAR file"),
  ...tlsOptions,
  json: flag("print one JSON document and nothing else"),
};
const options: typeof own & typeof clientFlags = { ...own, ...clientFlags };

type Given = Arguments<typeof own, string>;

/** The command. */
export const loadCommand: Command = operandCommand({
  name: "load",
  summary: "send requests and report what became of them",
  usage: "URL|FILE [-n N] [-c N | --rate N] [--duration TIME] [--compare CLIENTS]",
  operand: {
    value: "URL or FILE",
    allowed: "an http or https URL, or a file with one on each line",
    parse: (text) => text,
  },
  options,
  examples: [
    ["keepline load http://127.0.0.1:8080/ -n 10000 -c 50", "10,000 requests, 50 at a time"],
    ["keepline load https://staging.example.com/ --rate 200 --duration 30s", "an open loop"],
    ["keepline load urls.txt -c 20 --duration 1m --max-sockets 8", "URLs of a file in turn"],
    ["keepline load http://127.0.0.1:8080/ --compare undici,node", "beside other clients"],
    ["keepline load http://127.0.0.1:8080/ --html load.html", "with charts, for a browser"],
    ["keepline load http://127.0.0.1:8080/ --har load.har", "for the tools of a browser"],
    ["keepline load http://127.0.0.1:8080/ --json > load.json", "for programs"],
  ],
  notes: [
    "Load only what is yours. It sends what was asked for and no more: with --compare once through " +
      "each client. Ctrl-C ends it with the report so far.",
    "Latencies. With --rate they run from the instant at which a request was to be sent, so that they " +
      "show what users of a late server feel. Without, answers set the pace, and while one is late " +
      "its sender does not ask (coordinated omission): they are shown as measured and corrected, " +
      "as if each sender had gone on at its median pace.",
    "undici is taken from the node_modules of the working directory. All clients get the same " +
      "number of sockets, keep-alive and certificates; other options are keepline's only.",
    "--html writes a file that loads nothing and has no user or query of a URL, no header values and no bodies in it. " +
      "--har writes a file for its owner alone, also after Ctrl-C: header fields without secrets, and no bodies. To record " +
      "takes CPU time from the run (a small GET takes some 30 % more).",
    "Exit code: 0 when all requests were answered, whatever the status; 3 when some were not; 1 when " +
      "none was; 2 when the command line is wrong; 130 after Ctrl-C.",
    "The JSON document has format keepline-load and formatVersion 1; a change that breaks readers " +
      "raises the version. Times are in milliseconds, in fields that end in Msecs.",
  ],
  run: (given, context) => run(given as Given, context),
});

async function run({ options: given, operand }: Given, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const plan = planOf(given, operand);
  const names = ["keepline", ...(given.compare ?? [])];
  const recording = given.har === undefined ? null : new Recording();
  const makers: MakeClient[] = [(of) => keeplineClient(of, (client) => recording?.begin(client))];
  for (const name of given.compare ?? []) makers.push(await findPeer(name, process.cwd()));

  const isJson = given.json === true;
  if (!isJson) terminal.print(renderStart(plan, names, terminal));
  // Where stdout is for programs, a person may still want to know what is sent to a server.
  else terminal.note(`keepline load: ${intentOf(plan)}`);
  const startedAt = new Date().toISOString();
  const runs: RunReport[] = [];
  for (const [index, make] of makers.entries()) {
    if (signal.aborted) break;
    const result = await runLoad(make(plan), plan, {
      signal,
      progress: (state) => terminal.progress(renderProgress(names[index] ?? "", state, plan)),
    });
    runs.push(result);
    if (!isJson && canWrite(signal)) terminal.print(renderRun(result, terminal));
  }
  if (given.har !== undefined) await recording?.save(given.har);
  const report: LoadReport = {
    format: "keepline-load",
    formatVersion: loadFormatVersion,
    keepline: version,
    node: process.versions.node,
    startedAt,
    plan: planReport(plan),
    runs,
  };
  const saveHtml = (): void => {
    if (given.html !== undefined) writeHtml(given.html, htmlOf(report, plan));
  };
  if (!canWrite(signal)) {
    saveHtml();
    throw signal.reason;
  }
  if (isJson) terminal.printRaw(toJson(report));
  else terminal.print(renderComparison(report, terminal));
  saveHtml();
  if (given.html !== undefined) terminal.note(`keepline load: wrote ${given.html}`);
  conclude(runs);
}

/** False when the command ends because nobody reads what it writes. */
function canWrite(signal: AbortSignal): boolean {
  return !signal.aborted || signal.reason instanceof Interrupted;
}

/** @throws Failure */
function writeHtml(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new Failure(`--html: ${file} cannot be written: ${(error as Error).message}`);
  }
}

/** @throws Failure or Finding when requests were not answered. */
function conclude(runs: readonly RunReport[]): void {
  for (const { client, answered, failed, errors } of runs) {
    if (failed === 0) continue;
    const [worst] = Object.entries(errors).toSorted(([, a], [, b]) => b.count - a.count);
    const why = worst === undefined ? "" : `, most of them ${worst[0]}: ${worst[1].example}`;
    const words = `${count(failed)} of ${count(answered + failed)} requests through ${client} got no response${why}`;
    throw answered === 0 ? new Failure(words) : new Finding(words);
  }
}

/** @throws UsageError */
function planOf(given: Given["options"], operand: string): LoadPlan {
  const { rate, concurrency, body, timeout } = given;
  if (rate !== undefined && concurrency !== undefined) {
    throw new UsageError(
      "--rate sends by the clock and --concurrency by the answers: give one of them (--max-sockets bounds the sockets of either)",
    );
  }
  if (body !== undefined && given["body-file"] !== undefined) {
    throw new UsageError("give either --body or --body-file, not both");
  }
  const bytes = body === undefined ? (given["body-file"] ?? null) : Buffer.from(body);
  const requests = given.requests ?? (given.duration === undefined ? usualRequests : Infinity);
  const names = new Set((given.header ?? []).map(([name]) => name.toLowerCase()));
  const usual = [
    ["user-agent", `keepline/${version} (load)`],
    ["accept", "*/*"],
  ] as const;
  return {
    urls: readUrls(operand),
    pace:
      rate === undefined
        ? { kind: "closed", concurrency: Math.min(concurrency ?? usualConcurrency, requests) }
        : { kind: "open", perSecond: rate },
    requests,
    durationMsecs: given.duration ?? Number.POSITIVE_INFINITY,
    method: given.method ?? (bytes === null ? "GET" : "POST"),
    headers: [...usual.filter(([name]) => !names.has(name)), ...(given.header ?? [])],
    body: bytes,
    timeoutMsecs: timeout ?? 30_000,
    tls: tlsOf(given),
    options: givenClientOptions(given),
  };
}

function planReport(plan: LoadPlan): PlanReport {
  const { urls, pace, requests, durationMsecs, method, body, options } = plan;
  const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return {
    urls: urls.length,
    firstUrl: urls[0] as string,
    method,
    concurrency: pace.kind === "closed" ? pace.concurrency : null,
    ratePerSecond: pace.kind === "open" ? pace.perSecond : null,
    requests: finite(requests),
    durationMsecs: finite(durationMsecs),
    bodyBytes: body?.length ?? 0,
    options: { ...options },
  };
}

/** An option that takes any text. */
function anyText(value: string, doc: string): Option<string> {
  return { value, doc, allowed: "a text", parse: (text) => text };
}
