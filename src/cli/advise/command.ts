/**
 * `keepline advise`: what may be asked of it. What it recommends is decided in `keepline/simulate`.
 */
import { usualMost } from "../../simulate/advise/advise.ts";
import { advise } from "../../simulate/index.ts";
import { type Command, type Context, optionsCommand } from "../command.ts";
import { addressAllowed, parseAddress } from "../dashboard.ts";
import { Failure, UsageError } from "../errors.ts";
import type { Option, Values } from "../options.ts";
import { options as asked, planOf } from "../simulate/command.ts";
import { infinite } from "../simulate/html.ts";
import { type Plan, simulationOf } from "../simulate/plan.ts";
import { durationOption } from "../simulate/values.ts";
import { span } from "../text.ts";
import { chosenOf } from "./chosen.ts";
import { renderAdvice, renderProgress, renderTraffic } from "./render.ts";
import { type Asked, takeTraffic } from "./traffic.ts";

const usualMsecs = 60_000;

const options = {
  trace: asked.trace,
  format: asked.format,
  "skip-bad-lines": asked["skip-bad-lines"],
  from: {
    value: "ADDRESS",
    doc: "or what a running program does from now on, by its dashboard",
    allowed: addressAllowed,
    parse: parseAddress,
  } satisfies Option<URL>,
  client: {
    value: "NAME",
    doc: "with --from: which client, where it shows several",
    allowed: "the name of a client",
    parse: (text) => (text === "" || text.startsWith("--") ? null : text),
  } satisfies Option<string>,
  rate: asked.rate,
  pattern: asked.pattern,
  for: durationOption("for so long (10m; with --from 1m)"),
  origin: asked.origin,
  service: asked.service,
  "round-trip": asked["round-trip"],
  "server-idle": asked["server-idle"],
  "server-hint": asked["server-hint"],
  scenario: asked.scenario,
  settings: asked.settings,
  set: asked.set,
  "service-name": {
    value: "NAME",
    doc: "the service whose options are to be recommended (the client's own)",
    allowed: "the name of a service",
    parse: (text) => (text === "" || text.startsWith("--") ? null : text),
  } satisfies Option<string>,
  requests: { ...asked.requests, doc: "look at the first so many requests (100000)" },
  seed: asked.seed,
  json: asked.json,
};

type Given = Values<typeof options>;

/** The command. */
export const advice: Command = optionsCommand({
  name: "advise",
  summary: "recommend limits for recorded requests, and what each change buys",
  usage: "(--trace FILE | --from ADDRESS | --rate N | --scenario FILE) [OPTIONS]",
  options,
  examples: [
    ["keepline advise --trace access.log --round-trip 20ms", "from what a server has logged"],
    [
      "keepline advise --trace requests.jsonl --settings keepline.config.js --server-idle 60s",
      "from a trace, beginning with the settings that you have",
    ],
    [
      "keepline advise --from 127.0.0.1:4700 --for 60s",
      "for what a program does in the next minute, beginning with the settings that it has",
    ],
    ["keepline advise --trace page.har --json", "from a HAR file, for programs"],
  ],
  notes: [
    "Some 150 settings are simulated on all requests. What is recommended is not beaten by any of them in churn, idle sockets, " +
      "p99 and failures together. --set and --settings say what you have now.",
    "An access log knows nothing of the way to the server: give --round-trip, and --server-idle where the server closes idle connections; " +
      "keepline probe finds out both. Where it has no durations --service says what the server takes.",
    "A recording, and --from, bring the settings, dial times and idle windows of the program. Where requests are of several services the one " +
      "with most is looked at, unless --service-name says otherwise.",
    "--json prints a document of format keepline-advice, formatVersion 1; a change that breaks readers raises the version.",
  ],
  run,
});

async function run(given: Given, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const { "service-name": named, from, client, for: time, ...rest } = given;
  if (from === undefined && client !== undefined) {
    throw new UsageError("--client means nothing without --from");
  }
  if (from !== undefined) {
    const other = (["trace", "rate", "scenario"] as const).find(
      (each) => given[each] !== undefined,
    );
    if (other !== undefined) {
      throw new UsageError(
        `--from and --${other} are both where requests come from: give one of them`,
      );
    }
  }
  const isLive = from !== undefined;
  const plan = planOf(isLive || time === undefined ? rest : { ...rest, for: time }, isLive);
  const traffic = isLive
    ? await trafficOf(
        {
          url: from,
          client: client ?? null,
          forMsecs: time ?? usualMsecs,
          mostRequests: mostOf(plan),
        },
        context,
      )
    : null;
  const { simulation, service, notes } = await chosenOf(simulationOf(plan, {}), traffic, named);
  const found = await advise(simulation, {
    signal,
    service,
    onProgress: (simulations) => terminal.progress(renderProgress(simulations)),
  });
  terminal.clearProgress();
  for (const note of notes) terminal.note(`keepline advise: ${note}`);
  if (given.json === true) terminal.printRaw(`${JSON.stringify(found, infinite, 2)}\n`);
  else terminal.print(renderAdvice(found, terminal));
}

function mostOf({ mostRequests }: Plan): number {
  return Math.min(mostRequests ?? usualMost, usualMost);
}

/** The trace of what a program does, with a line of progress while it comes. */
async function trafficOf(asked: Asked, { terminal, signal }: Context): Promise<Uint8Array[]> {
  const began = performance.now();
  let requests = 0;
  const tell = (): void =>
    terminal.progress(renderTraffic(performance.now() - began, asked.forMsecs, requests));
  const timer = setInterval(tell, 500);
  try {
    const pieces = await takeTraffic(asked, signal, (count) => {
      requests = count;
    });
    if (requests > 0) return pieces;
    throw new Failure(
      `no request was made in ${span(asked.forMsecs)} at ${asked.url.href}: take more time, by --for`,
    );
  } finally {
    clearInterval(timer);
    terminal.clearProgress();
  }
}
