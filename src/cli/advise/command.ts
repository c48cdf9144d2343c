/**
 * `keepline advise`: what may be asked of it. What it recommends is decided in `keepline/simulate`.
 */
import { advise } from "../../simulate/index.ts";
import { type Command, type Context, optionsCommand } from "../command.ts";
import type { Option, Values } from "../options.ts";
import { options as asked, planOf } from "../simulate/command.ts";
import { infinite } from "../simulate/html.ts";
import { simulationOf } from "../simulate/plan.ts";
import { renderAdvice, renderProgress } from "./render.ts";

const options = {
  trace: asked.trace,
  format: asked.format,
  "skip-bad-lines": asked["skip-bad-lines"],
  rate: asked.rate,
  pattern: asked.pattern,
  for: asked.for,
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
  usage: "(--trace FILE | --rate N | --scenario FILE) [OPTIONS]",
  options,
  examples: [
    ["keepline advise --trace access.log --round-trip 20ms", "from what a server has logged"],
    [
      "keepline advise --trace requests.jsonl --settings keepline.config.js --server-idle 60s",
      "from a trace, beginning with the settings that you have",
    ],
    ["keepline advise --trace page.har --json", "from a HAR file, for programs"],
  ],
  notes: [
    "Some 150 settings are simulated on all requests. What is recommended is not beaten by any of them in churn, idle sockets, " +
      "p99 and failures together. --set and --settings say what you have now.",
    "An access log knows nothing of the way to the server: give --round-trip, and --server-idle where the server closes idle connections; " +
      "keepline probe finds out both. Where it has no durations --service says what the server takes.",
    "--json prints a document of format keepline-advice, formatVersion 1; a change that breaks readers raises the version.",
  ],
  run,
});

async function run(given: Given, { terminal, signal }: Context): Promise<void> {
  const { "service-name": service, ...rest } = given;
  const plan = planOf(rest);
  const found = await advise(simulationOf(plan, {}), {
    signal,
    service,
    onProgress: (simulations) => terminal.progress(renderProgress(simulations)),
  });
  terminal.clearProgress();
  if (given.json === true) terminal.printRaw(`${JSON.stringify(found, infinite, 2)}\n`);
  else terminal.print(renderAdvice(found, terminal));
}
