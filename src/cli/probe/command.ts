/**
 * `keepline probe URL`: what may be asked of it, and where its results go.
 */
import { type Command, type Context, operandCommand } from "../command.ts";
import { Finding, UsageError } from "../errors.ts";
import { type Arguments, duration, flag, type Option, wholeNumber } from "../options.ts";
import { allowedUrl, headerOption, parseUrl, tlsOf, tlsOptions } from "../target-options.ts";
import { toJson } from "../text.ts";
import { renderReport, renderStart } from "./render.ts";
import { probe } from "./run.ts";
import { mostConnections, type ProbePlan } from "./visitor.ts";

const methodOption: Option<"GET" | "HEAD"> = {
  value: "METHOD",
  doc: "GET or HEAD (GET)",
  allowed: "GET or HEAD",
  parse: (text) => (text === "GET" || text === "HEAD" ? text : null),
};

const options = {
  max: duration("100ms", "1h", "watch idle connections for so long (90s)"),
  requests: wholeNumber(2, 10_000, "requests on one connection at most (120)"),
  method: methodOption,
  header: headerOption,
  ...tlsOptions,
  json: flag("print one JSON document and nothing else"),
};

type Given = Arguments<typeof options, URL>;

/** The command. */
export const probeCommand: Command = operandCommand({
  name: "probe",
  summary: "find out how a server keeps connections, and what to set",
  usage: "URL [--max TIME] [--requests N] [--method HEAD] [--json]",
  operand: { value: "URL", allowed: allowedUrl, parse: parseUrl },
  options,
  examples: [
    ["keepline probe https://api.example.com/health", "everything, in a minute and a half"],
    ["keepline probe https://api.example.com/ --max 10s --method HEAD", "a quick look"],
    ["keepline probe http://10.0.0.7:8080/ --max 10m", "behind a load balancer that is patient"],
    ["keepline probe https://api.example.com/ --json > probe.json", "for programs"],
  ],
  notes: [
    "It finds out whether connections are kept, for how long when idle (also where the server does not " +
      "say so, or drops them without a sign), for how many requests, and what DNS, TCP and TLS cost. " +
      "It ends with options of keepline to paste.",
    `What it costs the server: at most ${mostConnections} connections, no more than 16 of them at a time, ` +
      "and at most 2 × --requests + 130 requests, one after the other on each. A server that " +
      "answers 429 or 503 to many requests on one connection is asked no further.",
    "Exit code: 0 when the server keeps connections, all or some; 3 when it does not; 1 when it " +
      "cannot be reached or does not speak HTTP/1.1; 2 when the command line is wrong.",
    "The JSON document has format keepline-probe and formatVersion 1; a change that breaks readers " +
      "raises the version. Times are in milliseconds, in fields that end in Msecs.",
  ],
  run,
});

async function run({ options: given, operand: url }: Given, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const plan = planOf(given, url);
  const isJson = given.json === true;
  if (!isJson) terminal.print(renderStart(url.href, plan.method, terminal));
  const report = await probe(plan, { signal, progress: (line) => terminal.progress(line) });
  if (isJson) terminal.printRaw(toJson(report));
  else terminal.print(renderReport(report, terminal));
  if (report.keepAlive.keeps === "no") {
    throw new Finding(`${url.origin} does not keep connections`);
  }
}

function planOf(given: Given["options"], url: URL): ProbePlan {
  if (url.protocol !== "https:") {
    for (const name of ["ca", "insecure"] as const) {
      if (given[name] === undefined) continue;
      throw new UsageError(`--${name} is for https servers, but the URL is ${url.href}`);
    }
  }
  return {
    url,
    method: given.method ?? "GET",
    headers: given.header ?? [],
    tls: tlsOf(given),
    maxMsecs: given.max ?? 90_000,
    mostRequests: given.requests ?? 120,
  };
}
